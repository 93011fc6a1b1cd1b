"""The memory bus hands over in order, never backwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lbcontrol.buses.memory import MemoryBus
from lbcontrol.model.assignment import Decision, Mark
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Bus
from tests.unit.runtime.fakes import decision


def made() -> tuple[Bus, Metrics, list[Decision]]:
    """Return a bus with one subscriber."""
    metrics = Metrics()
    bus = MemoryBus(FakeClock(), metrics=metrics)
    received: list[Decision] = []
    bus.subscribe(received.append)
    return bus, metrics, received


async def test_lower_mark_is_dropped_and_counted() -> None:
    """A message that was late, or an owner that lost its epoch, changes nothing; not even for a removed service."""
    bus, metrics, received = made()
    newest = replace(decision("a", 1), mark=Mark(2, 1))
    await bus.publish(newest)
    await bus.publish(replace(decision("a", 2), mark=Mark(1, 9)))
    await bus.publish(replace(decision("a", removed=True), mark=Mark(2, 2)))
    await bus.publish(newest)
    assert [each.mark for each in received] == [Mark(2, 1), Mark(2, 2)]
    assert metrics.registry.get_sample_value("lbcontrol_bus_stale_rejected_total") == 2


async def test_late_subscriber_gets_the_latest_of_each_service() -> None:
    """Not what was replaced, and not what was removed."""
    bus, _, _ = made()
    for revision, service in enumerate(("a", "b", "a", "c"), 1):
        await bus.publish(decision(service, 1, revision=revision))
    await bus.publish(decision("c", removed=True, revision=9))
    late: list[Decision] = []
    bus.subscribe(late.append)
    assert [(each.service, each.mark.revision) for each in late] == [("a", 3), ("b", 2)]
    await bus.publish(decision("c", 1, revision=10))
    assert late[-1].service == "c"


async def test_subscriber_that_raises_does_not_keep_others_from_hearing() -> None:
    """It is counted."""
    bus, metrics, received = made()
    bus.subscribe(lambda _: 1 / 0)  # type: ignore[arg-type]  # the bug
    late: list[Decision] = []
    bus.subscribe(late.append)
    await bus.publish(decision("a", 1))
    assert len(received) == len(late) == 1
    assert metrics.registry.get_sample_value("lbcontrol_internal_errors_total", {"part": "subscriber"}) == 1


async def test_marks_of_removed_services_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that come and go for years cost nothing."""
    monkeypatch.setattr("lbcontrol.buses.memory.MOST_REMOVED", 3)
    bus = MemoryBus(FakeClock(), metrics=Metrics())
    for number in range(10):
        await bus.publish(decision(f"s{number}", removed=True))
    assert list(bus._removed) == ["s7", "s8", "s9"]
