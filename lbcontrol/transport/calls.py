"""What a call of grpc.aio says of itself, in the words of the ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias
from urllib.parse import unquote

import grpc
import grpc.aio

from lbcontrol.model.clients import Identity, Peer
from lbcontrol.runtime.ports import Metadata, Status, StatusCode
from lbcontrol.transport.tls.identity import NoIdentityError, name_of

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

STATUS_DETAILS = "grpc-status-details-bin"
PUSHBACK = "grpc-retry-pushback-ms"

CODES = {code.value[0]: code for code in grpc.StatusCode}
"""grpc's codes by number."""


def peer_of(context: Context) -> Peer:
    """Return who calls: ``context.peer()`` is ``ipv4:127.0.0.1:123``, ``ipv6:%5B::1%5D:1`` or ``unix:...``."""
    scheme, _, rest = context.peer().partition(":")
    identity = _identity_of(context.auth_context())
    if scheme in {"ipv4", "ipv6"}:
        return Peer(unquote(rest), identity)
    return Peer("unix:" if scheme.startswith("unix") else "", identity)


def _identity_of(proved: Mapping[str, Iterable[bytes]]) -> Identity:
    """Return whom the client's certificate names. Core tells all alternative names in one list: a URI has a scheme."""
    if b"ssl" not in proved.get("transport_security_type", ()) or not proved.get("x509_pem_cert"):
        return Identity()
    told = [each.decode(errors="replace") for each in proved.get("x509_subject_alternative_name", ())]
    names = [("URI" if "://" in each else "DNS", each) for each in told]
    try:
        return Identity(name_of(names), authenticated=True)
    except NoIdentityError:
        return Identity()


def metadata_of(pairs: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    """Return request metadata as a mapping; the last value of a name wins."""
    return dict(pairs or ())


def trailers(status: Status) -> tuple[tuple[str, bytes], ...]:
    """Return the trailing metadata of a status."""
    return ((STATUS_DETAILS, status.details),) if status.details else ()


def set_status(context: Context, status: Status) -> None:
    """Let the call end with ``status`` when its coroutine returns."""
    context.set_code(CODES[int(status.code)])
    context.set_details(status.message)
    context.set_trailing_metadata(trailers(status))


def too_large(size: int, most: int) -> Status:
    """Return how a call ends whose message has ``size`` bytes where ``most`` are allowed."""
    return Status(StatusCode.RESOURCE_EXHAUSTED, f"LB507: a message of {size} bytes; the limit is {most}")
