"""A type that is asked for the first time is answered by a short way, which does what the long way does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.stream import AdsStream
from lbcontrol.frontends.xds.subscription import Subscription
from tests.conformance.wire import TYPES
from tests.unit.xds.fakes import Bench, Stream

STREAMS = 2
NAMES = st.lists(st.sampled_from(["a", "b", "c", "nobody", "denied", "*"]), max_size=3, unique=True)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, STREAMS - 1), st.tuples(st.sampled_from(list(TYPES)), NAMES)),
    st.tuples(st.just("publish"), st.sampled_from("abc"), st.integers(1, 3)),
    st.tuples(st.just("block"), st.integers(0, STREAMS - 1), st.booleans()),
)


class World:
    """Two streams of one kind, with or without short ways."""

    def __init__(self, variant: str, *, fast_path: bool) -> None:
        limits = XdsLimits(types_per_stream=3)
        self.bench = Bench(a=[1], b=[1, 2], denied=["denied"], fast_path=fast_path, limits=limits)
        self.streams = [self.bench.open(variant) for _ in range(STREAMS)]
        self.sent: list[list[bytes]] = [[] for _ in range(STREAMS)]

    def step(self, what: str, first: int | str, second: Any) -> None:
        """Do one thing; keep what was sent, and how the streams ended."""
        if what == "publish":
            services: dict[str, Any] = {str(first): [second]}
            self.bench.publish(**services)
        elif what == "block":
            self._block(self.streams[int(first)], is_full=second)
        else:
            self.streams[int(first)].ask(second[0], second[1])
        for kept, stream in zip(self.sent, self.streams, strict=True):
            kept += [payload.message for payload in stream.outlet.sent]
            stream.news()

    def _block(self, stream: Stream, *, is_full: bool) -> None:
        stream.outlet.full = is_full
        if not is_full:
            stream.handler.writable()

    def books(self) -> list[Any]:
        """Return all that streams know of what they asked for."""
        return [
            [_book(sub) for sub in stream.handler.subscriptions.values()] + [stream.outlet.status]
            for stream in self.streams
        ]


def _book(sub: Subscription) -> Any:
    marks = [set(each) for each in (sub.dirty, sub.owed, sub.held, sub.rewarmed)]
    entries = {name: (each.version, each.nonce, each.since, each.mark) for name, each in sub.entries.items()}
    flags = sub.wildcard, sub.touched, sub.everything, sub.due, sub.delayed, sub.crossed
    return sub.type, set(sub.names), entries, sub.nonce, sub.acknowledged, list(sub.pending), marks, flags


@pytest.mark.timeout(60)  # 150 sequences, each on two servers
@pytest.mark.parametrize("variant", ["sotw", "delta"])
@settings(max_examples=75, deadline=None)
@given(steps=st.lists(STEPS, min_size=1, max_size=12))
def test_both_ways_say_and_note_the_same(variant: str, steps: list[Any]) -> None:
    """Requests of any type for names that are there or not, changes and full outlets: no byte and no note differs."""
    short, long = World(variant, fast_path=True), World(variant, fast_path=False)
    for step in steps:
        short.step(*step)
        long.step(*step)
        assert short.sent == long.sent
        assert short.books() == long.books()


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_storm_takes_the_short_way(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask for four types in a row never take the long way, and are followed as if they had."""
    monkeypatch.setattr(AdsStream, "_take", None)
    bench = Bench(a=[1])
    streams = [bench.open(variant) for _ in range(3)]
    for stream in streams:
        for kind in ("LDS", "RDS", "CDS", "EDS"):
            stream.ask(kind, ["a"])
    assert [kind for stream in streams for kind, _ in stream.told()] == ["LDS", "RDS", "CDS", "EDS"] * 3
    assert bench.front.responses.assembled == 4
    bench.publish(a=[2])
    assert [stream.told() for stream in streams] == [[("EDS", ["a"])]] * 3
