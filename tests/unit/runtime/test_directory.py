"""The directory answers with the newest decision and calls watchers at the publisher's pace."""

from __future__ import annotations

from dataclasses import replace

from lbcontrol.frontends.native_ports import Directory as DirectoryPort
from lbcontrol.model.assignment import Urgency
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.directory import Directory
from lbcontrol.runtime.metrics import Metrics
from tests.unit.runtime.fakes import FakeKnowledge, decision


class World:
    """A directory on virtual time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.sources = FakeKnowledge()
        self.sources.settled = self.sources.synced = False
        self.directory = Directory(self.sources, self.clock, metrics=self.metrics)
        self.port: DirectoryPort = self.directory
        self.heard: list[str] = []

    def watch(self, name: str) -> None:
        """Note calls for ``name``."""
        self.directory.watch(name, lambda: self.heard.append(name))

    def news(self) -> list[str]:
        """Return and forget what was heard after some quiet."""
        self.clock.advance(5)
        heard, self.heard = self.heard, []
        return heard


def test_decisions_are_found_by_service_and_alias() -> None:
    """A removed service, and an alias that was dropped, are found no more."""
    world = World()
    world.directory.receive(decision("a", 1, aliases=("x", "y")))
    world.directory.receive(decision("b", 1))
    found = [world.directory.decision(name) for name in ("a", "x", "b", "z")]
    assert [each.service if each else None for each in found] == ["a", "a", "b", None]
    assert {each.service for each in world.directory.decisions()} == {"a", "b"}
    world.directory.receive(decision("a", 1, aliases=("y",)))
    assert world.directory.decision("x") is None
    world.directory.receive(decision("a", removed=True))
    assert (world.directory.decision("a"), world.directory.decision("y")) == (None, None)


def test_change_of_assignments_is_dated() -> None:
    """What was restored, or decided again with the same assignments, is as old as before."""
    world = World()
    receive = world.directory.receive
    receive(replace(decision("a", 1), cause="restored"))
    assert world.directory.changed_at("a") is None
    world.clock.advance(10)
    receive(decision("a", 2))
    began = world.clock.now()
    world.clock.advance(10)
    receive(replace(decision("a", 2), stale_sources=("file",)))
    assert world.directory.changed_at("a") == began
    receive(decision("a", removed=True))
    assert world.directory.changed_at("a") is None


def test_watchers_hear_of_their_names() -> None:
    """By service, by alias gained or lost, and not of others; after the undo not at all."""
    world = World()
    for name in ("a", "x", "z"):
        world.watch(name)
    undo = world.directory.watch("a", lambda: world.heard.append("second"))
    world.directory.receive(decision("a", 1, aliases=("x",)))
    assert sorted(world.news()) == ["a", "second", "x"]
    undo()
    undo()
    world.directory.receive(decision("a", 1))
    assert sorted(world.news()) == ["a", "x"]


def test_bursts_are_bundled_and_weights_wait() -> None:
    """50 changes in 100 ms are few calls; weights alone come once an interval."""
    world = World()
    world.watch("a")
    for number in range(50):
        world.directory.receive(decision("a", number + 1))
        world.clock.advance(0.002)
    assert len(world.news()) <= 5
    for number in range(10):
        world.directory.receive(decision("a", number + 1, urgency=Urgency.WEIGHT))
        world.clock.advance(0.05)
    assert len(world.news()) == 2


def test_ready_when_sources_synced_or_last_good_is_there() -> None:
    """Either is enough, it stays, and who watches readiness is told."""
    synced, restored = World(), World()
    for world in (synced, restored):
        world.watch("")
        assert not world.directory.ready
    synced.sources.synced = True
    synced.directory.sources_changed()
    restored.directory.receive(decision("a", 1, urgency=Urgency.IMMEDIATE))
    assert not restored.directory.ready
    restored.directory.receive(replace(decision("a", 1), cause="restored"))
    for world in (synced, restored):
        assert world.directory.ready
        assert world.news() == [""]
        assert world.metrics.registry.get_sample_value("lbcontrol_ready") == 1


def test_watchers_of_absent_names_hear_when_they_become_unknown() -> None:
    """Waiting turns into unknown when the sources have synced; a name that exists is not told again."""
    world = World()
    world.directory.receive(decision("a", 1))
    world.watch("a")
    world.watch("b")
    assert not world.directory.is_unknown("b")
    world.sources.settled = True
    assert world.directory.is_unknown("b")
    assert not world.directory.is_unknown("a")
    world.directory.sources_changed()
    assert world.news() == ["b"]
    world.directory.sources_changed()
    assert world.news() == []
