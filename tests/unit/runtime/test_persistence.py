"""What operators said and what was served last survives a restart."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from lbcontrol.engine.events import OverrideCleared, OverrideSet, Restored
from lbcontrol.model.assignment import Mark
from lbcontrol.model.clients import Identity, Peer
from lbcontrol.model.endpoints import Address, Endpoint
from lbcontrol.model.errors import StateStoreError
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.documents import document_of, value_of
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.persistence import CLIENTS_FIRST, MOST_PER_WRITE, WRITE_INTERVAL, Persistence
from lbcontrol.runtime.registrations import Registration, ServiceRegistrations
from lbcontrol.stores.memory import MemoryStore
from tests.unit.runtime.fakes import decision

DRAIN = Override("a", Address("127.0.0.1", 50_000), OverrideKind.DRAIN, reason="disk", by="eve", created_at=1.5)


class NoteStore(MemoryStore):
    """A store that lasts as long as the test, and fails when told to."""

    durable = True

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[list[str]] = []
        self.clock = FakeClock()
        self.tried_at: list[float] = []
        self.broken = False

    async def put(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        """Keep the documents and note their keys."""
        await asyncio.sleep(0)
        self.tried_at.append(self.clock.now())
        if self.broken:
            raise StateStoreError(Finding("LB903", "disk full"))
        self.puts.append(sorted(documents))
        await super().put(documents)


class World:
    """Persistence over a store that outlives it."""

    def __init__(self) -> None:
        self.store = NoteStore()
        self.clock = self.store.clock
        self.metrics = Metrics()
        self.persistence = self.restart()

    def restart(self) -> Persistence:
        """Return a new persistence over the same store."""
        self.persistence = Persistence(self.store, self.clock, metrics=self.metrics)
        return self.persistence


async def test_override_is_durable_before_the_operator_is_answered() -> None:
    """What ``record`` returned from is restored; what was taken back is not."""
    world = World()
    other = replace(DRAIN, kind=OverrideKind.WEIGHT, weight=7)
    await world.persistence.record(OverrideSet(DRAIN))
    await world.persistence.record(OverrideSet(other))
    await world.persistence.record(OverrideCleared("a", DRAIN.address, DRAIN.kind))
    assert world.restart().restore().events == (OverrideSet(other),)


async def test_override_that_cannot_be_written_is_refused() -> None:
    """The operator hears of it, and the problem is shown until a write succeeds."""
    world = World()
    world.store.broken = True
    with pytest.raises(StateStoreError):
        await world.persistence.record(OverrideSet(DRAIN))
    await world.persistence.claim(5)
    assert [finding.code for finding in world.persistence.findings()] == ["LB903"]
    world.store.broken = False
    await world.persistence.claim(5)
    assert world.persistence.findings() == []


async def test_epoch_grows_with_every_start_whatever_the_clock_says() -> None:
    """The wall clock unless it went back; never below a decision that was served."""
    world = World()
    first = world.persistence.restore().epoch
    assert first == int(world.clock.wall())
    await world.persistence.claim(first)
    world.clock.jump_wall(-86_400)
    second = world.restart().restore().epoch
    assert second == first + 1
    world.persistence.receive(replace(decision("a", 1), mark=Mark(first + 50, 3)))
    await world.persistence.flush()
    assert world.restart().restore().epoch == first + 51


async def test_last_good_is_restored_and_removed_services_are_not() -> None:
    """Overrides come before decisions; what came from the store is not written back."""
    world = World()
    made = decision("a", 1, 0, aliases=("x",))
    world.persistence.receive(made)
    world.persistence.receive(decision("b", 1))
    world.persistence.receive(decision("b", removed=True))
    world.persistence.receive(replace(decision("c", 1), cause="restored"))
    await world.persistence.record(OverrideSet(DRAIN))
    await world.persistence.flush()
    assert world.restart().restore().events == (OverrideSet(DRAIN), Restored(made))


async def test_registrations_are_restored_until_a_service_has_none() -> None:
    """The newest of each service counts; without a store that lasts nothing is kept."""
    world = World()
    peer = Peer("192.0.2.1:9", Identity("ana", authenticated=True))
    one = Registration("a", Endpoint(Address("192.0.2.1", 80)), peer, 30.0)
    other = replace(one, service="b")
    for each in (one, other):
        world.persistence.registered(ServiceRegistrations(each.service, (each,)))
    await world.persistence.flush()
    assert world.restart().restore().registrations == (one, other)
    world.persistence.registered(ServiceRegistrations("a", ()))
    await world.persistence.flush()
    assert world.restart().restore().registrations == (other,)
    lost = Persistence(MemoryStore(), world.clock, metrics=world.metrics)
    lost.registered(ServiceRegistrations("a", (one,)))
    await lost.flush()
    assert lost.restore().registrations == ()


async def _passing(world: World, claim: Callable[[], bool]) -> None:
    """Let virtual time pass until ``claim`` is true."""
    while not claim():
        await asyncio.sleep(0.001)
        world.clock.advance(0.125)


async def test_decisions_are_written_at_most_once_a_second() -> None:
    """A burst is one write of the newest; a failed write is repeated with the newest."""
    world = World()
    began = world.clock.now()
    task = asyncio.create_task(world.persistence.run())
    for weight in range(1, 20):
        world.persistence.receive(decision("a", weight))
    await _passing(world, lambda: len(world.store.puts) == 1)
    world.store.broken = True
    world.persistence.receive(decision("b", 1))
    await _passing(world, lambda: bool(world.persistence.findings()))
    world.store.broken = False
    world.persistence.receive(decision("b", 2))
    await _passing(world, lambda: len(world.store.puts) == 2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert world.store.puts == [["decision/a"], ["decision/b"]]
    assert world.store.tried_at[0] >= began + CLIENTS_FIRST
    assert all(later - before >= WRITE_INTERVAL for before, later in itertools.pairwise(world.store.tried_at))
    assert Restored(decision("b", 2)) in world.restart().restore().events


async def test_expired_overrides_are_deleted() -> None:
    """Whether they expire while we run or while we are down; a newer one with the key stays."""
    world = World()
    later = replace(DRAIN, expires_at=world.clock.wall() + 60)
    for service in ("a", "b"):
        await world.persistence.record(OverrideSet(replace(later, service=service)))
    world.persistence.overrides_changed([])
    await world.persistence.record(OverrideSet(DRAIN))
    await world.persistence.flush()
    assert world.restart().restore().events == (OverrideSet(DRAIN),)
    await world.persistence.record(OverrideSet(later))
    world.clock.jump_wall(120)
    assert world.restart().restore().events == ()
    await world.persistence.flush()
    assert world.store.load() == {}


async def test_many_decisions_are_written_in_pieces() -> None:
    """An operator's override does not wait behind thousands of files; a broken store ends the flush."""
    world = World()
    for number in range(MOST_PER_WRITE + 1):
        world.persistence.receive(decision(f"s{number}", 1))
    await world.persistence.flush()
    assert [len(keys) for keys in world.store.puts] == [MOST_PER_WRITE, 1]
    world.store.broken = True
    world.persistence.receive(decision("a", 1))
    await world.persistence.flush()
    assert len(world.store.puts) == 2


async def test_documents_that_make_no_sense_are_left_out() -> None:
    """Another build's documents, or damaged ones, cost themselves and nothing else."""
    world = World()
    good = document_of(DRAIN)
    await world.store.put(
        {
            "override/1": good,
            "override/2": {**good, "kind": "explode"},
            "override/3": {**good, "address": "127.0.0.1"},
            "decision/1": {"mark": {"epoch": "high"}},
            "decision/2": {},
            "epoch/current": {"epoch": 1.5},
            "future/1": {},
        }
    )
    assert world.persistence.restore().events == (OverrideSet(DRAIN),)
    assert world.metrics.registry.get_sample_value("lbcontrol_recoveries_total") == 5


async def test_without_a_durable_store_decisions_are_not_kept_twice() -> None:
    """A store that forgets gets overrides alone."""
    persistence = Persistence(MemoryStore(), FakeClock(), metrics=Metrics())
    assert not persistence.durable
    persistence.receive(decision("a", 1))
    assert persistence._waiting == {}


def test_documents_of_a_newer_build_are_read() -> None:
    """Unknown fields are passed over, lacking ones have their default, whole floats may look like integers."""
    document = {**document_of(replace(DRAIN, expires_at=9.0)), "expires_at": 9, "mood": "good"}
    del document["reason"]
    assert value_of(Override, document) == replace(DRAIN, expires_at=9.0, reason="")
