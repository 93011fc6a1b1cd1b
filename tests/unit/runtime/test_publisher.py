"""The publisher shares encodings, keeps what is good, and answers by what is known."""

from __future__ import annotations

import gc

import pytest

from lbcontrol.model.assignment import Urgency
from lbcontrol.model.endpoints import Locality
from lbcontrol.model.rendering import Resource
from lbcontrol.runtime.rendering import version_of
from lbcontrol.runtime.stand_ins import MOST_STAND_INS
from lbcontrol.runtime.views import ALL, Absence
from tests.unit.runtime.fakes import (
    BAD_WEIGHT,
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    RAISING_WEIGHT,
    ROUTE,
    World,
    body,
)


def test_one_weight_change_is_encoded_once_per_cohort_and_carrier() -> None:
    """1,000 streams of two kinds with one carrier, one kind with another, in two zones: 4 encodings."""
    world = World()
    world.decide("a", 1, 2, zones=("z1", "z2"))
    streams = [
        world.stream((ENDPOINTS, "a"), kind=kind, zone=zone)
        for _ in range(170)
        for kind in ("grpc-go", "grpc-cpp", "envoy")
        for zone in ("z1", "z2")
    ]
    world.clock.advance(5)
    before = world.encodes()
    world.decide("a", 1, 3, zones=("z1", "z2"), urgency=Urgency.WEIGHT)
    world.clock.advance(5)
    assert world.encodes() - before == 4
    assert all(len(stream.told) == 1 and b"weight=3" in body(stream.read[ENDPOINTS, "a"]) for stream in streams)
    assert len({id(stream.told[0]) for stream in streams}) == 6


def test_nothing_is_encoded_for_nobody() -> None:
    """Decisions without followers cost no encoding, and what was left is not encoded anew."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((ENDPOINTS, "a"))
    assert world.encodes() == 1
    stream.leave()
    world.decide("a", 2)
    world.clock.advance(5)
    assert (world.encodes(), world.encodes(CLUSTER)) == (1, 0)


def test_equal_content_stays_the_same_object() -> None:
    """A new decision that compiles to the same form changes nothing and tells nobody."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((CLUSTER, "a"), (ENDPOINTS, "a"))
    first = dict(stream.read)
    world.decide("a", 1)
    world.clock.advance(5)
    assert stream.told == []
    assert {what: world.view().resource(*what) for what in first} == first
    assert world.view().decision("a") is not None
    assert world.view().decision("a").mark.revision == 2  # type: ignore[union-attr]  # just looked


def test_versions_are_equal_exactly_for_equal_bytes() -> None:
    """A, B, A again: the third has the version of the first, because the version is a digest of the bytes."""
    world = World()
    stream = world.stream((ENDPOINTS, "a"))
    seen = []
    for weight in (1, 2, 1):
        world.decide("a", weight)
        world.clock.advance(5)
        answer = stream.read[ENDPOINTS, "a"]
        assert isinstance(answer, Resource)
        assert answer.version == version_of(answer.body)
        seen.append(answer.version)
    assert seen[0] == seen[2] != seen[1]


def test_form_with_problems_is_not_published() -> None:
    """The last good resource stays, the finding is shown, and goes when the form is good again."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((ENDPOINTS, "a"))
    good = stream.read[ENDPOINTS, "a"]
    world.decide("a", BAD_WEIGHT)
    world.clock.advance(5)
    assert world.view().resource(ENDPOINTS, "a") is good
    assert [finding.code for finding in world.publisher.findings()] == ["LB301"]
    world.decide("a", 2)
    world.clock.advance(5)
    assert b"weight=2" in body(stream.read[ENDPOINTS, "a"])
    assert world.publisher.findings() == []


def test_form_that_was_never_good_is_waited_for() -> None:
    """A service without anything publishable is not unknown, and not listed."""
    world = World()
    world.decide("a", BAD_WEIGHT)
    assert world.view().resource(ENDPOINTS, "a") is Absence.WAITING
    assert world.view().names(ENDPOINTS) == ()
    assert world.view().names(CLUSTER) == ("a",)


def test_compiler_that_raises_freezes_only_its_service() -> None:
    """The exception is counted and shown; the service keeps its resources and others go on."""
    world = World()
    world.decide("a", 1)
    world.decide("b", 1)
    stream = world.stream((ENDPOINTS, "a"), (ENDPOINTS, "b"))
    world.decide("a", RAISING_WEIGHT)
    world.decide("b", 2)
    world.clock.advance(5)
    assert b"weight=1" in body(world.view().resource(ENDPOINTS, "a"))
    assert b"weight=2" in body(stream.read[ENDPOINTS, "b"])
    assert [finding.code for finding in world.publisher.findings()] == ["LB904"]
    assert world.sample("internal_errors_total", part="compile") == 1


def test_follower_that_raises_does_not_keep_others_from_hearing() -> None:
    """A stream with a bug is counted; the next one is told all the same."""
    world = World()
    world.decide("a", 1)
    broken, other = world.stream((ENDPOINTS, "a")), world.stream((ENDPOINTS, "a"))
    broken.changed = lambda changes: 1 / 0  # type: ignore[method-assign,assignment]  # the bug
    world.decide("a", 2)
    world.clock.advance(5)
    assert len(other.told) == 1
    assert world.sample("internal_errors_total", part="follower") == 1


def test_changes_come_make_before_break() -> None:
    """New and changed things in order of type, then what is gone in the reverse order, each once."""
    world = World()
    world.decide("old", 1)
    names = [(type_, ALL) for type_ in (ROUTE, LISTENER, ENDPOINTS, CLUSTER)]
    stream = world.stream(*names)
    assert world.view().names(CLUSTER) == ("old",)
    for type_, _ in names:
        world.view().resource(type_, "old")
    world.decide("new", 1)
    world.decide("old", removed=True)
    world.clock.advance(5)
    made = [(type_, "new") for type_ in (CLUSTER, ENDPOINTS, LISTENER, ROUTE)]
    gone = [(type_, "old") for type_ in (ROUTE, LISTENER, ENDPOINTS, CLUSTER)]
    assert stream.told == [tuple(made + gone)]


def test_alias_that_moves_is_changed_and_not_gone() -> None:
    """The name one service gives up and another takes over is told once, among the new things."""
    world = World()
    world.decide("a", 1, aliases=("x",))
    world.decide("b", 1)
    stream = world.stream((LISTENER, "x"), (LISTENER, "b"))
    world.decide("a", 1)
    world.decide("b", 1, aliases=("x",))
    world.clock.advance(5)
    assert stream.told == [((LISTENER, "x"),)]
    assert b"route_name='b'" in body(stream.read[LISTENER, "x"])
    assert world.view().decision("x").service == "b"  # type: ignore[union-attr]  # just looked


def test_name_is_unknown_only_when_everything_was_read() -> None:
    """Before that the answer is to wait; afterwards a stand-in for gRPC kinds, absence for others."""
    world = World()
    world.knowledge.settled = False
    stream, other = world.stream((LISTENER, "x")), world.stream((LISTENER, "x"), (CLUSTER, "x"), kind="unknown")
    assert set(stream.read.values()) | set(other.read.values()) == {Absence.WAITING}
    assert world.view().names(LISTENER) is None
    world.publisher.sources_changed()
    assert stream.told == []
    world.knowledge.settled = True
    world.publisher.sources_changed()
    assert b"nowhere" in body(stream.read[LISTENER, "x"])
    assert set(other.read.values()) == {Absence.UNKNOWN}
    world.publisher.sources_changed()
    assert (len(stream.told), len(other.told)) == (1, 1)


def test_wildcard_hears_when_the_names_are_whole() -> None:
    """A partial set is never listed; when the sources have synced the follower is told to look again."""
    world = World()
    world.knowledge.settled = False
    world.decide("a", 1)
    stream = world.stream((CLUSTER, ALL))
    assert world.view().names(CLUSTER) is None
    world.clock.advance(5)
    stream.told.clear()
    world.knowledge.settled = True
    world.publisher.sources_changed()
    assert stream.told == [((CLUSTER, ALL),)]
    assert world.view().names(CLUSTER) == ("a",)


def test_follower_of_an_absent_name_hears_when_it_comes_and_goes() -> None:
    """Unknown, there, removed: each answer is told, and a late question in between loses nothing."""
    world = World()
    stream = world.stream((LISTENER, "a"), (ENDPOINTS, "a"))
    world.decide("a", 1)
    world.view().resource(ENDPOINTS, "a")
    world.clock.advance(5)
    assert stream.told == [((ENDPOINTS, "a"), (LISTENER, "a"))]
    assert b"weight=1" in body(stream.read[ENDPOINTS, "a"])
    world.decide("a", removed=True)
    world.clock.advance(5)
    assert stream.told[1:] == [((LISTENER, "a"), (ENDPOINTS, "a"))]
    assert stream.read[ENDPOINTS, "a"] is Absence.UNKNOWN
    assert b"nowhere" in body(stream.read[LISTENER, "a"])


def test_stand_in_is_shared_and_dropped_with_its_last_follower() -> None:
    """Encoded once for two kinds; kept until both have left; a forbidden name is answered alike."""
    world = World()
    go, cpp = world.stream((LISTENER, "x")), world.stream((LISTENER, "x"), kind="grpc-cpp")
    assert go.read == cpp.read
    assert world.encodes(LISTENER) == 1
    assert world.view().missing(LISTENER, "x") is go.read[LISTENER, "x"]
    go.leave()
    assert world.view("grpc-cpp").missing(LISTENER, "x") is cpp.read[LISTENER, "x"]
    cpp.leave()
    assert len(world.publisher._parts.stand_ins) == 0


def test_stand_ins_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit an unknown name is simply absent; unfollowed ones make room first."""
    assert MOST_STAND_INS == 2_000
    monkeypatch.setattr("lbcontrol.runtime.stand_ins.MOST_STAND_INS", 3)
    world = World()
    world.view().missing(LISTENER, "nobody follows this")
    streams = [world.stream((LISTENER, f"x{number}")) for number in range(5)]
    answers = [stream.read[LISTENER, f"x{number}"] for number, stream in enumerate(streams)]
    assert [isinstance(answer, Resource) for answer in answers] == [True, True, True, False, False]
    assert answers[4] is Absence.UNKNOWN


def test_names_of_other_types_do_not_exist_there() -> None:
    """An alias has a listener and nothing else; a kind without listeners has no listener for anything."""
    world = World()
    world.decide("a", 1, aliases=("x",))
    view, envoy = world.view("unknown"), world.view("envoy")
    assert view.names(LISTENER) == ("a", "x")
    assert view.names(CLUSTER) == envoy.names(CLUSTER) == ("a",)
    assert view.resource(CLUSTER, "x") is Absence.UNKNOWN
    assert envoy.names(LISTENER) == ()
    assert envoy.resource(LISTENER, "a") is Absence.UNKNOWN
    world.knowledge.settled = False
    assert envoy.resource(LISTENER, "a") is Absence.WAITING


def test_views_are_shared_and_go_with_their_holders() -> None:
    """Equal kinds and zones have one view; a view that nobody holds is gone."""
    world = World()
    view = world.view("grpc-node", "z1")
    assert view is world.view("grpc-node", "z1") is not world.view("grpc-node", "z2")
    assert (view.kind, view.carrier, view.jitter) == ("grpc-node", "locality", 5.0)
    del view
    gc.collect()
    assert world.publisher._all() == []


def test_client_of_a_zone_gets_its_cohort() -> None:
    """The zone's assignment where there is one, else everyone's; both may change with a decision."""
    world = World()
    made = world.decide("a", 1, zones=("z1",))
    assert made.cohort_for(Locality("r", "z1")) == "zone=r/z1"
    near, far = world.stream((ENDPOINTS, "a"), zone="z1"), world.stream((ENDPOINTS, "a"), zone="z9")
    assert world.encodes() == 2
    world.decide("a", 2)
    world.clock.advance(5)
    assert world.encodes() == 3
    assert near.read == far.read


def test_unfollowing_what_was_not_followed_is_harmless() -> None:
    """Streams clean up without looking."""
    world = World()
    world.decide("a", 1)
    stream = world.stream()
    world.view().unfollow(stream, (CLUSTER, "a"))
    stream.follow((CLUSTER, ALL), (CLUSTER, "a"), (CLUSTER, "a"))
    world.decide("b", 1)
    world.clock.advance(5)
    assert stream.told == [((CLUSTER, "b"),)]
    stream.leave()
    assert world.publisher.findings() == []


def test_streams_that_leave_leave_nothing_behind() -> None:
    """Whatever names a client asked for, present or not, are forgotten with its last follower."""
    world = World()
    world.decide("a", 1, aliases=("x",))
    keeper = world.stream()
    stream = world.stream(*((type_, name) for type_ in (CLUSTER, ENDPOINTS, LISTENER) for name in ("a", "x", "no")))
    stream.leave()
    view = keeper.view
    assert (view._held, view._aliases, view._answers, view.followers.changes()) == ({}, {}, {}, ())


def test_flush_publishes_what_waits_at_once() -> None:
    """Shutdown does not wait for the control interval."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((ENDPOINTS, "a"), kind="grpc-node")
    world.decide("a", 2, urgency=Urgency.WEIGHT)
    world.publisher.flush()
    assert b"weight=2" in body(stream.read[ENDPOINTS, "a"])
    world.clock.advance(5)
    assert len(stream.told) == 1
