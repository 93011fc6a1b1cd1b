"""``check --client-env``: would an xDS client on this host find its control plane?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import grpc

from lbcontrol.app.cli.calls import ANSWER_SECONDS, OPTIONS, unreachable
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.outcomes import Outcome
from lbcontrol.app.cli.proof import Proof, channel_to
from lbcontrol.model.findings import Finding, Severity

FILE = "GRPC_XDS_BOOTSTRAP"
"""Names a file; wins over the other one (gRFC A27)."""
TEXT = "GRPC_XDS_BOOTSTRAP_CONFIG"
"""Holds the document itself."""
SUBJECT = "this host"
"""What these findings are about."""
DO = 'eval "$(lbcontrol bootstrap --language python)"'


TLS = "tls"
KINDS = ("insecure", TLS)
"""Channel credentials that this server takes (gRFC A27, A65); of several a client takes the first that it knows."""


class _Server(NamedTuple):
    """One control plane of a bootstrap."""

    address: str
    proof: Proof | None
    """None for plaintext."""


class _UnusableError(Exception):
    """Something in the bootstrap that a client would refuse."""

    def __init__(self, what: str, *, at: str = "", why: str = "") -> None:
        super().__init__(what)
        self.finding = Finding("LB916", what, at=at, why=why, effect="xds:/// names do not work here", do=DO)


def check_client(timeout: float) -> Iterator[Outcome]:
    """Look at the bootstrap that the environment names, and dial its servers.

    Args:
        timeout: Longest wait for a connection, in seconds; 0 means ``ANSWER_SECONDS``.
    """
    try:
        origin, document = _read()
        servers = _servers(origin, document)
    except _UnusableError as error:
        yield Outcome(SUBJECT, finding=error.finding)
        return
    yield Outcome(f"bootstrap from {origin}: {len(servers)} server")
    for server in servers:
        yield _dialled(server, timeout or ANSWER_SECONDS)
    yield _placed(document)


def _read() -> tuple[str, Mapping[str, object]]:
    """Return where the bootstrap stands, and the bootstrap."""
    path, text = os.environ.get(FILE, ""), os.environ.get(TEXT, "")
    if not path and not text:
        raise _UnusableError("no xDS bootstrap", why=f"neither {FILE} nor {TEXT} is set")
    origin = f"{FILE}={path}" if path else TEXT
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8") if path else text)
    except (OSError, ValueError) as error:
        raise _UnusableError("the xDS bootstrap cannot be read", at=origin, why=str(error)) from error
    if not isinstance(document, dict):
        raise _UnusableError("the xDS bootstrap is not an object", at=origin)
    return origin, document


def _servers(origin: str, document: Mapping[str, object]) -> list[_Server]:
    """Return the control planes."""
    listed = document.get("xds_servers")
    if not isinstance(listed, list) or not listed:
        raise _UnusableError("the xDS bootstrap names no server", at=f"{origin}, xds_servers")
    return [_server(each, at=f"{origin}, xds_servers[{place}]") for place, each in enumerate(listed)]


def _server(entry: object, *, at: str) -> _Server:
    address = entry.get("server_uri") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(address, str) or not address:
        raise _UnusableError("a server without server_uri", at=at)
    credentials = entry.get("channel_creds")
    written = [each for each in credentials if isinstance(each, dict)] if isinstance(credentials, list) else []
    known = next((each for each in written if each.get("type") in KINDS), None)
    if known is None:
        why = f"it has {', '.join(str(each.get('type')) for each in written) or 'none'}"
        raise _UnusableError(f"channel_creds without the type {' or '.join(KINDS)}", at=at, why=why)
    return _Server(address, _proof(known.get("config")) if known["type"] == TLS else None)


def _proof(config: object) -> Proof:
    """Read what stands in channel credentials of type tls (gRFC A65)."""
    told = config if isinstance(config, dict) else {}
    names = ("ca_certificate_file", "certificate_file", "private_key_file")
    return Proof(*(str(told.get(name) or "") for name in names))


def _dialled(server: _Server, timeout: float) -> Outcome:
    try:
        with channel_to(server.address, server.proof, options=OPTIONS) as channel:
            grpc.channel_ready_future(channel).result(timeout=timeout)
    except grpc.FutureTimeoutError:
        return Outcome(SUBJECT, finding=unreachable(server.address, f"no connection within {timeout:g}s"))
    except CommandError as error:
        return Outcome(SUBJECT, finding=error.finding)
    return Outcome(f"server {server.address} can be reached")


def _placed(document: Mapping[str, object]) -> Outcome:
    """Say where the client says it runs; without a zone no endpoint is near."""
    node = document.get("node")
    locality = node.get("locality") if isinstance(node, dict) else None
    zone = locality.get("zone") if isinstance(locality, dict) else None
    if zone:
        return Outcome(f"zone {zone}")
    finding = Finding(
        "LB917",
        "node.locality.zone is not set",
        effect="no endpoint counts as near; locality.prefer has no effect for this client",
        do="lbcontrol bootstrap --region REGION --zone ZONE",
        severity=Severity.WARNING,
    )
    return Outcome(SUBJECT, finding=finding)
