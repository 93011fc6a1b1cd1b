"""``bootstrap``: what a stock client needs to find this server."""

from __future__ import annotations

import json
import secrets
import shlex
import socket
from collections.abc import Mapping

from lbcontrol.app.cli.choices import Language
from lbcontrol.app.cli.envoy_bootstrap import envoy_document
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import usage_error
from lbcontrol.app.cli.options import Bootstrap

VARIABLE = "GRPC_XDS_BOOTSTRAP_CONFIG"
"""What every gRPC library reads the document from."""
HINTS = {
    Language.PYTHON: 'grpc.insecure_channel("xds:///SERVICE"); set the variable before the process starts',
    Language.GO: 'import _ "google.golang.org/grpc/xds" and dial "xds:///SERVICE"',
    Language.NODE: 'call register() of @grpc/grpc-js-xds once and dial "xds:///SERVICE"',
    Language.JAVA: 'add io.grpc:grpc-xds and dial "xds:///SERVICE"',
    Language.CPP: 'link grpc++ and call grpc::CreateChannel("xds:///SERVICE", grpc::InsecureChannelCredentials())',
}
"""How each language uses it."""


def bootstrap(options: Bootstrap) -> int:
    """Print the document, alone or as shell lines.

    Raises:
        CommandError: Envoy's needs a service to route to (LB918).
    """
    place = {"region": options.region, "zone": options.zone, "sub_zone": options.sub_zone}
    locality = {key: value for key, value in place.items() if value}
    # grpc-js refuses a node without a locality, so that an unknown one is told as empty.
    node = {"id": options.node_id or f"{socket.gethostname()}-{secrets.token_hex(3)}", "locality": locality}
    if options.language is Language.ENVOY:
        if not options.service:
            raise usage_error(
                "Envoy's bootstrap routes to one service", do="lbcontrol bootstrap SERVICE --language envoy"
            )
        print(json.dumps(envoy_document(options, node), indent=2))
        return Exit.DONE
    document = grpc_document(options.server, node)
    if options.language is None:
        print(json.dumps(document, indent=2))
    else:
        text = json.dumps(document, separators=(",", ":"))
        print(f"export {VARIABLE}={shlex.quote(text)}\n# {HINTS[options.language]}")
    return Exit.DONE


def grpc_document(server: str, node: Mapping[str, object]) -> dict[str, object]:
    """Return the bootstrap that gRPC libraries read (gRFC A27)."""
    authority = {"server_uri": server, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    return {"xds_servers": [authority], "node": node}
