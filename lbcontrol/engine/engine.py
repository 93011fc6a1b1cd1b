"""The engine: events in, decisions out. It owns the state of all services and does nothing else.

Start-up: a list made of half the sources would take endpoints away, so nothing is decided until every source has synced
once or the grace is over (``GraceEnded``). What was served before (``Restored``) is served at once, marked stale.
A source that is added later holds nothing up; only what does not exist is unknown again until it has synced.

Writes (``apply``, ``expire``) may run in another thread than reads, one write at a time: everything a read method
returns is an immutable value, and what it reads is replaced as a whole, never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lbcontrol.engine import events, last_good
from lbcontrol.engine.case import Case, Picture
from lbcontrol.engine.events import Event
from lbcontrol.engine.ledger import Ledger
from lbcontrol.engine.names import NameBook
from lbcontrol.engine.overrides import Key, OverrideBook
from lbcontrol.engine.sources import SourceBook
from lbcontrol.engine.state import SourceState
from lbcontrol.model.assignment import Decision
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.policies.merge import LAST_GOOD


class Engine:
    """All services of one owner."""

    def __init__(self, *, epoch: int) -> None:
        """Begin without sources.

        Args:
            epoch: Of this start of this owner; higher than that of any decision stored before.
        """
        self._count = 0
        self._started = False
        self._sources = SourceBook()
        self._overrides = OverrideBook()
        self._names = NameBook()
        self._last_good: dict[str, ServiceSnapshot] = {}
        self._ledger = Ledger(epoch)
        self._steps: Mapping[type, Callable[[Any, float], set[str]]] = {
            events.SourceAdded: self._source_added,
            events.SourceUpdated: self._source_updated,
            events.SourceSynced: self._source_synced,
            events.SourceStale: self._source_stale,
            events.SourceAlive: self._source_alive,
            events.OverrideSet: self._override_set,
            events.OverrideCleared: self._override_cleared,
            events.Restored: self._restored,
            events.GraceEnded: self._grace_ended,
        }

    def apply(self, event: Event, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Take in one event and return the decisions that it changed, by name of the service.

        Args:
            event: What happened.
            now: Monotonic seconds.
            wall: Unix seconds.
        """
        self._count += 1
        touched = self._steps[type(event)](event, wall)
        restored = event.decision.service if isinstance(event, events.Restored) else ""
        early = isinstance(event, events.Restored | events.OverrideSet | events.OverrideCleared)
        return self._settle(touched, restored=restored, early=early, now=now)

    def expire(self, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Take back the overrides whose time is over and return the decisions that this changed."""
        over = self._overrides.expired(wall)
        if not over:
            return ()
        self._count += 1
        touched: set[str] = set()
        for override in over:
            touched |= self._drop(override.key)
        return self._settle(touched, restored="", early=True, now=now)

    def next_expiry(self) -> float | None:
        """Return when ``expire`` has something to do, in Unix seconds; None for never."""
        return self._overrides.next_expiry()

    @property
    def settled(self) -> bool:
        """True when there are sources and each has synced completely: what none of them defines does not exist."""
        return self._sources.complete

    @property
    def started(self) -> bool:
        """True once decisions are made: all sources have synced once, or the grace is over."""
        return self._started

    def is_unknown(self, name: str) -> bool:
        """Return whether it is certain that no service or alias has this name."""
        return self.settled and name not in self._names

    def sources(self) -> tuple[SourceState, ...]:
        """Return how each source is, in the order they were added."""
        return self._sources.states()

    def overrides(self) -> tuple[Override, ...]:
        """Return every override in force, also those that wait for their endpoint."""
        return self._overrides.all()

    def case(self, service: str) -> Case | None:
        """Return what the last decision of a service was made of; None when there is none. Takes no aliases."""
        return self._ledger.case(service)

    def services(self) -> tuple[str, ...]:
        """Return the names of all services that have a decision, sorted."""
        return self._ledger.services()

    def frozen(self) -> Mapping[str, Finding]:
        """Return the services whose data cannot be worked with, and why; they stay as they were."""
        return self._ledger.frozen()

    # What each event changes; each returns the services whose picture may differ now.

    def _source_added(self, event: events.SourceAdded, _wall: float) -> set[str]:
        self._sources.add(event.source)
        return set()

    def _source_updated(self, event: events.SourceUpdated, wall: float) -> set[str]:
        touched = self._sources.replace(event.source, event.changed, removed=event.removed)
        self._sources.seen(event.source, wall=wall)
        return self._renamed(touched)

    def _source_synced(self, event: events.SourceSynced, wall: float) -> set[str]:
        self._sources.sync(event.source, complete=event.complete)
        self._sources.seen(event.source, wall=wall)
        return set(self._last_good)

    def _source_stale(self, event: events.SourceStale, wall: float) -> set[str]:
        return self._sources.mark(event.source, event.finding, wall=wall)

    def _source_alive(self, event: events.SourceAlive, wall: float) -> set[str]:
        self._sources.seen(event.source, wall=wall)
        return self._sources.mark(event.source, None, wall=wall)

    def _override_set(self, event: events.OverrideSet, wall: float) -> set[str]:
        override = event.override
        self._overrides.put(override)
        if override.expires_at is not None and override.expires_at <= wall:
            return self._drop(override.key)
        return {override.service}

    def _override_cleared(self, event: events.OverrideCleared, _wall: float) -> set[str]:
        return self._drop((event.service, event.address, event.kind))

    def _restored(self, event: events.Restored, _wall: float) -> set[str]:
        decision = event.decision
        service = decision.service
        if decision.removed or self._sources.complete:
            self._ledger.begin_above(decision.mark)
            return set()
        self._ledger.begin_above(decision.mark, service)
        self._last_good[service] = last_good.snapshot_of(decision)
        return self._renamed({service})

    def _grace_ended(self, _event: events.GraceEnded, _wall: float) -> set[str]:
        return self._start()

    # From what changed to decisions.

    def _start(self) -> set[str]:
        self._started = True
        return self._sources.services() | self._last_good.keys()

    def _drop(self, key: Key) -> set[str]:
        service, address, kind = key
        if self._overrides.drop(key) is None:
            return set()
        if kind is OverrideKind.DRAIN and service in self._last_good:
            self._last_good[service] = last_good.undrained(self._last_good[service], address)
        return {service}

    def _renamed(self, services: Iterable[str]) -> set[str]:
        """Bring the names of these services up to date; return them and those whom that concerns."""
        return self._names.place({service: self._aliases(service) for service in services})

    def _aliases(self, service: str) -> dict[str, int] | None:
        defining = [(rank, each) for rank, each in self._snapshots(service) if each.defines]
        if not defining:
            return None
        return {alias: rank for rank, each in reversed(defining) for alias in each.aliases}

    def _snapshots(self, service: str) -> list[tuple[int, ServiceSnapshot]]:
        last = self._last_good.get(service)
        found = self._sources.of(service)
        return found if last is None else [*found, (last_good.RANK, last)]

    def _settle(self, touched: set[str], *, restored: str, early: bool, now: float) -> tuple[Decision, ...]:
        """Decide what may have changed.

        Args:
            touched: Names of services.
            restored: The one that the event restored; empty for none.
            early: Before the start too, where last-good is served: what operators say does not wait.
            now: Monotonic seconds.
        """
        if self._sources.synced:
            touched = touched if self._started else touched | self._start()
            touched = touched | self._yield_last_good(touched)
        if not self._started:
            touched = touched & self._last_good.keys() if early else set()
        publish = restored if restored in self._last_good else ""
        made = [self._decide(service, restored=service == publish, now=now) for service in sorted(touched)]
        return tuple(decision for decision in made if decision is not None)

    def _yield_last_good(self, touched: set[str]) -> set[str]:
        """Drop last-good where it is no longer needed; return the services whose picture that changed."""
        complete, of = self._sources.complete, self._sources.of
        over = {
            service
            for service in touched & self._last_good.keys()
            if complete or any(each.defines for _, each in of(service))
        }
        for service in over:
            del self._last_good[service]
        return self._renamed(over)

    def _picture(self, service: str) -> Picture | None:
        snapshots = [snapshot for _, snapshot in self._snapshots(service)]
        if not any(each.defines for each in snapshots):
            return None
        aliases, findings = self._names.aliases(service)
        real = [each for each in snapshots if each is not self._last_good.get(service)]
        stale = self._sources.stale(real) + ((LAST_GOOD,) if len(real) < len(snapshots) else ())
        return Picture(service, tuple(snapshots), self._overrides.of(service), aliases, stale, findings)

    def _decide(self, service: str, *, restored: bool, now: float) -> Decision | None:
        picture = self._picture(service)
        if picture is None:
            return self._ledger.remove(service)
        return self._ledger.decide(picture, event=f"e{self._count}", restored=restored, now=now)
