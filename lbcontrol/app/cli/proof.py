"""``--tls-*``: how a client of ours proves who it is to a listener with TLS, and whom it believes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.options import Proved
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.authorization import is_local

UNIX = "unix:"
"""How the address of a Unix socket begins; it is always plaintext."""


@dataclass(frozen=True, slots=True)
class Proof:
    """TLS of a client; paths are empty where nothing was said."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""


def proof_of(options: Proved) -> Proof | None:
    """Return what the flags say; None for plaintext.

    Raises:
        CommandError: only one of certificate and key (LB517).
    """
    if not (options.tls_ca or options.tls_cert or options.tls_key):
        return None
    if bool(options.tls_cert) != bool(options.tls_key):
        one, other = ("--tls-cert", "--tls-key") if options.tls_cert else ("--tls-key", "--tls-cert")
        raise CommandError(Finding("LB517", f"{one} without {other}", do="give both"), exit_code=Exit.USAGE)
    return Proof(options.tls_ca, options.tls_cert, options.tls_key, options.tls_server_name)


def absolute(path: str) -> str:
    """Return a path that means the same wherever a client is started."""
    return str(Path(path).absolute())


def channel_to(address: str, proof: Proof | None, *, options: Sequence[tuple[str, int]]) -> grpc.Channel:
    """Return a channel to a listener.

    Raises:
        CommandError: a file of ``proof`` cannot be read (LB517).
    """
    if proof is None or address.startswith(UNIX):
        return grpc.insecure_channel(address, options=options)
    credentials = grpc.ssl_channel_credentials(_read(proof.ca), _read(proof.key), _read(proof.cert))
    named = (("grpc.ssl_target_name_override", proof.server_name),) if proof.server_name else ()
    return grpc.secure_channel(address, credentials, options=(*options, *named))


def login_of(token_file: str, address: str, *, proof: Proof | None) -> tuple[tuple[str, str], ...]:
    """Return the metadata that logs in with the token in a file; none without one.

    Raises:
        CommandError: it cannot be read, or everybody on the way could read it (LB517).
    """
    if not token_file:
        return ()
    if proof is None and not is_local(address):
        what = f"a token would go to {address} in plaintext"
        do = "give --tls-ca, or forward the port to this machine"
        raise CommandError(Finding("LB517", what, do=do), exit_code=Exit.USAGE)
    token = (_read(token_file) or b"").decode("ascii", "replace").strip()
    return (("authorization", f"Bearer {token}"),)


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes() if path else None
    except OSError as error:
        finding = Finding("LB517", f"cannot read {path}", why=error.strerror or "", do="correct the path")
        raise CommandError(finding) from error
