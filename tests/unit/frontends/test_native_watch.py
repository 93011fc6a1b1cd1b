"""WatchAssignments: newest wins, equal content is not sent again, bytes are shared, verdicts park."""

from __future__ import annotations

import pytest
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.model.clients import Role
from lbcontrol.runtime.ports import StatusCode
from tests.unit.frontends.fakes import World, decision, endpoint

A1 = decision("a", 1, endpoint("10.0.0.1:1", 1), aliases=("alias",))
A2 = decision("a", 2, endpoint("10.0.0.1:1", 2), aliases=("alias",))
A3 = decision("a", 3, endpoint("10.0.0.1:1", 1), aliases=("alias",))


def asked(*names: str, node: str = "n") -> bytes:
    """Return a request that subscribes to names."""
    return pb.WatchAssignmentsRequest(client={"node_id": node}, subscribe=names).SerializeToString()


def rejected(response: pb.WatchAssignmentsResponse, verdict: int = pb.VERDICT_REJECTED) -> bytes:
    """Return a request that judges what ``response`` carried."""
    one = pb.AssignmentVerdict(
        service=response.assignment.service,
        version=response.assignment.version,
        verdict=pb.Verdict.Name(verdict),
        error="x" * 2000,
    )
    return pb.WatchAssignmentsRequest(verdicts=[one]).SerializeToString()


def test_watch_sends_the_whole_assignment_and_every_change() -> None:
    """A subscriber gets what there is at once, then each change, with mark, weight and the name it asked for."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("alias"))
    (first,) = outlet.news()
    world.directory.put(A2)
    (second,) = outlet.news()
    assert (first.name, first.assignment.service, first.assignment.mark.revision) == ("alias", "a", 1)
    assert [(e.address, e.weight) for e in second.assignment.endpoints] == [("10.0.0.1:1", 2)]


def test_watch_skips_to_the_newest_when_the_reader_is_slow() -> None:
    """While the outlet is full nothing is queued; what is sent afterwards is the newest only."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    outlet.news()
    outlet.full = True
    world.directory.put(A2, decision("a", 4, endpoint("10.0.0.1:1", 9)))
    outlet.full = False
    handler.writable()
    assert [news.assignment.endpoints[0].weight for news in outlet.news()] == [9]


def test_watch_sends_nothing_when_content_returned_meanwhile() -> None:
    """A to B to A while the outlet was full leaves equal bytes, and equal bytes are never sent."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    outlet.news()
    outlet.full = True
    world.directory.put(A2, A3)
    outlet.full = False
    handler.writable()
    assert outlet.news() == []


def test_assignment_is_encoded_once_for_all_streams() -> None:
    """Hundred streams share one encoding and its bytes, whatever name they used."""
    world = World()
    streams = [world.open("WatchAssignments") for _ in range(100)]
    for n, (handler, _) in enumerate(streams):
        handler.received(asked("alias" if n % 2 else "a"))
        streams[n][1].sent.clear()
    world.directory.put(A1)
    assert world.front.encoder.encodes == 1
    assert len({id(outlet.sent[0].body) for _, outlet in streams}) == 1


def test_watch_is_silent_for_a_name_until_the_sources_have_synced() -> None:
    """Before the sync nothing is said; after it, that nobody serves the name, with its code."""
    world = World()
    world.directory.ready = False
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("greter"))
    silent = outlet.news()
    world.directory.ready = True
    world.directory.tell("greter")
    (told,) = outlet.news()
    assert silent == []
    assert (told.unknown.service, told.unknown.error.code) == ("greter", "LB310")


def test_watch_tells_of_a_removal_and_of_the_return() -> None:
    """A removed service becomes unknown; the same assignment is sent again when it returns."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    world.directory.remove("a")
    world.directory.put(A1)
    assert [news.WhichOneof("news") for news in outlet.news()] == ["assignment", "unknown", "assignment"]


def test_watch_answers_forbidden_like_unknown() -> None:
    """A service the caller may not read looks exactly like one that does not exist."""
    world = World(denied=((Role.READ, "a"),))
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    handler.received(asked("b"))
    hidden, absent = outlet.news()
    assert hidden.SerializeToString().replace(b"a", b"b") == absent.SerializeToString().replace(b"a", b"b")


def test_rejected_version_is_parked_until_the_content_changes() -> None:
    """What a client rejected is not sent again on its stream; other content is, and the cause is kept to 1 KB."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    (first,) = outlet.news()
    handler.received(rejected(first))
    world.directory.put(A2, A3)
    assert [news.assignment.mark.revision for news in outlet.news()] == [2]
    (client,) = world.front.clients()
    (subscription,) = client.subscriptions
    assert subscription.rejection is not None
    assert (subscription.rejection.code, len(subscription.rejection.why)) == ("LB301", 1024)


def test_verdict_on_a_replaced_version_is_ignored() -> None:
    """A late rejection of an earlier version neither parks nor accuses the one in force."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    (first,) = outlet.news()
    world.directory.put(A2)
    handler.received(rejected(first))
    (client,) = world.front.clients()
    assert client.subscriptions[0].rejection is None


def test_client_that_never_gives_a_verdict_counts_as_following() -> None:
    """Verdicts are optional: it is behind for two seconds after each change, and holds up nobody for longer."""
    world = World()
    world.directory.put(A1)
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a"))
    for newest in (A1, A2):
        world.directory.put(newest)
        outlet.news()
        world.clock.advance(1.9)
        (behind,) = next(iter(world.front.clients())).subscriptions
        assert behind.since is not None
        world.clock.advance(0.2)
        (follows,) = next(iter(world.front.clients())).subscriptions
        assert (follows.since, follows.acknowledged_mark) == (None, newest.mark)


def test_unsubscribed_and_closed_streams_leave_no_watcher() -> None:
    """Names that are no longer followed, and streams that ended, are forgotten everywhere."""
    world = World()
    handler, outlet = world.open("WatchAssignments")
    handler.received(asked("a", "b"))
    handler.received(pb.WatchAssignmentsRequest(unsubscribe=["a"]).SerializeToString())
    outlet.news()
    world.directory.put(A1)
    assert outlet.news() == []
    handler.closed("cancelled")
    assert not any(world.directory.watchers.values())
    assert list(world.front.clients()) == []


@pytest.mark.parametrize(
    ("request_bytes", "fits"),
    [
        (asked("x" * 512), True),
        (asked("x" * 513), False),
        (asked(""), False),
        (asked("x", node="n" * 256), True),
        (asked("x", node="n" * 257), False),
        (asked(*(f"n{i}" for i in range(10_000))), True),
        (asked(*(f"n{i}" for i in range(10_001))), False),
        (b"\xff\xff", False),
    ],
)
def test_watch_limits_hold_at_their_boundary(request_bytes: bytes, fits: bool) -> None:
    """The last allowed value passes, the next one ends the stream as INVALID_ARGUMENT and leaves nothing behind."""
    world = World()
    handler, outlet = world.open("WatchAssignments")
    handler.received(request_bytes)
    assert (outlet.status is None) == fits
    if outlet.status is not None:
        assert outlet.status.code is StatusCode.INVALID_ARGUMENT
        assert not any(world.directory.watchers.values())


def test_native_messages_are_limited_to_256_kilobytes() -> None:
    """Every method of the native API states its limit to the transport, which refuses by the length prefix."""
    assert {method.max_message_bytes for method in World().front.methods()} == {262_144}
    assert all((method.stream is None) != (method.unary is None) for method in World().front.methods())
