"""What the native and the admin API refuse is counted, and who asks too fast is not read for a while."""

from __future__ import annotations

import pytest
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.model.clients import Role
from lbcontrol.runtime.ports import StatusError
from lbcontrol.runtime.rejections import REASONS
from tests.unit.frontends.fakes import MemoryOutlet, World, decision, endpoint

BURST = 200
"""Requests of a stream at once, by default."""


def counted(world: World, reason: str) -> float | None:
    """Return how often the native API refused something for this reason."""
    return world.metrics.registry.get_sample_value("lbcontrol_rejected_total", {"layer": "native", "reason": reason})


def is_paused(outlet: MemoryOutlet) -> bool:
    """Return whether the stream is not read now."""
    return outlet.paused


@pytest.mark.parametrize(
    ("word", "request_", "reason"),
    [
        ("GetAssignment", b"\xff", "malformed"),
        ("GetAssignment", pb.GetAssignmentRequest(service="x" * 600).SerializeToString(), "name"),
        ("ListServices", pb.ListServicesRequest(page_size=5_000).SerializeToString(), "page_size"),
        ("Register", pb.RegisterRequest(service="a", address="x").SerializeToString(), "address"),
        ("Register", pb.RegisterRequest(service="a", address="10.9.9.9:1").SerializeToString(), "address_range"),
        ("Register", pb.RegisterRequest(service="b", address="10.9.9.9:1").SerializeToString(), "forbidden"),
    ],
)
async def test_refused_call_is_counted_by_its_reason(word: str, request_: bytes, reason: str) -> None:
    """Malformed, too long, or not allowed."""
    world = World(denied=((Role.REGISTER, "b"),))
    with pytest.raises(StatusError):
        await world.call(word, request_)
    assert counted(world, reason) == 1.0


async def test_what_does_not_exist_is_not_refused() -> None:
    """NOT_FOUND is an answer."""
    world = World()
    with pytest.raises(StatusError):
        await world.call("GetAssignment", pb.GetAssignmentRequest(service="a").SerializeToString())
    assert [reason for reason in REASONS["native"] if counted(world, reason)] == []


@pytest.mark.parametrize("word", ["WatchAssignments", "ReportLoad"])
def test_stream_that_asks_too_fast_is_not_read_for_a_while(word: str) -> None:
    """After 200 requests at once the next is read when it may be asked; a stream that is over leaves no timer."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1")))
    handler, outlet = world.open(word)
    for _ in range(BURST - 1):
        handler.received(b"")
    assert not is_paused(outlet)
    handler.received(b"")
    assert is_paused(outlet)
    assert counted(world, "requests") == 1.0
    world.clock.advance(0.05)
    assert not is_paused(outlet)
    handler.received(b"")
    handler.closed("client")
    outlet.paused = True
    world.clock.advance(10.0)
    assert is_paused(outlet)


@pytest.mark.parametrize("word", ["WatchAssignments", "ReportLoad"])
def test_stream_ended_by_a_bad_request_is_counted_and_hears_no_more(word: str) -> None:
    """The breach ends it; what is still handed over afterwards is dropped."""
    world = World()
    handler, outlet = world.open(word)
    handler.received(b"\xff")
    handler.received(b"\xff")
    assert outlet.status is not None
    assert counted(world, "malformed") == 1.0
