"""Envoy's bootstrap: a static listener whose routes, clusters and endpoints come from this server over ADS.

The listener is static because Envoy accepts no API listener, which is what gRPC clients are told; the route
configuration has the name of the service.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Mapping

from lbcontrol.app.cli.failures import usage_error
from lbcontrol.app.cli.options import Bootstrap
from lbcontrol.app.cli.proof import UNIX, Proof, absolute, proof_of

CONTROL = "lbcontrol"
"""Name of the static entry for this server, and of Envoy's own group."""
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""Key and type of the options that make Envoy speak HTTP/2 to this server."""
TYPES = "type.googleapis.com/"
"""Prefix of every type in an Any."""
TLS = f"{TYPES}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
"""Type of Envoy's side of TLS towards this server."""
ADS = {"ads": {}, "resource_api_version": "V3"}
"""Everything else comes over the one stream."""


def envoy_document(options: Bootstrap, node: Mapping[str, object]) -> dict[str, object]:
    """Return the whole bootstrap."""
    return {
        "node": {**node, "cluster": CONTROL},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if options.delta else "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": CONTROL}}],
            },
            "cds_config": ADS,
        },
        "static_resources": {
            "listeners": [_listener(options.service, options.listen)],
            "clusters": [_server(options.server, proof_of(options))],
        },
    }


def _listener(service: str, listen: str) -> dict[str, object]:
    connection = {
        "@type": f"{TYPES}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": service,
        "codec_type": "AUTO",
        "rds": {"route_config_name": service, "config_source": ADS},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection}]}
    return {"name": service, "address": _address(listen), "filter_chains": [chain]}


def _server(server: str, proof: Proof | None) -> dict[str, object]:
    endpoint = {"endpoint": {"address": _address(server)}}
    return {
        **({} if proof is None or server.startswith(UNIX) else {"transport_socket": _tls(server, proof)}),
        "name": CONTROL,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {"@type": TYPES + HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
        },
        "load_assignment": {"cluster_name": CONTROL, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _tls(server: str, proof: Proof) -> dict[str, object]:
    """Return how Envoy proves itself to this server, and whom it believes: names are checked, h2 is offered."""
    host = proof.server_name or server.rpartition(":")[0].strip("[]")
    kind = "IP_ADDRESS" if _is_ip(host) else "DNS"
    own = [{"certificate_chain": {"filename": absolute(proof.cert)}, "private_key": {"filename": absolute(proof.key)}}]
    common: dict[str, object] = {"alpn_protocols": ["h2"], **({"tls_certificates": own} if proof.cert else {})}
    if proof.ca:
        names = [{"san_type": kind, "matcher": {"exact": host}}]
        trusted = {"filename": absolute(proof.ca)}
        common["validation_context"] = {"trusted_ca": trusted, "match_typed_subject_alt_names": names}
    context = {"@type": TLS, "common_tls_context": common, **({"sni": host} if kind == "DNS" else {})}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _is_ip(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _address(text: str) -> dict[str, object]:
    """Read ``HOST:PORT`` or ``unix:PATH``.

    Raises:
        CommandError: it is neither (LB918).
    """
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:").removeprefix("//")}}
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise usage_error(f'"{text}" is not an address', do='write it as "HOST:PORT" or "unix:PATH"')
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}
