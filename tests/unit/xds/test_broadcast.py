"""The short way of a change to many streams does what the long way does, only faster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.xds.fakes import Bench, Stream

STREAMS = 3
STEPS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from("ab"), st.integers(1, 3)),
    st.tuples(st.just("ack"), st.integers(0, STREAMS - 1), st.sampled_from(["", "bad"])),
    st.tuples(st.just("names"), st.integers(0, STREAMS - 1), st.sampled_from(["a", "b", "ab"])),
    st.tuples(st.just("block"), st.integers(0, STREAMS - 1), st.booleans()),
)


class World:
    """Three streams of one kind, with or without the short way."""

    def __init__(self, variant: str, *, short: bool) -> None:
        self.bench = Bench(a=[1], b=[1])
        self.streams = [self.bench.open(variant) for _ in range(STREAMS)]
        self.names = ["a"] * STREAMS
        self.sent: list[list[bytes]] = [[] for _ in range(STREAMS)]
        if not short:
            setattr(self.streams[0].handler._shared.broadcast, "news", lambda *_, **__: None)  # noqa: B010
        for stream in self.streams:
            stream.ask("EDS", ["a"])
            stream.news()

    def step(self, what: str, first: int | str, second: object) -> None:
        """Do one thing; keep what was sent."""
        if what == "publish":
            services: dict[str, Any] = {str(first): [second]}
            self.bench.publish(**services)
        else:
            self._client(what, int(first), second)
        for kept, stream in zip(self.sent, self.streams, strict=True):
            kept += [payload.message for payload in stream.outlet.sent]
            stream.news()

    def _client(self, what: str, number: int, second: object) -> None:
        stream: Stream = self.streams[number]
        if what == "block":
            stream.outlet.full = bool(second)
            if not second:
                stream.handler.writable()
            return
        if what == "names":
            self.names[number] = str(second)
        more = {"error": "bad"} if second == "bad" else {}
        stream.ask("EDS", list(self.names[number]), **more)


@pytest.mark.timeout(60)  # 50 sequences, each on two servers
@settings(max_examples=50, deadline=None)
@given(steps=st.lists(STEPS, max_size=14), variant=st.sampled_from(["sotw", "delta"]))
def test_short_way_sends_what_the_long_way_sends(steps: list[tuple[str, int | str, object]], variant: str) -> None:
    """Over changes, ACKs, NACKs, other names and full outlets every stream gets the same bytes, nonces included."""
    short, long = World(variant, short=True), World(variant, short=False)
    for step in steps:
        short.step(*step)
        long.step(*step)
        assert short.sent == long.sent
    pushed = {"protocol": "xds", "type": "endpoints"}
    assert short.bench.count("pushes_total", **pushed) == long.bench.count("pushes_total", **pushed)
    for verdict in ("ack", "nack", "stale"):
        assert short.bench.count("acks_total", verdict=verdict) == long.bench.count("acks_total", verdict=verdict)


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_quiet_streams_take_the_short_way(variant: str) -> None:
    """A change reaches streams that have acknowledged what they hold without a look at anything else of theirs."""
    bench = Bench(a=[1])
    streams = [bench.open(variant) for _ in range(5)]
    for stream in streams:
        stream.ask("EDS", ["a"])
        stream.news()
        stream.ask("EDS", ["a"] if variant == "sotw" else [])
    broadcast = streams[0].handler._shared.broadcast
    before, found = broadcast.news, []

    def watched(*args: Any, **words: Any) -> object:
        found.append(before(*args, **words))
        return found[-1]

    setattr(broadcast, "news", watched)  # noqa: B010
    bench.publish(a=[2])
    assert [len(stream.payloads()) for stream in streams] == [1] * 5
    assert len(found) == 5
    assert None not in found


def test_stream_that_has_ended_is_told_nothing() -> None:
    """A change that comes after the end is dropped on either way."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.payloads()
    stream.handler.closed("client")
    bench.publish(a=[2])
    assert stream.payloads() == []
