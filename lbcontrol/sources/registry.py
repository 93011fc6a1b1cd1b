"""The self-registration source: backends announce themselves under a lease, and leave when it runs out.

Nobody is asked and nothing is watched, so the source is in sync from its first moment. Leases end by our own monotonic
clock. When that clock finds itself late (the process was stopped, or the loop stood still), renewals that came in time
may still wait in a socket: then all leases are given the lost time back, because a pause of ours is not their death.
For the same reason a restart of ours ends no lease when there is a state directory: each begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import Field

from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import LimitExceededError
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Sink, Timer
from lbcontrol.runtime.registrations import Registration, ServiceRegistrations
from lbcontrol.sources.spec import Options, SourceSpec

GATHER = 0.01
"""Seconds for which changes are gathered into one update."""
LATE = 1.0
"""Seconds by which a timer may be late without our doubting our own clock."""
SPARE = 1_000
"""Entries of ended leases that may wait in the queue besides one for each lease in force."""
ORIGIN = "self-registration"
"""Origin of every service here."""

Key = tuple[str, Address]
"""Service and address."""


class RegistryOptions(Options):
    """Options of ``type: registry``."""

    services: int = Field(default=10_000, ge=1)
    """Most services."""
    endpoints_per_service: int = Field(default=20_000, ge=1)
    """Most registrations of one service."""
    registrations_per_identity: int = Field(default=2_000, ge=1)
    """Most registrations of one authenticated identity; for others the limit per peer address counts."""


@dataclass(slots=True)
class _Lease:
    registration: Registration
    ends_at: float
    """Monotonic seconds."""
    due: float
    """When the queue looks at it next; never after ``ends_at``."""


class Registry:
    """Holds registrations; everything runs on the loop's thread."""

    def __init__(self, name: str, options: RegistryOptions, *, scheduler: Scheduler) -> None:
        """Begin without registrations."""
        self._name = name
        self._options = options
        self._scheduler = scheduler
        self._leases: dict[str, dict[Address, _Lease]] = {}
        self._queue: list[tuple[float, Key]] = []
        self._queue_limit = SPARE
        self._by_host: Counter[str] = Counter()
        self._by_identity: Counter[str] = Counter()
        self._changed: dict[str, None] = {}
        self._unsaved: dict[str, None] = {}
        self._note: Callable[[ServiceRegistrations], None] | None = None
        self._revision = 0
        self._sink: Sink | None = None
        self._expiry: tuple[float, Timer] | None = None
        self._gathering: Timer | None = None

    async def run(self, sink: Sink) -> None:
        """Hand over what is registered, and every change of it, until cancelled."""
        sink.update([self._snapshot(service) for service in self._leases])
        sink.synced()
        self._sink = sink
        self._changed.clear()
        try:
            await asyncio.Event().wait()
        finally:
            self._sink = None

    def restore(self, registrations: Iterable[Registration]) -> None:
        """Begin the leases of before a restart anew. Call before ``run``."""
        for registration in registrations:
            with contextlib.suppress(LimitExceededError):  # A limit was lowered: those that came first stay.
                self.register(registration)

    def keep(self, note: Callable[[ServiceRegistrations], None]) -> None:
        """Call ``note`` with all registrations of a service whenever they changed."""
        self._note = note

    def find(self, service: str, address: Address) -> Registration | None:
        """Return a registration in force."""
        lease = self._leases.get(service, {}).get(address)
        return lease.registration if lease else None

    def held_by(self, host: str) -> int:
        """Return how many registrations the peer address ``host`` holds."""
        return self._by_host[host]

    def register(self, registration: Registration) -> None:
        """Begin or renew a lease; the newer content replaces.

        Raises:
            LimitExceededError: a limit is reached (LB210); nothing changed.
        """
        service, address = registration.service, registration.endpoint.address
        before = self._leases.get(service, {}).get(address)
        self._check(registration, before)
        ends_at = self._scheduler.now() + registration.ttl
        due = ends_at if before is None else min(before.due, ends_at)
        self._count(registration, 1)
        if before is not None:
            self._count(before.registration, -1)
        self._leases.setdefault(service, {})[address] = _Lease(registration, ends_at, due)
        if before is None or due < before.due:
            self._enqueue(due, (service, address))
            self._arm()
        if before is None or before.registration.endpoint != registration.endpoint:
            self._touch(service)

    def withdraw(self, service: str, address: Address) -> None:
        """End a registration at once; harmless when there is none."""
        lease = self._leases.get(service, {}).pop(address, None)
        if lease is None:
            return
        self._count(lease.registration, -1)
        if not self._leases[service]:
            del self._leases[service]
        self._touch(service)

    def _check(self, registration: Registration, before: _Lease | None) -> None:
        service, identity = registration.service, registration.owner.identity
        held, limits = self._leases.get(service), self._options
        if held is None:
            _check_limit(len(self._leases), limits.services, what="services", key="services")
        if before is None:
            what = f'endpoints of "{service}"'
            _check_limit(len(held or ()), limits.endpoints_per_service, what=what, key="endpointsPerService")
        if identity.authenticated and (before is None or before.registration.owner.identity != identity):
            what, most = f'registrations of "{identity.name}"', limits.registrations_per_identity
            _check_limit(self._by_identity[identity.name], most, what=what, key="registrationsPerIdentity")

    def _count(self, registration: Registration, step: int) -> None:
        owner = registration.owner
        counts = [(self._by_host, owner.host)]
        if owner.identity.authenticated:
            counts.append((self._by_identity, owner.identity.name))
        for counter, key in counts:
            counter[key] += step
            if not counter[key]:
                del counter[key]

    def _touch(self, service: str) -> None:
        self._changed[service] = self._unsaved[service] = None
        if self._gathering is None:
            self._gathering = self._scheduler.call_later(GATHER, self._tell)

    def _tell(self) -> None:
        self._gathering = None
        self._save()
        changed, self._changed = self._changed, {}
        if self._sink is not None:
            here = [self._snapshot(service) for service in changed if service in self._leases]
            self._sink.update(here, [service for service in changed if service not in self._leases])

    def _save(self) -> None:
        unsaved, self._unsaved = self._unsaved, {}
        if self._note is None:
            return
        for service in unsaved:
            held = tuple(lease.registration for lease in self._leases.get(service, {}).values())
            self._note(ServiceRegistrations(service, held))

    def _snapshot(self, service: str) -> ServiceSnapshot:
        self._revision += 1
        endpoints = tuple(lease.registration.endpoint for lease in self._leases[service].values())
        return ServiceSnapshot(service, self._name, mark=str(self._revision), endpoints=endpoints, origin=ORIGIN)

    def _enqueue(self, due: float, key: Key) -> None:
        heapq.heappush(self._queue, (due, key))
        if len(self._queue) > self._queue_limit:  # Entries of leases that ended early pile up.
            self._queue = [
                (lease.due, (service, address))
                for service, leases in self._leases.items()
                for address, lease in leases.items()
            ]
            heapq.heapify(self._queue)
            self._queue_limit = 2 * len(self._queue) + SPARE

    def _arm(self) -> None:
        """Keep one timer, for whatever is due first."""
        due = self._queue[0][0] if self._queue else None
        if self._expiry is not None and self._expiry[0] != due:
            self._expiry[1].cancel()
            self._expiry = None
        if due is not None and self._expiry is None:
            delay = max(0.0, due - self._scheduler.now())
            self._expiry = (due, self._scheduler.call_later(delay, self._expire))

    def _expire(self) -> None:
        self._expiry = None
        now = self._scheduler.now()
        if now - self._queue[0][0] > LATE:
            self._give_back(now - self._queue[0][0] + LATE)  # Time to read what waits in the sockets.
        while self._queue and self._queue[0][0] <= now:
            due, (service, address) = heapq.heappop(self._queue)
            lease = self._leases.get(service, {}).get(address)
            if lease is None or lease.due != due:
                continue  # It ended, or was queued anew.
            if lease.ends_at <= now:
                self.withdraw(service, address)
            else:
                lease.due = lease.ends_at
                heapq.heappush(self._queue, (lease.due, (service, address)))
        self._arm()

    def _give_back(self, lost: float) -> None:
        self._queue = [(due + lost, key) for due, key in self._queue]
        for leases in self._leases.values():
            for lease in leases.values():
                lease.ends_at += lost
                lease.due += lost


def _check_limit(count: int, most: int, *, what: str, key: str) -> None:
    if count >= most:
        why = f"the limit is {most} ({key} of the source of type registry)"
        raise LimitExceededError(Finding("LB210", f"{count} {what} are registered already", why=why))


def build(name: str, options: RegistryOptions, *, scheduler: Scheduler, metrics: Metrics) -> Registry:
    """Return a self-registration source."""
    del metrics  # It has no metrics of its own: the front end counts calls, the hub counts endpoints.
    return Registry(name, options, scheduler=scheduler)


SPEC = SourceSpec(RegistryOptions, build)
"""``type: registry``."""
