"""``bootstrap``: what a stock client needs to find this server."""

from __future__ import annotations

import json
import secrets
import shlex
import socket
from collections.abc import Iterator, Mapping

from lbcontrol.app.cli.choices import Language
from lbcontrol.app.cli.envoy_bootstrap import envoy_document
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import usage_error
from lbcontrol.app.cli.options import Bootstrap
from lbcontrol.app.cli.proof import Proof, absolute, proof_of
from lbcontrol.model.namespaces import KEY, is_namespace

VARIABLE = "GRPC_XDS_BOOTSTRAP_CONFIG"
"""What every gRPC library reads the document from."""
TOKENS = "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS"
"""What has to be true before the libraries send a token (gRFC A97); unset, they leave it out without a word."""
HINTS = {
    Language.PYTHON: 'grpc.insecure_channel("xds:///SERVICE"); set the variable before the process starts',
    Language.GO: 'import _ "google.golang.org/grpc/xds" and dial "xds:///SERVICE"',
    Language.NODE: 'call register() of @grpc/grpc-js-xds once and dial "xds:///SERVICE"',
    Language.JAVA: 'add io.grpc:grpc-xds and dial "xds:///SERVICE"',
    Language.CPP: 'link grpc++ and call grpc::CreateChannel("xds:///SERVICE", grpc::InsecureChannelCredentials())',
}
"""How each language uses it."""
JAVA_TRUST = "believes what its JVM does: -Djavax.net.ssl.trustStore=FILE, with --tls-ca put in by keytool -importcert"
"""grpc-java 1.85 leaves out what stands in channel credentials of type tls."""


def bootstrap(options: Bootstrap) -> int:
    """Print the document, alone or as shell lines.

    Raises:
        CommandError: Envoy's needs a service to route to, Node's can have no TLS, a token needs it, Java has
            neither token nor certificate (LB918).
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
    proof = _proof(options)
    if options.language is Language.ENVOY:
        if not options.service:
            raise usage_error(
                "Envoy's bootstrap routes to one service", do="lbcontrol bootstrap SERVICE --language envoy"
            )
        print(json.dumps(envoy_document(options, node), indent=2))
        return Exit.DONE
    document = grpc_document(options.server, node, proof=proof, token_file=options.token_file)
    if options.language is None:
        print(json.dumps(document, indent=2))
    else:
        text = json.dumps(document, separators=(",", ":"))
        switch = f"export {TOKENS}=true\n" if options.token_file else ""
        print(f"{switch}export {VARIABLE}={shlex.quote(text)}\n# {HINTS[options.language]}")
        if options.language is Language.JAVA and proof is not None:
            print(f"# {JAVA_TRUST}")
    return Exit.DONE


def _proof(options: Bootstrap) -> Proof | None:
    """Return the client's side of TLS, unless its language cannot do what was asked for."""
    proof = proof_of(options)
    for refused, what, do in _refusals(options, proof):
        if refused:
            raise usage_error(what, do=do)
    return proof


def _refusals(options: Bootstrap, proof: Proof | None) -> Iterator[tuple[bool, str, str]]:
    """What libraries would leave out without a word: whether it was asked for, why it cannot be, what else can."""
    language, token = options.language, bool(options.token_file)
    yield (
        language is Language.NODE and proof is not None,
        "grpc-js-xds has no channel credentials of type tls",
        "listen without TLS for it, on loopback or a network that keeps strangers out",
    )
    yield (
        language is Language.JAVA and (token or (proof is not None and bool(proof.cert))),
        "grpc-java 1.85 reads neither a certificate nor a token from its bootstrap",
        "leave both out, and give what it may read to anonymous; or register an XdsCredentialsProvider of your own",
    )
    yield (
        language is Language.ENVOY and token,
        "Envoy sends no token from this bootstrap",
        "give it a certificate: --tls-cert, --tls-key",
    )
    yield token and proof is None, "--token-file without TLS would show the token to the network", "give --tls-ca, too"


def grpc_document(
    server: str, node: Mapping[str, object], *, proof: Proof | None = None, token_file: str = ""
) -> dict[str, object]:
    """Return the bootstrap that gRPC libraries read (gRFC A27), with TLS (gRFC A65) and a token (gRFC A97)."""
    authority = {"server_uri": server, "channel_creds": [credentials(proof)], "server_features": ["xds_v3"]}
    if token_file:
        config = {"jwt_token_file": absolute(token_file)}
        authority["call_creds"] = [{"type": "jwt_token_file", "config": config}]
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
