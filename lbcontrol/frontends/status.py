"""How calls end: the one place where our errors become gRPC status codes.

Every error keeps its finding as an ``ErrorDetail`` in the details of its google.rpc.Status.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api.lbcontrol.v1 import common_pb2

from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.errors import (
    AccessError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    LbControlError,
    LimitExceededError,
    NotFoundError,
    SourceUnavailableError,
    StateStoreError,
)
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.runtime.ports import Authorizer, Metadata, Status, StatusCode, StatusError, UnaryHandler

OK = Status(StatusCode.OK)
"""The call is done."""

NOT_FOUND_NUMBER = int(StatusCode.NOT_FOUND)
"""For protocols that carry a code inside a message."""
INVALID_ARGUMENT_NUMBER = int(StatusCode.INVALID_ARGUMENT)
"""For protocols that carry a code inside a message."""

CODES: tuple[tuple[type[LbControlError], StatusCode], ...] = (
    (InvalidRequestError, StatusCode.INVALID_ARGUMENT),
    (NotFoundError, StatusCode.NOT_FOUND),
    (ConflictError, StatusCode.FAILED_PRECONDITION),
    (LimitExceededError, StatusCode.RESOURCE_EXHAUSTED),
    (AuthenticationError, StatusCode.UNAUTHENTICATED),
    (AccessError, StatusCode.PERMISSION_DENIED),
    (SourceUnavailableError, StatusCode.UNAVAILABLE),
    (StateStoreError, StatusCode.UNAVAILABLE),
)
"""Status code of each kind of error; what is not listed is INTERNAL."""

_SEVERITIES = {
    Severity.ERROR: common_pb2.SEVERITY_ERROR,
    Severity.WARNING: common_pb2.SEVERITY_WARNING,
}

Request = TypeVar("Request", bound=Message)


def error_detail(finding: Finding) -> common_pb2.ErrorDetail:
    """Return a finding as a message."""
    return common_pb2.ErrorDetail(
        code=finding.code,
        what=finding.what,
        at=finding.at,
        why=finding.why,
        effect=finding.effect,
        do=finding.do,
        severity=_SEVERITIES[finding.severity],
    )


def status_of(error: LbControlError) -> Status:
    """Return how a call ends that failed with ``error``: code, a line for people, every finding as a detail."""
    code = next((code for kind, code in CODES if isinstance(error, kind)), StatusCode.INTERNAL)
    message = f"{error.finding.code}: {error.finding.what}"
    status = RpcStatus(code=int(code), message=message)
    for finding in error.findings:
        status.details.add().Pack(error_detail(finding))
    return Status(code, message, status.SerializeToString())


def parsed(kind: type[Request], raw: bytes) -> Request:
    """Read one request.

    Raises:
        InvalidRequestError: the bytes are not a message of this kind (LB320).
    """
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        finding = Finding("LB320", f"the request is not a {kind.DESCRIPTOR.full_name}", why="its bytes do not decode")
        raise InvalidRequestError(finding) from error


def _nobody(error: LbControlError) -> None:
    del error


def repeated(number: int, body: bytes) -> bytes:
    """Return one serialized message as the repeated field ``number`` (1-15) of the message that holds them all.

    Serialized by one call, a list of 10,000 keeps every other thread waiting, the event loop's too.
    """
    size, head = len(body), bytearray((number << 3 | 2,))
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def unary(
    kind: type[Request],
    answer: Callable[[Request, Peer], Awaitable[Message | bytes]],
    *,
    refused: Callable[[LbControlError], None] = _nobody,
) -> UnaryHandler:
    """Make a unary method out of ``answer``, which may raise any error of ours; long answers come as bytes.

    ``refused`` is told of each error.
    """

    async def handler(raw: bytes, peer: Peer, metadata: Metadata) -> bytes:
        del metadata
        try:
            answered = await answer(parsed(kind, raw), peer)
            return answered if isinstance(answered, bytes) else answered.SerializeToString()
        except LbControlError as error:
            refused(error)
            raise StatusError(status_of(error)) from error

    return handler


def require(authorizer: Authorizer, peer: Peer, role: Role, service: str) -> None:
    """Refuse a peer that may not act as ``role`` on ``service``.

    Raises:
        AccessError: it may not (LB502).
    """
    if not authorizer.allows(peer.identity, role, service):
        what = (
            f'"{peer.identity.name}" may not {role} "{service}"'
            if service
            else f'"{peer.identity.name}" may not {role}'
        )
        raise AccessError(Finding("LB502", what, do=f"ask for the role {role}"))
