"""The hub applies events in order, publishes what follows, and survives what breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import pytest

from lbcontrol.buses.memory import MemoryBus
from lbcontrol.engine import events
from lbcontrol.engine.state import SourceState
from lbcontrol.model.assignment import Decision
from lbcontrol.model.endpoints import Address, Endpoint, Health
from lbcontrol.model.errors import LimitExceededError, SourceUnavailableError, StateStoreError
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.hub import EACH, Hub, HubOptions
from lbcontrol.runtime.inbox import MOST_WAITING, Inbox, Item
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.owner import LocalOwner
from lbcontrol.runtime.worker import Worker
from tests.unit.runtime.fakes import decision

GONE = Finding("LB201", "registry away")
DRAIN = Override("a", Address("127.0.0.1", 50_000), OverrideKind.DRAIN)


@dataclass
class _Case:
    snapshots: tuple[ServiceSnapshot, ...]


class FakeEngine:
    """Notes events; answers an update with a decision per changed service."""

    def __init__(self) -> None:
        self.applied: list[events.Event] = []
        self.threads: list[str] = []
        self.states: dict[str, SourceState] = {}
        self.held: list[Override] = []
        self.started = False
        self.freezes: dict[str, Finding] = {}
        self.revision = 0

    def apply(self, event: events.Event, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Note the event."""
        self.applied.append(event)
        match event:
            case events.SourceAdded(source):
                self.states[source] = SourceState(source)
            case events.SourceSynced(source, complete):
                self.states[source] = replace(self.states[source], synced=True, complete=complete)
            case events.SourceStale(source, finding):
                self.states[source] = replace(self.states[source], stale=finding)
            case events.SourceAlive(source):
                self.states[source] = replace(self.states[source], stale=None, last_event_at=wall)
            case events.SourceUpdated(_, changed, removed):
                if "boom" in removed:
                    raise ZeroDivisionError("boom")
                made = [self._decision(each.service, *[1] * len(each.endpoints)) for each in changed]
                return (*made, *(self._decision(service, removed=True) for service in removed))
            case events.OverrideSet(override):
                self.held.append(override)
                return (self._decision(override.service, 0),)
            case _:
                self.started = True
        return ()

    def _decision(self, service: str, *weights: int, removed: bool = False) -> Decision:
        self.revision += 1
        return decision(service, *weights, revision=self.revision, removed=removed)

    def expire(self, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Drop what has expired."""
        over = [each for each in self.held if each.expires_at is not None and each.expires_at <= wall]
        self.held = [each for each in self.held if each not in over]
        return tuple(self._decision(each.service, 1) for each in over)

    def next_expiry(self) -> float | None:
        """Return the first expiry."""
        return min((each.expires_at for each in self.held if each.expires_at is not None), default=None)

    @property
    def settled(self) -> bool:
        """Return whether all synced whole."""
        return bool(self.states) and all(each.complete for each in self.states.values())

    def is_unknown(self, name: str) -> bool:
        """Return whether the name is not "a"."""
        return name != "a"

    def sources(self) -> tuple[SourceState, ...]:
        """Return the states."""
        return tuple(self.states.values())

    def overrides(self) -> tuple[Override, ...]:
        """Return the overrides."""
        return tuple(self.held)

    def frozen(self) -> Mapping[str, Finding]:
        """Return what a test froze."""
        return self.freezes

    def case(self, service: str) -> _Case | None:
        """Return a snapshot with one endpoint that serves, and one that does not."""
        endpoints = tuple(
            Endpoint(Address("127.0.0.1", 50_000 + place), health=Health.NOT_SERVING) for place in range(2)
        )
        return _Case((ServiceSnapshot(service, "s", endpoints=endpoints),)) if service == "a" else None


class NoteJournal:
    """Notes what the hub makes durable."""

    def __init__(self) -> None:
        self.noted: list[object] = []
        self.error: StateStoreError | None = None

    async def record(self, event: events.OverrideSet | events.OverrideCleared) -> None:
        """Note, or fail."""
        if self.error is not None:
            raise self.error
        self.noted.append(event)

    def overrides_changed(self, overrides: tuple[Override, ...]) -> None:
        """Note."""
        self.noted.append(overrides)


class World:
    """A running hub."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.bus = MemoryBus(self.clock, metrics=self.metrics)
        self.journal = NoteJournal()
        self.received: list[str] = []
        self.bus.subscribe(lambda each: self.received.append(each.service))
        self.worker = Worker(asyncio.get_running_loop())
        options = HubOptions(worker=self.worker, big=3, journal=self.journal)
        self.hub = Hub(
            self.engine,
            self.bus,
            scheduler=self.clock,
            metrics=self.metrics,
            owner=LocalOwner(1),
            options=options,
        )

    async def turn(self) -> None:
        """Let the hub and its worker do what waits."""
        for _ in range(4):
            for _ in range(8):
                await asyncio.sleep(0)
            await self.worker.run(lambda: None)

    def sample(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(f"lbcontrol_{name}", labels)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A hub that runs while the test does."""
    made = World()
    task = asyncio.create_task(made.hub.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    made.worker.close()


def snapshot(service: str, count: int = 1) -> ServiceSnapshot:
    """Return a snapshot with ``count`` endpoints."""
    endpoints = tuple(Endpoint(Address("127.0.0.1", 50_000 + place)) for place in range(count))
    return ServiceSnapshot(service, "s", endpoints=endpoints)


async def test_newest_picture_of_a_source_replaces_waiting_ones(world: World) -> None:
    """A slow engine sees each service once, the picture before the claim that it is whole, the last sign of life."""
    sink = world.hub.sink("s")
    sink.update([snapshot("a", 1), snapshot("b")])
    sink.stale(SourceUnavailableError(GONE))
    sink.update([snapshot("a", 2)], removed=["b"])
    sink.synced()
    sink.update([snapshot("b", 3)], removed=["c"])
    await world.turn()
    assert world.engine.applied == [
        events.SourceAdded("s"),
        events.SourceUpdated("s", (snapshot("a", 2), snapshot("b", 3)), ("c",)),
        events.SourceSynced("s", complete=True),
        events.SourceAlive("s"),
    ]
    assert world.received == ["a", "b", "c"]


async def test_settled_is_said_after_the_decisions_are_published(world: World) -> None:
    """Who asks in between must not hear that a name is unknown whose decision is on its way."""
    seen: list[tuple[bool, bool]] = []
    world.bus.subscribe(lambda each: seen.append((world.engine.settled, world.hub.settled)))
    changes: list[bool] = []
    undo = world.hub.watch(lambda: changes.append(world.hub.settled))
    sink, other = world.hub.sink("s"), world.hub.sink("t")
    assert not world.hub.synced
    sink.update([snapshot("a")])
    sink.synced()
    await world.turn()
    assert not world.hub.synced
    other.synced(complete=False)
    await world.turn()
    assert (world.hub.synced, world.hub.settled, world.hub.is_unknown("b")) == (True, False, False)
    other.synced()
    await world.turn()
    assert (world.hub.settled, world.hub.is_unknown("a"), world.hub.is_unknown("b")) == (True, False, True)
    assert changes[-1] is True
    undo()
    other.stale(SourceUnavailableError(GONE))
    count = len(changes)
    await world.turn()
    assert len(changes) == count
    assert seen == [(False, False)]


async def test_operator_is_answered_when_it_is_durable_and_published(world: World) -> None:
    """Written first, then applied, then published, then answered."""
    made = await world.hub.submit(events.OverrideSet(DRAIN))
    assert [each.service for each in made] == world.received == ["a"]
    assert world.journal.noted == [events.OverrideSet(DRAIN)]
    assert world.sample("overrides") == 1
    world.journal.error = StateStoreError(Finding("LB903", "disk full"))
    with pytest.raises(StateStoreError):
        await world.hub.submit(events.OverrideSet(DRAIN))
    assert len(world.engine.held) == 1


async def test_overrides_expire_on_the_wall_clock(world: World) -> None:
    """At the time said, or at most a minute after the clock jumped past it."""
    wall = world.clock.wall()
    await world.hub.submit(events.OverrideSet(replace(DRAIN, expires_at=wall + 30)))
    await world.hub.submit(events.OverrideSet(replace(DRAIN, service="b", expires_at=wall + 86_400)))
    world.clock.advance(29)
    await world.turn()
    assert len(world.engine.held) == 2
    world.clock.advance(2)
    await world.turn()
    assert world.received[2:] == ["a"]
    assert world.journal.noted[-1] == tuple(world.engine.held)
    world.clock.jump_wall(86_400)
    world.clock.advance(60)
    await world.turn()
    assert world.engine.held == []


async def test_engine_that_raises_fails_only_its_event(world: World) -> None:
    """Counted, told to who waits for it, and the next event is applied."""
    with pytest.raises(ZeroDivisionError):
        await world.hub.submit(events.SourceUpdated("s", (), ("boom",)))
    world.hub.sink("s").update([snapshot("a")])
    await world.turn()
    assert world.received == ["a"]
    assert world.sample("internal_errors_total", part="engine") == 1


async def test_big_events_leave_the_loop_free(world: World) -> None:
    """The engine runs on the worker for many endpoints, and the order of events is kept."""
    sink = world.hub.sink("s")
    sink.update([snapshot("big", 10)])
    await world.turn()
    first = asyncio.create_task(world.hub.submit(events.OverrideSet(replace(DRAIN, service="big"))))
    second = asyncio.create_task(world.hub.submit(events.OverrideSet(DRAIN)))
    await asyncio.gather(first, second)
    assert world.received == ["big", "big", "a"]
    assert [type(event).__name__ for event in world.engine.applied[2:]] == ["OverrideSet", "OverrideSet"]


async def test_events_are_measured_by_the_endpoints_they_touch(world: World) -> None:
    """Source-wide events touch everything, an operator's word one service."""
    sink = world.hub.sink("s")
    sink.update([snapshot("a", 2), snapshot("b", 3)])
    sink.synced()
    await asyncio.sleep(0.01)
    await world.turn()
    touched = world.hub._touched
    assert touched(events.SourceUpdated("s", (snapshot("a", 4),), ("b",))) == 7 + EACH
    assert touched(events.OverrideSet(DRAIN)) == 4
    assert touched(events.OverrideCleared("b", DRAIN.address, DRAIN.kind)) == 3
    assert touched(events.Restored(decision("c", 1, 1))) == 2
    assert touched(events.GraceEnded()) == 7


async def test_grace_ends_only_when_the_start_is_held_up(world: World) -> None:
    """A source that does not come delays decisions 10 s and no more."""
    await world.turn()
    world.clock.advance(9)
    await world.turn()
    assert world.engine.applied == []
    world.clock.advance(1)
    await world.turn()
    assert world.engine.applied == [events.GraceEnded()]


async def test_restored_state_comes_first(world: World) -> None:
    """Whatever sources say at the same time, the store's events are applied before."""
    world.hub.sink("s").update([snapshot("a")])
    world.hub.restore([events.OverrideSet(DRAIN), events.Restored(decision("a", 1))])
    await world.turn()
    kinds = [type(event).__name__ for event in world.engine.applied]
    assert kinds == ["SourceAdded", "OverrideSet", "Restored", "SourceUpdated"]


async def test_metrics_follow_services_and_sources(world: World) -> None:
    """Endpoints by health appear with the service and go with it; stale sources are down."""
    world.engine.freezes = {"f": GONE}
    sink = world.hub.sink("s")
    sink.update([snapshot("a")])
    sink.alive()
    await world.turn()
    assert world.sample("services") == 1
    assert world.sample("endpoints", service="a", health="serving") == 1
    assert world.sample("endpoints", service="a", health="not_serving") == 1
    assert world.sample("assignments_total", reason="endpoints") == 1
    assert world.sample("source_up", source="s") == 1
    assert world.sample("source_last_event_timestamp_seconds", source="s") == world.clock.wall()
    assert world.sample("service_frozen", service="f") == 1
    world.engine.freezes = {}
    sink.update([], removed=["a", "never there"])
    sink.stale(SourceUnavailableError(GONE))
    await world.turn()
    assert world.sample("services") == 0
    assert world.sample("endpoints", service="a", health="serving") is None
    assert world.sample("service_frozen", service="f") is None
    assert world.sample("source_up", source="s") == 0


async def test_services_of_other_owners_are_left_alone(world: World) -> None:
    """What this process does not own is not published by it."""
    cast("LocalOwner", world.hub._owner).owns = lambda service: service == "mine"  # type: ignore[method-assign]  # half
    world.hub.sink("s").update([snapshot("mine"), snapshot("theirs")])
    await world.turn()
    assert world.received == ["mine"]


async def test_waiting_operators_are_bounded_and_let_go_at_the_end() -> None:
    """Too many are refused; those who wait when the hub ends are not left hanging."""
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    answers = [loop.create_future() for _ in range(MOST_WAITING)]
    for answer in answers:
        inbox.put(Item(events.GraceEnded(), answer))
    with pytest.raises(LimitExceededError, match="LB907"):
        inbox.put(Item(events.GraceEnded(), loop.create_future()))
    inbox.put(Item(events.GraceEnded()))
    inbox.close()
    assert all(answer.cancelled() for answer in answers)


async def test_operator_who_went_away_does_not_stop_the_hub(world: World) -> None:
    """A cancelled call is applied all the same, and nobody is answered."""
    task = asyncio.create_task(world.hub.submit(events.OverrideSet(DRAIN)))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await world.turn()
    await world.hub.submit(events.OverrideSet(replace(DRAIN, service="b")))
    assert world.received[-1] == "b"
