"""The directory: newest decisions by name, for front ends that speak of services and not of resources.

Answers are always the newest; watchers are called at the pace at which the publisher flushes, so that clients of all
protocols hear of a change at the same time and a burst reaches them as few messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from lbcontrol.model.assignment import Decision
from lbcontrol.runtime.catalog import Catalog
from lbcontrol.runtime.compiler import Knowledge
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.pacing import Pace
from lbcontrol.runtime.ports import Scheduler, Timer
from lbcontrol.runtime.supervision import Supervisor

READINESS = ""
"""Watched name that stands for ``ready``."""
RESTORED = "restored"
"""Cause of decisions that come from the state store."""


class Sources(Knowledge, Protocol):
    """What the directory asks the hub."""

    @property
    def synced(self) -> bool:
        """True when every source has synced once."""
        ...


class Directory:
    """Implements ``frontends.native_ports.Directory``. Bounded by services, aliases and open watches."""

    def __init__(self, sources: Sources, scheduler: Scheduler, *, metrics: Metrics, interval: float = 1.0) -> None:
        """Know nothing yet; subscribe ``receive`` to the bus and ``sources_changed`` to the hub.

        Args:
            sources: The hub.
            scheduler: Time of the paced calls.
            metrics: Counts exceptions of watchers.
            interval: Seconds between two calls for weights alone (the control interval).
        """
        self._sources = sources
        self._scheduler = scheduler
        self._supervisor = Supervisor(metrics, scheduler)
        self._metrics = metrics
        self._catalog = Catalog()
        self._changed_at: dict[str, float] = {}
        self._watchers: dict[str, dict[object, Callable[[], None]]] = {}
        self._pace = Pace(interval=interval)
        self._timer: Timer | None = None
        self._ready = False
        self._restored = False
        self._unknown: dict[str, bool] = {}

    @property
    def ready(self) -> bool:
        """True from the moment every source has synced once, or last-good was loaded."""
        return self._ready or self._restored or self._sources.synced

    def decision(self, name: str) -> Decision | None:
        """Return the newest decision of a service or alias; None when there is none or it was removed."""
        return self._catalog.decision(name)

    def is_unknown(self, name: str) -> bool:
        """True when every source that could define ``name`` has synced and none does."""
        return self._catalog.decision(name) is None and self._sources.is_unknown(name)

    def decisions(self) -> Sequence[Decision]:
        """Return the newest decision of every service that exists."""
        return self._catalog.decisions()

    def changed_at(self, service: str) -> float | None:
        """Return the monotonic time at which its assignments last changed; None when that was before the start."""
        return self._changed_at.get(service)

    def watch(self, name: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever an answer about ``name`` may differ ("": readiness); returns the undo."""
        key = object()
        self._watchers.setdefault(name, {})[key] = changed
        self._unknown.setdefault(name, self.is_unknown(name))

        def undo() -> None:
            watchers = self._watchers.get(name, {})
            watchers.pop(key, None)
            if not watchers:
                self._watchers.pop(name, None)
                self._unknown.pop(name, None)

        return undo

    def receive(self, decision: Decision) -> None:
        """Take a decision from the bus."""
        self._date(decision)
        names = self._catalog.put(decision)
        if decision.cause == RESTORED and not self._restored:
            self._restored = True
            self._tell_readiness()
        now = self._scheduler.now()
        for name in names & self._watchers.keys():
            self._pace.want(name, decision.urgency, now=now)
        self._arm()

    def _date(self, decision: Decision) -> None:
        """Note when the assignments change; what was restored, or decided again as it was, is as old as before."""
        before = self._catalog.service(decision.service)
        if decision.removed:
            self._changed_at.pop(decision.service, None)
        elif decision.cause != RESTORED and (before is None or before.assignments != decision.assignments):
            self._changed_at[decision.service] = self._scheduler.now()

    def sources_changed(self) -> None:
        """Tell those who watch readiness, or a name that is no longer, or only now, unknown."""
        self._tell_readiness()
        before = self._unknown
        self._unknown = {name: self.is_unknown(name) for name in self._watchers}
        self._tell([name for name, unknown in self._unknown.items() if name and unknown != before.get(name)])

    def _arm(self) -> None:
        due = self._pace.due
        if due is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._scheduler.call_later(max(0.0, due - self._scheduler.now()), self._flush)

    def _flush(self) -> None:
        self._timer = None
        began = self._scheduler.now()
        taken = self._pace.take(began)
        self._tell(taken)
        if taken:
            ended = self._scheduler.now()
            self._pace.flushed(ended, duration=ended - began)
        self._arm()

    def _tell_readiness(self) -> None:
        self._ready = self.ready
        self._metrics.ready.set(self._ready)
        self._tell((READINESS,))

    def _tell(self, names: Iterable[str]) -> None:
        for name in names:
            self._supervisor.each("follower", tuple(self._watchers.get(name, {}).values()))
