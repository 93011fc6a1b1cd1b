"""In-memory stand-ins for what the native front end is built on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.admin_ports import ClientView
from lbcontrol.frontends.native import NativeFrontEnd, NativeParts
from lbcontrol.frontends.native_ports import LoadTestimony, NativeLimits, Registration
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment, Decision, Mark
from lbcontrol.model.clients import Identity, Peer, Role
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Status, StreamHandler
from lbcontrol.runtime.worker import Background

PEER = Peer("192.0.2.7:40000")


def endpoint(address: str, weight: int = 1, health: Health = Health.SERVING) -> AssignedEndpoint:
    """Return an assigned endpoint."""
    return AssignedEndpoint(Address.parse(address), weight, Locality("r", "z"), 0, health)


def decision(service: str, revision: int, *endpoints: AssignedEndpoint, aliases: tuple[str, ...] = ()) -> Decision:
    """Return a decision with one assignment for everyone."""
    assignments = {EVERYONE: Assignment(service, EVERYONE, endpoints)}
    return Decision(service, Mark(1, revision), assignments, aliases=aliases)


class MemoryDirectory:
    """Decisions that a test puts in."""

    def __init__(self) -> None:
        self.ready = True
        self._decisions: dict[str, Decision] = {}
        self.watchers: dict[str, list[Callable[[], None]]] = {}
        self.changed: dict[str, float] = {}

    def put(self, *decisions: Decision) -> None:
        """Publish decisions, in order."""
        for each in decisions:
            self._decisions[each.service] = each
            self.tell(each.service, *each.aliases, "")

    def remove(self, service: str) -> None:
        """Drop a service."""
        del self._decisions[service]
        self.tell(service)

    def tell(self, *names: str) -> None:
        """Call the watchers of these names."""
        for watcher in [watcher for name in names for watcher in self.watchers.get(name, [])]:
            watcher()

    def decision(self, name: str) -> Decision | None:
        """Return the decision of a service or alias."""
        return next((d for d in self._decisions.values() if name in (d.service, *d.aliases)), None)

    def is_unknown(self, name: str) -> bool:
        """Return whether nothing defines the name."""
        return self.ready and self.decision(name) is None

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return list(self._decisions.values())

    def changed_at(self, service: str) -> float | None:
        """Return the time that a test put in."""
        return self.changed.get(service)

    def watch(self, name: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Remember a watcher."""
        self.watchers.setdefault(name, []).append(changed)
        return lambda: self.watchers[name].remove(changed)


class Permits:
    """Allows everything but the (role, service) pairs it is told to deny."""

    description = "test"

    def __init__(self, *denied: tuple[Role, str]) -> None:
        self.denied = denied

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """Return whether the pair is not denied."""
        return (role, service) not in self.denied


class MemoryRegistrar:
    """Registrations in a dict."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, Address], Registration] = {}

    def find(self, service: str, address: Address) -> Registration | None:
        """Return one registration."""
        return self.held.get((service, address))

    def held_by(self, host: str) -> int:
        """Count those of a host."""
        return sum(each.owner.host == host for each in self.held.values())

    def register(self, registration: Registration) -> None:
        """Keep one."""
        self.held[registration.service, registration.endpoint.address] = registration

    def withdraw(self, service: str, address: Address) -> None:
        """Drop one."""
        del self.held[service, address]


class MemoryLoads:
    """Keeps every testimony."""

    def __init__(self) -> None:
        self.stored: list[LoadTestimony] = []
        self.refusals: list[tuple[str, int]] = []

    def store(self, testimony: LoadTestimony) -> None:
        """Keep one."""
        self.stored.append(testimony)

    def refused(self, reason: str, count: int) -> None:
        """Keep the count."""
        self.refusals.append((reason, count))


class MemoryOutlet:
    """Takes one payload at a time; a test calls ``drain`` to make room again."""

    def __init__(self) -> None:
        self.handler: StreamHandler | None = None
        self.sent: list[Payload] = []
        self.status: Status | None = None
        self.full = False
        self.paused = False

    def offer(self, payload: Payload) -> bool:
        """Take a payload unless one is under way."""
        if self.full or self.status is not None:
            return False
        self.sent.append(payload)
        return True

    def end(self, status: Status) -> None:
        """Remember how the stream ended."""
        self.status = status

    def pause_reading(self) -> None:
        """Remember."""
        self.paused = True

    def resume_reading(self) -> None:
        """Remember."""
        self.paused = False

    def news(self) -> list[pb.WatchAssignmentsResponse]:
        """Return and forget what was sent, read as watch responses."""
        read = [pb.WatchAssignmentsResponse.FromString(payload.message) for payload in self.sent]
        self.sent.clear()
        return read


class World:
    """A native front end with everything it is built on."""

    def __init__(
        self,
        *,
        denied: tuple[tuple[Role, str], ...] = (),
        allow: tuple[str, ...] = (),
        worker: Background | None = None,
    ) -> None:
        self.directory = MemoryDirectory()
        self.registrar = MemoryRegistrar()
        self.loads = MemoryLoads()
        self.clock = FakeClock()
        self.permits = Permits(*denied)
        self.metrics = Metrics()
        self.others: list[ClientView] = []
        parts = NativeParts(self.directory, self.permits, self.loads, self.registrar, self.clock, NativeLimits(), allow)
        parts = dataclasses.replace(parts, metrics=self.metrics, others=lambda: self.others, worker=worker)
        self.front = NativeFrontEnd(parts)

    def open(self, word: str) -> tuple[StreamHandler, MemoryOutlet]:
        """Open a stream of the method ``word``."""
        method = next(m for m in self.front.methods() if m.path.endswith("/" + word))
        assert method.stream is not None
        handler, outlet = method.stream(), MemoryOutlet()
        handler.opened(PEER, {}, outlet)
        return handler, outlet

    async def call(self, word: str, request: bytes, peer: Peer = PEER) -> bytes:
        """Call the unary method ``word``."""
        method = next(m for m in self.front.methods() if m.path.endswith("/" + word))
        assert method.unary is not None
        return await method.unary(request, peer, {})
