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
from lbcontrol.app.cli.proof import Proof, absolute, proof_of
from lbcontrol.model.namespaces import KEY, is_namespace

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
        CommandError: Envoy's needs a service to route to, Node's can have no TLS (LB918).
    """
    place = {"region": options.region, "zone": options.zone, "sub_zone": options.sub_zone}
    locality = {key: value for key, value in place.items() if value}
    # grpc-js refuses a node without a locality, so that an unknown one is told as empty.
    name = options.node_id or f"{socket.gethostname()}-{secrets.token_hex(3)}"
    node: dict[str, object] = {"id": name, "locality": locality}
    if options.namespace:
        if not is_namespace(options.namespace):
            raise usage_error(f"--namespace {options.namespace} is no namespace", do="write a label like shop")
        node["metadata"] = {KEY: options.namespace}
    if options.language is Language.ENVOY:
        if not options.service:
            raise usage_error(
                "Envoy's bootstrap routes to one service", do="lbcontrol bootstrap SERVICE --language envoy"
            )
        print(json.dumps(envoy_document(options, node), indent=2))
        return Exit.DONE
    proof = proof_of(options)
    if proof is not None and options.language is Language.NODE:
        do = "listen without TLS for it, on loopback or a network that keeps strangers out"
        raise usage_error("grpc-js-xds has no channel credentials of type tls", do=do)
    document = grpc_document(options.server, node, proof=proof)
    if options.language is None:
        print(json.dumps(document, indent=2))
    else:
        text = json.dumps(document, separators=(",", ":"))
        print(f"export {VARIABLE}={shlex.quote(text)}\n# {HINTS[options.language]}")
    return Exit.DONE


def grpc_document(server: str, node: Mapping[str, object], *, proof: Proof | None = None) -> dict[str, object]:
    """Return the bootstrap that gRPC libraries read (gRFC A27), with channel credentials for TLS (gRFC A65)."""
    authority = {"server_uri": server, "channel_creds": [credentials(proof)], "server_features": ["xds_v3"]}
    return {"xds_servers": [authority], "node": node}


def credentials(proof: Proof | None) -> dict[str, object]:
    """Return how clients prove themselves to this server: the paths are those on the client's host."""
    if proof is None:
        return {"type": "insecure"}
    files = {
        "ca_certificate_file": proof.ca,
        "certificate_file": proof.cert,
        "private_key_file": proof.key,
    }
    return {"type": "tls", "config": {key: absolute(path) for key, path in files.items() if path}}
