"""grpc.health.v1: "" says whether the control plane is ready, a service whether anything serves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grpc_health.v1 import health_pb2 as pb

from lbcontrol.frontends.native_check import checked_name, unknown_error
from lbcontrol.frontends.native_ports import Directory, NativeLimits
from lbcontrol.frontends.status import OK, parsed, status_of, unary
from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import Identity, Peer, Role
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Authorizer, Metadata, Method, Outlet, StreamHandler

PREFIX = "/grpc.health.v1.Health/"
"""Prefix of the paths served here."""

SERVING: int = pb.HealthCheckResponse.SERVING
NOT_SERVING: int = pb.HealthCheckResponse.NOT_SERVING
UNKNOWN: int = pb.HealthCheckResponse.UNKNOWN
SERVICE_UNKNOWN: int = pb.HealthCheckResponse.SERVICE_UNKNOWN


def _serves(decision: Decision) -> bool:
    assignments = decision.assignments.values()
    return any(endpoint.health.takes_new_work for each in assignments for endpoint in each.endpoints)


class Statuses:
    """What is true of a name now."""

    def __init__(self, directory: Directory, authorizer: Authorizer) -> None:
        """Read from ``directory``."""
        self.directory = directory
        self._authorizer = authorizer

    def status(self, name: str, identity: Identity) -> int:
        """Return the serving status; a service the caller may not read looks like one that does not exist."""
        if not name:
            return SERVING if self.directory.ready else NOT_SERVING
        decision = self.directory.decision(name)
        if decision is not None and self._authorizer.allows(identity, Role.READ, decision.service):
            return SERVING if _serves(decision) else NOT_SERVING
        gone = self.directory.ready if decision is not None else self.directory.is_unknown(name)
        return SERVICE_UNKNOWN if gone else UNKNOWN


class HealthFrontEnd:
    """The health protocol."""

    name = "health"

    def __init__(self, directory: Directory, authorizer: Authorizer, limits: NativeLimits | None = None) -> None:
        """Answer from ``directory``."""
        self._statuses = Statuses(directory, authorizer)
        self._limits = limits or NativeLimits()

    def methods(self) -> Sequence[Method]:
        """Return Check, List and Watch."""
        most = self._limits.message_bytes
        return [
            Method(PREFIX + "Check", unary=unary(pb.HealthCheckRequest, self._check), max_message_bytes=most),
            Method(PREFIX + "List", unary=unary(pb.HealthListRequest, self._list), max_message_bytes=most),
            Method(PREFIX + "Watch", stream=self._watch, max_message_bytes=most),
        ]

    def _watch(self) -> StreamHandler:
        return HealthStream(self._statuses, self._limits)

    async def _check(self, request: pb.HealthCheckRequest, peer: Peer) -> pb.HealthCheckResponse:
        if request.service:
            checked_name(request.service, self._limits)
        status = self._statuses.status(request.service, peer.identity)
        if status == SERVICE_UNKNOWN:
            raise unknown_error(request.service)
        return pb.HealthCheckResponse(status=status)

    async def _list(self, request: pb.HealthListRequest, peer: Peer) -> pb.HealthListResponse:
        del request
        names = ["", *(decision.service for decision in self._statuses.directory.decisions())]
        statuses = {name: self._statuses.status(name, peer.identity) for name in names}
        shown = {name: pb.HealthCheckResponse(status=s) for name, s in statuses.items() if s != SERVICE_UNKNOWN}
        return pb.HealthListResponse(statuses=shown)


class HealthStream:
    """The server's side of one Watch call: the newest status, when it differs from the last one sent."""

    def __init__(self, statuses: Statuses, limits: NativeLimits) -> None:
        """Wait for ``opened``."""
        self._statuses = statuses
        self._limits = limits
        self._identity = Identity()
        self._outlet: Outlet | None = None
        self._name = ""
        self._stop: Callable[[], None] | None = None
        self._sent: int | None = None

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        del metadata
        self._identity, self._outlet = peer.identity, outlet

    def received(self, message: bytes) -> None:
        """Take the one request of the call."""
        if self._stop is not None:
            return  # The method takes one request; a transport refuses more.
        try:
            self._name = parsed(pb.HealthCheckRequest, message).service
            if self._name:
                checked_name(self._name, self._limits)
        except LbControlError as error:
            if self._outlet is not None:
                self._outlet.end(status_of(error))
            return
        self._stop = self._statuses.directory.watch(self._name, self._flush)
        self._flush()

    def half_closed(self) -> None:
        """Go on watching; a watch without a question ends."""
        if self._stop is None and self._outlet is not None:
            self._outlet.end(OK)

    def writable(self) -> None:
        """Send what changed meanwhile."""
        self._flush()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        if self._stop is not None:
            self._stop()
        self._outlet = None

    def _flush(self) -> None:
        if self._outlet is None or self._stop is None:
            return
        status = self._statuses.status(self._name, self._identity)
        before = self._sent
        if status != before:
            self._sent = status
            if not self._outlet.offer(Payload(pb.HealthCheckResponse(status=status).SerializeToString())):
                self._sent = before
