"""Limits, pauses, slow readers, rights, and the one shared tick."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api.lbcontrol.v1 import common_pb2

from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.ticks import SharedTick
from lbcontrol.runtime.clock import FakeClock
from tests.conformance.wire import TYPES
from tests.unit.xds.fakes import Bench, Stream

BREACHES = {
    "type_missing": ("LB332", discovery_pb2.DiscoveryRequest(resource_names=["a"])),
    "names": ("LB333", discovery_pb2.DiscoveryRequest(type_url=TYPES["EDS"], resource_names=["1", "2", "3", "4"])),
    "name_length": ("LB334", discovery_pb2.DiscoveryRequest(type_url=TYPES["EDS"], resource_names=["ä" * 257])),
    "types": ("LB335", discovery_pb2.DiscoveryRequest(type_url="another")),
    "node_id": ("LB336", discovery_pb2.DiscoveryRequest(type_url="t", node={"id": "n" * 257})),
    "node_metadata": (
        "LB337",
        discovery_pb2.DiscoveryRequest(type_url="t", node={"metadata": {"k": "v" * 70_000}}),
    ),
}


@pytest.mark.parametrize("reason", BREACHES)
def test_breach_ends_the_stream_with_its_code(reason: str) -> None:
    """Each breach ends the stream with INVALID_ARGUMENT, its LB code as detail, and is counted by its reason."""
    code, request = BREACHES[reason]
    bench = Bench(a=[1], limits=XdsLimits(names_per_type=3, types_per_stream=2))
    stream = bench.open()
    if reason == "types":
        for kind in ("EDS", "BOGUS"):
            stream.ask(kind, ["a"])
    stream.handler.received(request.SerializeToString())
    status = stream.outlet.status
    assert status is not None
    assert (int(status.code), status.message[:5]) == (3, code)
    detail = common_pb2.ErrorDetail()
    RpcStatus.FromString(status.details).details[0].Unpack(detail)
    assert detail.code == code
    assert bench.count("rejected_total", layer="xds", reason=reason) == 1


def test_malformed_request_ends_the_stream() -> None:
    """Bytes that are no request end the stream with LB320."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.handler.received(b"\xff\xff\xff")
    assert stream.outlet.status is not None
    assert stream.outlet.status.message.startswith("LB320")
    assert bench.count("rejected_total", layer="xds", reason="malformed") == 1


def test_delta_names_add_up_over_requests() -> None:
    """The limit holds for what is subscribed in all, not for one request."""
    bench = Bench(a=[1], limits=XdsLimits(names_per_type=3))
    stream = bench.open("delta")
    stream.ask("EDS", ["1", "2", "3"])
    stream.ask("EDS", ["3"])
    endings = [stream.outlet.status]
    stream.ask("EDS", ["4"])
    endings.append(stream.outlet.status)
    assert [status and status.message[:5] for status in endings] == [None, "LB333"]


def test_asking_too_fast_pauses_reading_and_one_timer_resumes_all() -> None:
    """After 200 requests in a burst a stream is read at 50 a second; two paused streams wait for one tick."""
    bench = Bench(a=[1])
    streams = [bench.open(), bench.open()]
    for stream in streams:
        for _ in range(200):
            stream.ask("EDS", ["a"])
        assert stream.outlet.paused
    assert bench.count("rejected_total", layer="xds", reason="requests") == 2
    bench.clock.advance(0.06)
    assert [stream.outlet.paused for stream in streams] == [False, False]
    for _ in range(3):
        streams[0].ask("EDS", ["a"])
    assert streams[0].outlet.paused
    streams[0].handler.closed("reset")
    bench.clock.advance(1)
    assert streams[0].outlet.paused


def test_slow_reader_gets_the_newest_and_skips_are_counted() -> None:
    """While the outlet is full nothing queues: one response with the newest state follows, in order of type."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.ask("CDS", ["a", "b"])
    stream.news()
    stream.outlet.full = True
    bench.publish(a=[2])
    bench.publish(a=[3])
    bench.publish(a=[4], b=[1])
    stream.outlet.full = False
    stream.handler.writable()
    answers = stream.news()
    assert [answer.kind for answer in answers] == ["CDS", "EDS"]
    fresh = bench.open()
    fresh.ask("EDS", ["a"])
    assert fresh.news()[0].bodies == answers[1].bodies
    assert bench.count("mailbox_replaced_total") == 2


def test_slow_reader_with_equal_bytes_in_the_end_gets_nothing() -> None:
    """A to B to A while the outlet is full: the client has A."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.news()
    stream.outlet.full = True
    bench.publish(a=[2])
    bench.publish(a=[1])
    stream.outlet.full = False
    stream.handler.writable()
    assert stream.told() == []


def same_but_for_names(one: Stream, other: Stream) -> None:
    """Compare what two streams were sent, names aside."""
    pairs = zip(one.payloads(), other.payloads(), strict=True)
    for mine, theirs in pairs:
        assert len(mine.body) == len(theirs.body)
        assert mine.body.replace(b"hidden", b"absent")[30:] == theirs.body[30:]


@pytest.mark.parametrize("variant", ["sotw", "delta"])
@pytest.mark.parametrize("node", ["grpc", "envoy"])
def test_forbidden_names_look_like_unknown_ones(variant: str, node: str) -> None:
    """A service the identity may not read is answered in every type as one that does not exist."""
    bench = Bench(hidden=[1], denied=["hidden"])
    one, other = bench.open(variant), bench.open(variant)
    for kind in ("LDS", "RDS", "CDS", "EDS"):
        one.ask(kind, ["hidden"], node=node)
        other.ask(kind, ["absent"], node=node)
    same_but_for_names(one, other)
    bench.publish(hidden=[2])
    assert one.told() == []


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_wildcard_lists_only_what_may_be_read(variant: str) -> None:
    """Forbidden services are left out of a wildcard, now and when they change."""
    bench = Bench(a=[1], hidden=[1], denied=["hidden"])
    stream = bench.open(variant)
    stream.ask("CDS", [], node="envoy")
    assert stream.told() == [("CDS", ["a"])]
    bench.publish(without="hidden")
    assert stream.told() == []


def test_first_answers_of_returning_node_clients_are_spread() -> None:
    """A grpc-js client that comes back waits up to 5 s for its endpoints; a new one, and news, do not wait."""
    bench = Bench(a=[1])
    returning = [bench.open() for _ in range(20)]
    for stream in returning:
        stream.ask("EDS", ["a"], node="gRPC Node Pure JS", version="old")
    fresh = bench.open()
    fresh.ask("EDS", ["a"], node="gRPC Node Pure JS")
    assert len(fresh.told()) == 1
    assert sum(len(stream.told()) for stream in returning) == 0
    bench.clock.advance(2.5)
    at_half = sum(len(stream.told()) for stream in returning)
    assert 0 < at_half < 20
    bench.publish(a=[1, 2])
    assert at_half + len([stream for stream in returning if stream.told()]) >= 20
    bench.clock.advance(6)
    assert sum(len(stream.told()) for stream in returning) == 0


def test_shared_tick_runs_only_while_somebody_waits() -> None:
    """One timer serves all; a dropped key is not called, and what is called may drop another."""
    clock = FakeClock()
    tick = SharedTick(clock)
    called: list[str] = []

    def drops_b() -> None:
        called.append("a")
        tick.drop("b")

    tick.call("a", 0.1, callback=drops_b)
    tick.call("b", 0.1, callback=lambda: called.append("b"))
    tick.call("c", 0.3, callback=lambda: called.append("c"))
    clock.advance(0.16)
    assert (called, len(tick)) == (["a"], 1)
    clock.advance(1)
    assert (called, len(tick), len(clock._timers)) == (["a", "c"], 0, 0)


def test_unknown_types_and_names_are_counted() -> None:
    """Unknown types count each time; a name that nobody serves counts once for each subscription."""
    bench = Bench(a=[1])
    stream = bench.open()
    for _ in range(2):
        stream.ask("BOGUS", ["a"])
    for kind in ("LDS", "CDS", "EDS"):
        stream.ask(kind, ["nobody"])
    bench.publish(a=[2])
    assert bench.count("unknown_types_total") == 2
    assert bench.count("unknown_names_total") == 3


@pytest.mark.parametrize(("levels", "is_refused"), [(32, False), (33, True), (90, True)])
def test_metadata_is_refused_when_it_is_nested_too_deeply(levels: int, is_refused: bool) -> None:
    """32 levels of mappings and lists in the metadata of a node, by turns; each counts."""
    value: object = "v"
    for level in range(levels - 1):
        value = [value] if level % 2 else {"k": value}
    request = discovery_pb2.DiscoveryRequest(type_url=TYPES["EDS"], node={"metadata": {"k": value}})
    stream = Bench(a=[1]).open()
    stream.handler.received(request.SerializeToString())
    assert (stream.outlet.status is not None) == is_refused
