"""When changes reach streams: at once after quiet, bundled in bursts, weights at their interval."""

from __future__ import annotations

from collections.abc import Sequence

from lbcontrol.model.assignment import Urgency
from lbcontrol.runtime.pacing import Pace
from lbcontrol.runtime.publisher import PublisherOptions
from lbcontrol.runtime.telling import SLICE
from lbcontrol.runtime.views import Change
from tests.unit.runtime.fakes import CLUSTER, ENDPOINTS, HeldWorker, Stream, World, body


def weight_of(stream: Stream) -> int:
    """Return the weight of the first endpoint that a stream has read."""
    text = body(stream.read[ENDPOINTS, "a"]).decode()
    return int(text.split("weight=")[1].split(",")[0])


def quiet_stream(world: World, kind: str = "grpc-go") -> Stream:
    """Return a stream that follows service a, some time after everything was told."""
    world.decide("a", 1)
    stream = world.stream((ENDPOINTS, "a"), kind=kind)
    world.clock.advance(10)
    stream.told.clear()
    return stream


def test_removal_and_weights_go_at_once_after_quiet() -> None:
    """A lone change waits for the next loop turn and no longer, whatever it is."""
    for urgency in (Urgency.IMMEDIATE, Urgency.WEIGHT):
        world = World()
        stream = quiet_stream(world)
        world.decide("a", 2, urgency=urgency)
        assert stream.told == []
        world.clock.advance(0)
        assert weight_of(stream) == 2


def test_addition_goes_within_50_ms() -> None:
    """Additions wait a little for one another."""
    world = World()
    stream = quiet_stream(world)
    world.decide("a", 2, urgency=Urgency.ADDITION)
    world.clock.advance(0.01)
    assert stream.told == []
    world.decide("a", 3, urgency=Urgency.ADDITION)
    world.clock.advance(0.011)
    assert len(stream.told) == 1
    assert weight_of(stream) == 3


def test_burst_reaches_a_stream_as_few_messages() -> None:
    """50 removals in 100 ms are at most 5 messages, none later than 50 ms, and the last state arrives."""
    world = World()
    stream = quiet_stream(world)
    for number in range(50):
        world.decide("a", 100 + number)
        world.clock.advance(0.002)
    world.clock.advance(0.05)
    assert len(stream.told) <= 5
    assert weight_of(stream) == 149


def test_weights_wait_for_the_control_interval() -> None:
    """After one flush of weights the next comes a second later, with the newest state."""
    world = World()
    stream = quiet_stream(world)
    for weight in range(2, 12):
        world.decide("a", weight, urgency=Urgency.WEIGHT)
        world.clock.advance(0.09)
    assert len(stream.told) == 1
    world.clock.advance(0.11)
    assert len(stream.told) == 2
    assert weight_of(stream) == 11


def test_urgent_change_carries_waiting_weights_along() -> None:
    """A removal elsewhere on the view does not leave weights behind."""
    world = World()
    world.decide("b", 1)
    stream = quiet_stream(world).follow((ENDPOINTS, "b"))
    world.decide("a", 2, urgency=Urgency.WEIGHT)
    world.clock.advance(0.1)
    world.decide("a", 3, urgency=Urgency.WEIGHT)
    world.decide("b", 2)
    world.clock.advance(0.05)
    assert stream.told[1:] == [((ENDPOINTS, "a"), (ENDPOINTS, "b"))]
    assert weight_of(stream) == 3


def test_kind_that_redials_gets_weights_late_and_removals_at_once() -> None:
    """Weights alone wait the kind's delay even after quiet; other services' removals do not carry them."""
    world = World()
    world.decide("b", 1)
    stream = quiet_stream(world, "grpc-node").follow((ENDPOINTS, "b"))
    world.decide("a", 2, urgency=Urgency.WEIGHT)
    world.decide("b", 2)
    world.clock.advance(0.9)
    assert stream.told == [((ENDPOINTS, "b"),)]
    world.clock.advance(0.2)
    assert weight_of(stream) == 2
    world.decide("a", 3, urgency=Urgency.WEIGHT)
    world.decide("a", 4)
    world.clock.advance(0.05)
    assert weight_of(stream) == 4


def test_next_flush_keeps_away_as_long_as_the_last_one_took() -> None:
    """When telling streams takes 300 ms, the next round starts 300 ms later, so that half of the time is free."""
    world = World()
    stream = quiet_stream(world)
    tell = stream.changed
    stream.changed = lambda changes: (tell(changes), world.clock.advance(0.3))  # type: ignore[method-assign,assignment,func-returns-value]  # slow
    world.decide("a", 2)
    world.clock.advance(0)
    world.decide("a", 3)
    world.clock.advance(0.29)
    assert len(stream.told) == 1
    world.clock.advance(0.02)
    assert weight_of(stream) == 3


def test_big_service_is_compiled_by_the_worker() -> None:
    """Its last resources stay in force meanwhile, others are not held up, and what came meanwhile follows."""
    worker = HeldWorker()
    world = World(PublisherOptions(worker=worker, big=3))
    world.decide("a", 1, 1, 1, 1)
    world.decide("b", 1)
    stream = world.stream((ENDPOINTS, "a"), (ENDPOINTS, "b"), (CLUSTER, "a"))
    assert str(stream.read[ENDPOINTS, "a"]) == "Absence.WAITING"
    world.clock.advance(0.1)
    worker.step()
    assert weight_of(stream) == 1
    world.decide("a", 2, 1, 1, 1)
    world.decide("b", 5)
    world.clock.advance(0.1)
    assert (weight_of(stream), len(worker.jobs)) == (1, 1)
    assert b"weight=5" in body(stream.read[ENDPOINTS, "b"])
    world.decide("a", 3, 1, 1, 1)
    world.clock.advance(1)
    worker.step()
    assert weight_of(stream) == 2
    world.clock.advance(1)
    worker.step()
    assert weight_of(stream) == 3
    world.clock.advance(10)
    assert not worker.jobs


def test_worker_begins_when_the_followers_of_small_services_have_been_told() -> None:
    """Both at once would hold up each other: one interpreter runs one thread at a time."""
    worker, seen = HeldWorker(), []
    world = World(PublisherOptions(worker=worker, big=3))
    world.decide("big", 1, 1, 1, 1)
    world.decide("small", 1)
    follower = world.stream((ENDPOINTS, "big"), (ENDPOINTS, "small"))
    world.clock.advance(0.1)
    worker.step()

    class Slow(Stream):
        """A follower that takes a whole slice."""

        def changed(self, changes: Sequence[Change]) -> None:
            """Note whether the worker has been given anything yet."""
            super().changed(changes)
            seen.append(len(worker.jobs))
            world.clock.advance(SLICE)

    for _ in range(3):
        Slow(world.view()).follow((ENDPOINTS, "small"))
    world.decide("big", 2, 1, 1, 1)
    world.decide("small", 5)
    world.clock.advance(0.5)
    assert (seen, len(worker.jobs)) == ([0, 0, 0], 1)
    worker.step()
    assert b"weight=2" in body(follower.read[ENDPOINTS, "big"])


def test_big_service_removed_while_it_is_compiled_is_gone() -> None:
    """What the worker made of a service that does not exist any more is thrown away."""
    worker = HeldWorker()
    world = World(PublisherOptions(worker=worker, big=1))
    world.decide("a", 1, 1)
    stream = world.stream((ENDPOINTS, "a"))
    world.clock.advance(0.1)
    world.decide("a", removed=True)
    world.clock.advance(0.1)
    worker.step()
    world.clock.advance(1)
    assert str(world.view().resource(ENDPOINTS, "a")) == "Absence.UNKNOWN"
    assert str(stream.read[ENDPOINTS, "a"]) == "Absence.UNKNOWN"


def test_pace_takes_everything_when_told_to() -> None:
    """Taking all empties it; nothing is due then."""
    pace = Pace(interval=1.0)
    pace.want("a", Urgency.WEIGHT, now=5.0)
    pace.want("b", Urgency.ADDITION, now=6.0)
    assert pace.waits("a")
    assert pace.take_all(7.0) == {"a": 5.0, "b": 6.0}
    assert pace.due is None
    assert pace.take(100.0) == {}


def test_later_wish_does_not_put_off_an_earlier_one() -> None:
    """What is due first decides when the timer fires."""
    pace = Pace(interval=1.0)
    pace.want("a", Urgency.ADDITION, now=5.0)
    due = pace.due
    pace.want("b", Urgency.ADDITION, now=5.01)
    assert pace.due == due


def test_flush_at_the_end_is_not_undone_by_a_slow_worker() -> None:
    """What the worker made of an older decision does not replace what was made of the newest."""
    worker = HeldWorker()
    world = World(PublisherOptions(worker=worker, big=1))
    world.decide("a", 1, 1)
    stream = world.stream((ENDPOINTS, "a"))
    world.clock.advance(0.1)
    world.decide("a", 2, 1)
    world.publisher.flush()
    assert weight_of(stream) == 2
    worker.step()
    world.clock.advance(5)
    assert weight_of(stream) == 2
