"""The hub: the one task that owns the engine. Events in, decisions onto the bus, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lbcontrol.engine.events import (
    Event,
    GraceEnded,
    OverrideCleared,
    OverrideSet,
    Restored,
    SourceAdded,
    SourceAlive,
    SourceStale,
    SourceSynced,
    SourceUpdated,
)
from lbcontrol.model.assignment import Decision
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.hub_metrics import HubMetrics, Tally, tally
from lbcontrol.runtime.hub_ports import Engine, Journal
from lbcontrol.runtime.inbox import Expired, Inbox, Item
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Bus, Owner, Scheduler, Sink, Timer
from lbcontrol.runtime.slices import SLICE
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.runtime.worker import BIG, Worker

EXPIRY_LOOK = 60.0
"""Seconds after which expiry is looked at again at the latest, because the wall clock may jump."""

FEW = 16
"""Decisions published before a look at the clock."""
EACH = 20
"""Endpoints that cost the engine as much as one service more in an event."""


@dataclass(frozen=True, slots=True)
class HubOptions:
    """How the hub works."""

    grace: float = 10.0
    """Seconds to wait at start for sources that have not synced, before deciding without them."""
    worker: Worker | None = None
    """Runs the engine on big services; without one everything is done on the loop's thread."""
    big: int = BIG
    """Endpoints touched by an event above which the worker does it."""
    journal: Journal | None = None


class Hub:
    """Owns the engine. Everything but ``run`` is called on the loop's thread and returns at once or awaits ``run``."""

    def __init__(
        self,
        engine: Engine,
        bus: Bus,
        *,
        scheduler: Scheduler,
        metrics: Metrics,
        owner: Owner,
        options: HubOptions | None = None,
    ) -> None:
        """Nothing happens before ``run``; events may be handed over already."""
        self.engine = engine
        self._bus = bus
        self._scheduler = scheduler
        self._owner = owner
        self._options = options or HubOptions()
        self._metrics = HubMetrics(metrics)
        self._supervisor = Supervisor(metrics, scheduler)
        self._inbox = Inbox()
        self._expected: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._watchers: dict[object, Callable[[], None]] = {}
        self._expiry: Timer | None = None
        self._submitting = asyncio.Lock()
        self._settled = False
        self._synced: frozenset[str] = frozenset()
        self._seen: object = None

    # What others ask.

    @property
    def settled(self) -> bool:
        """True when every source has synced whole, and the decisions that follow from it are published."""
        return self._settled

    @property
    def synced(self) -> bool:
        """True when every source that has a sink has synced once, whole or not, and what they said is published."""
        return self._expected <= self._synced

    def is_unknown(self, name: str) -> bool:
        """True when settled and no source defines ``name``."""
        return self._settled and self.engine.is_unknown(name)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when sources, or answers about unknown names, may differ; returns the undo."""
        key = object()
        self._watchers[key] = changed

        def undo() -> None:
            self._watchers.pop(key, None)

        return undo

    def sink(self, source: str) -> Sink:
        """Return where a new source puts what it sees. Make all sinks before ``run``, or names come too early."""
        self._expected.add(source)
        self._inbox.put(Item(SourceAdded(source)))
        return SourceSink(source, self._inbox)

    def restore(self, events: Iterable[Event]) -> None:
        """Apply what the state store knew before anything else. Call before ``run``."""
        for event in events:
            self._inbox.put(Item(event))

    async def submit(self, event: Event) -> tuple[Decision, ...]:
        """Apply an operator's event; returns its decisions once they are durable and published.

        Raises:
            StateStoreError: it could not be written, so it is not in force.
            LimitExceededError: too many operators wait.
        """
        async with self._submitting:  # What is written first is applied first.
            if self._options.journal is not None and isinstance(event, OverrideSet | OverrideCleared):
                await self._options.journal.record(event)
            answer: asyncio.Future[tuple[Decision, ...]] = asyncio.get_running_loop().create_future()
            self._inbox.put(Item(event, answer))
        return await answer

    async def run(self) -> None:
        """Apply events until cancelled."""
        grace = self._scheduler.call_later(self._options.grace, self._end_grace)
        try:
            while True:
                for item in await self._inbox.take():
                    await self._supervisor.attempt_async("hub", self._step(item))
                    await asyncio.sleep(0)  # Streams and timers get their turn between two events.
        finally:
            grace.cancel()
            if self._expiry is not None:
                self._expiry.cancel()
            self._inbox.close()

    # One event.

    async def _step(self, item: Item) -> None:
        failures: list[Exception] = []
        outcome = await self._decide(item.event, failures)
        if outcome is None:
            self._answer(item, error=failures[0])
            return
        decisions, tallies = outcome
        await self._publish(decisions, tallies)
        self._after(item.event)
        self._answer(item, decisions=decisions)

    async def _publish(self, decisions: Sequence[Decision], tallies: Sequence[Tally]) -> None:
        """Publish in order, in slices: thousands of services at once would hold up everything else."""
        until = self._scheduler.now() + SLICE
        for at in range(0, len(decisions), FEW):
            for decision in decisions[at : at + FEW]:
                self._remember_size(decision)
                await self._bus.publish(decision)
            self._metrics.decided(decisions[at : at + FEW], tallies[at : at + FEW])
            if self._scheduler.now() >= until:
                await asyncio.sleep(0)
                until = self._scheduler.now() + SLICE

    def _answer(self, item: Item, *, decisions: tuple[Decision, ...] = (), error: Exception | None = None) -> None:
        if item.answer is None or item.answer.done():
            return
        if error is None:
            item.answer.set_result(decisions)
        else:
            item.answer.set_exception(error)

    async def _decide(
        self, event: Event | Expired, failures: list[Exception]
    ) -> tuple[tuple[Decision, ...], list[Tally]] | None:
        """Run the engine on an event: here, or for big ones on the worker."""
        work = partial(self._supervisor.attempt, "engine", partial(self._apply, event), failed=failures.append)
        began = self._scheduler.now()
        if self._options.worker is None or self._touched(event) <= self._options.big:
            outcome = work()
        else:
            outcome = await self._options.worker.run(work)
        self._metrics.computed(self._scheduler.now() - began)
        return outcome

    def _apply(self, event: Event | Expired) -> tuple[tuple[Decision, ...], list[Tally]]:
        now, wall = self._scheduler.now(), self._scheduler.wall()
        if isinstance(event, Expired):
            decisions = self.engine.expire(now=now, wall=wall)
        else:
            decisions = self.engine.apply(event, now=now, wall=wall)
        owned = tuple(decision for decision in decisions if self._owner.owns(decision.service))
        return owned, [tally(decision, self._snapshots(decision.service)) for decision in owned]

    def _snapshots(self, service: str) -> tuple[ServiceSnapshot, ...]:
        case = self.engine.case(service)
        return case.snapshots if case is not None else ()

    def _remember_size(self, decision: Decision) -> None:
        if decision.removed:
            self._sizes.pop(decision.service, None)
        else:
            self._sizes[decision.service] = _size(decision)

    def _touched(self, event: Event | Expired) -> int:
        """Return how many endpoints an event may make the engine look at."""
        if isinstance(event, SourceUpdated):
            for snapshot in event.changed:
                self._sizes[snapshot.service] = max(self._sizes.get(snapshot.service, 0), len(snapshot.endpoints))
            names = [*(snapshot.service for snapshot in event.changed), *event.removed]
            return sum(self._sizes.get(name, 0) for name in names) + EACH * (len(names) - 1)
        if isinstance(event, OverrideSet):
            return self._sizes.get(event.override.service, 0)
        if isinstance(event, OverrideCleared):
            return self._sizes.get(event.service, 0)
        if isinstance(event, Restored):
            return _size(event.decision)
        return sum(self._sizes.values())

    def _after(self, event: Event | Expired) -> None:
        """Bring what hangs on the engine's state up to date."""
        engine = self.engine
        if isinstance(event, OverrideSet | OverrideCleared | Expired):
            overrides = engine.overrides()
            self._metrics.overrides(len(overrides))
            self._arm_expiry()
            if isinstance(event, Expired) and self._options.journal is not None:
                self._options.journal.overrides_changed(overrides)
        sources = engine.sources()
        self._metrics.sources(sources)
        self._metrics.frozen(engine.frozen())
        self._settled = engine.settled
        self._synced = frozenset(source.name for source in sources if source.synced)
        seen = (self._settled, engine.started, [(s.name, s.synced, s.complete, s.stale) for s in sources])
        if seen != self._seen:
            self._seen = seen
            self._supervisor.each("subscriber", tuple(self._watchers.values()))

    # Timers.

    def _end_grace(self) -> None:
        if not self.engine.started:
            self._inbox.put(Item(GraceEnded()))

    def _arm_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        at = self.engine.next_expiry()
        if at is None:
            self._expiry = None
            return
        delay = min(max(0.0, at - self._scheduler.wall()), EXPIRY_LOOK)
        self._expiry = self._scheduler.call_later(delay, lambda: self._inbox.put(Item(Expired())))


def _size(decision: Decision) -> int:
    return max((len(each.endpoints) for each in decision.assignments.values()), default=0)


class SourceSink:
    """Implements ``ports.Sink`` for one source: every call goes into the hub's inbox."""

    def __init__(self, source: str, inbox: Inbox) -> None:
        """Speak for ``source``."""
        self._source = source
        self._inbox = inbox

    def update(self, changed: Iterable[ServiceSnapshot], removed: Iterable[str] = ()) -> None:
        """Replace what this source says of the changed services; it no longer knows the removed ones."""
        self._inbox.update(self._source, changed, removed=removed)

    def synced(self, *, complete: bool = True) -> None:
        """The first full picture has been handed over."""
        self._inbox.synced(SourceSynced(self._source, complete))

    def alive(self) -> None:
        """The registry answered."""
        self._inbox.life(SourceAlive(self._source))

    def stale(self, error: LbControlError) -> None:
        """The registry cannot be read."""
        self._inbox.life(SourceStale(self._source, error.finding))
