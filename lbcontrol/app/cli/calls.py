"""Calls of a running server's API, whose failures are findings."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api import METHODS
from lookaside.api.lbcontrol.v1 import assignment_pb2, common_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as native

from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import CommandError
from lbcontrol.app.cli.options import Remote
from lbcontrol.app.cli.proof import Proof, channel_to, login_of, proof_of
from lbcontrol.model.findings import Finding, Severity

ANSWER_SECONDS = 5.0
"""Longest wait for an answer unless ``--timeout`` says otherwise."""
WAIT_SECONDS = 60.0
"""Longest wait for something to become true unless ``--timeout`` says otherwise."""
STATE_DIR = "/var/lib/lbcontrol"
"""Where a server keeps its state unless ``LBCONTROL_STATE_DIR`` says otherwise (the same variable that it reads)."""
ADMIN = "127.0.0.1:18001"
"""Operators' listener of a server without a state directory."""

OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 * 1024 * 1024))
"""No proxy between an operator and the server; lists of 10,000 endpoints fit."""

EXITS = {
    grpc.StatusCode.INVALID_ARGUMENT: Exit.USAGE,
    grpc.StatusCode.NOT_FOUND: Exit.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: Exit.REFUSED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exit.REFUSED,
    grpc.StatusCode.DEADLINE_EXCEEDED: Exit.TIMED_OUT,
}
"""Exit code of each status; what is not listed is FAILED."""

_PATHS = {method.request: path for path, method in METHODS.items()}

Answer = TypeVar("Answer", bound=Message)


class Connection:
    """A connection to one listener of a server; opened by the first call, closed by ``with``."""

    def __init__(self, address: str, *, timeout: float = 0.0, proof: Proof | None = None, token_file: str = "") -> None:
        """Dial ``address``; ``timeout`` is in seconds, 0 means ``ANSWER_SECONDS``; without ``proof`` in plaintext.

        Raises:
            CommandError: a file cannot be read, or the token would go in plaintext (LB517).
        """
        self.address = address
        self._login = login_of(token_file, address, proof=proof)
        self._timeout = timeout or ANSWER_SECONDS
        self._channel = channel_to(address, proof, options=OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, request: Message, answer: type[Answer]) -> Answer:
        """Call the method that takes such a request.

        Raises:
            CommandError: it failed; the findings are the server's own where it sent any.
        """
        method = self._channel.unary_unary(
            _PATHS[type(request)],
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return method(request, timeout=self._timeout, metadata=self._login)
        except grpc.RpcError as error:
            raise self._failure(error) from error

    def watch(
        self, request: native.WatchAssignmentsRequest, *, seconds: float | None
    ) -> Iterator[native.WatchAssignmentsResponse]:
        """Follow what ``request`` subscribes to, for at most ``seconds`` (None: for ever).

        Whoever looks on calls nobody and has every list in force as it comes: it is acknowledged, so that nobody
        who waits for all clients waits for a spectator.

        Raises:
            CommandError: the stream broke, or the time is over (LB912).
        """
        method = self._channel.stream_stream(
            _PATHS[native.WatchAssignmentsRequest],
            request_serializer=native.WatchAssignmentsRequest.SerializeToString,
            response_deserializer=native.WatchAssignmentsResponse.FromString,
        )
        requests: queue.SimpleQueue[native.WatchAssignmentsRequest | None] = queue.SimpleQueue()
        requests.put(request)  # None would half-close the stream, and a half-closed watch ends.
        stream = method(iter(requests.get, None), timeout=seconds, metadata=self._login)
        try:
            for news in stream:
                if news.HasField("assignment"):
                    requests.put(_acknowledging(news.assignment))
                yield news
        except grpc.RpcError as error:
            raise self._failure(error) from error
        finally:
            requests.put(None)
            stream.cancel()

    def _failure(self, error: grpc.RpcError) -> CommandError:
        """Return the error for a call that failed."""
        code, message = error.code(), error.details() or ""
        exit_code = EXITS.get(code, Exit.FAILED)
        findings = _details(error)
        if findings:
            return CommandError(*findings, exit_code=exit_code)
        return CommandError(self._transport_finding(code, message), exit_code=exit_code)

    def _transport_finding(self, code: grpc.StatusCode, message: str) -> Finding:
        if code is grpc.StatusCode.UNAVAILABLE:
            return unreachable(self.address, message)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Finding("LB912", f"{self.address} did not answer in time", do="try again with a longer --timeout")
        if code is grpc.StatusCode.UNIMPLEMENTED:
            why = "the clients' listener has no operators' API, and the other way round"
            return Finding("LB913", f"{self.address} does not know this call", why=why, do=_FLAGS)
        return Finding("LB919", f"{self.address} answered {code.name}", why=message, do="see the log of the server")


_FLAGS = "give --server or --admin as `lbcontrol serve` printed them at its start"


def _acknowledging(assignment: assignment_pb2.Assignment) -> native.WatchAssignmentsRequest:
    verdict = native.AssignmentVerdict(
        service=assignment.service,
        mark=assignment.mark,
        version=assignment.version,
        verdict=native.VERDICT_ACCEPTED,
    )
    return native.WatchAssignmentsRequest(verdicts=[verdict])


def unreachable(address: str, message: str) -> Finding:
    """Return the finding for a server that cannot be reached."""
    return Finding(
        "LB910",
        f"no lbcontrol answers at {address}",
        why=message.removeprefix("failed to connect to all addresses; last error: "),
        effect="clients that have a list go on with it",
        do=f"start it: lbcontrol serve; or {_FLAGS}",
    )


def finding_of(detail: common_pb2.ErrorDetail) -> Finding:
    """Read a finding."""
    severity = Severity.WARNING if detail.severity == common_pb2.SEVERITY_WARNING else Severity.ERROR
    return Finding(
        detail.code, detail.what, at=detail.at, why=detail.why, effect=detail.effect, do=detail.do, severity=severity
    )


def _details(error: grpc.RpcError) -> list[Finding]:
    """Return the findings in the details of a status."""
    metadata = error.trailing_metadata() or ()
    raw = next((each.value for each in metadata if each.key == "grpc-status-details-bin"), b"")
    findings = []
    try:
        for each in RpcStatus.FromString(raw).details:
            detail = common_pb2.ErrorDetail()
            if each.Unpack(detail):
                findings.append(finding_of(detail))
    except DecodeError:
        return []
    return findings


def server_of(options: Remote) -> Connection:
    """Connect to the clients' listener."""
    proof = proof_of(options)
    return Connection(options.server, timeout=options.timeout, proof=proof, token_file=options.token_file)


def admin_of(options: Remote) -> Connection:
    """Connect to the operators' listener."""
    proof = None if options.admin_plaintext else proof_of(options)
    address = options.admin or default_admin()
    return Connection(address, timeout=options.timeout, proof=proof, token_file=options.token_file)


def default_admin() -> str:
    """Return the operators' listener of a server on this machine."""
    socket = Path(os.environ.get("LBCONTROL_STATE_DIR", STATE_DIR)) / "admin.sock"
    try:
        return f"unix:{socket}" if socket.is_socket() else ADMIN
    except PermissionError:
        return f"unix:{socket}"


def services_of(server: Connection) -> Iterator[native.ServiceSummary]:
    """Return every service, page by page."""
    token = ""
    while True:
        page = server.call(native.ListServicesRequest(page_token=token), native.ListServicesResponse)
        yield from page.services
        token = page.next_page_token
        if not token:
            return


def assignment_of(server: Connection, service: str) -> assignment_pb2.Assignment:
    """Return what everyone dials for a service."""
    return server.call(native.GetAssignmentRequest(service=service), native.GetAssignmentResponse).assignment
