"""Followers are told in slices of time."""

from __future__ import annotations

from collections.abc import Sequence

from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.runtime.telling import SLICE, Teller
from lbcontrol.runtime.views import Change

A: Change = (ResourceType.ENDPOINTS, "a")
B: Change = (ResourceType.ENDPOINTS, "b")


class Slow:
    """A follower that takes more than half a slice."""

    def __init__(self, bench: Bench) -> None:
        """Note calls in the bench's list."""
        self._bench = bench

    def changed(self, changes: Sequence[Change]) -> None:
        """Take time."""
        self._bench.calls.append((self, tuple(changes)))
        self._bench.clock.advance(0.6 * SLICE)
        if self._bench.raises:
            raise ZeroDivisionError


class Bench:
    """A teller and four followers."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.teller = Teller(self.clock, Supervisor(self.metrics, self.clock))
        self.calls: list[tuple[Slow, tuple[Change, ...]]] = []
        self.raises = False
        self.ends: list[str] = []
        self.followers = [Slow(self) for _ in range(4)]

    def tell(self, *changes: Change, end: str = "") -> None:
        """Tell all followers."""
        self.teller.tell(dict.fromkeys(self.followers, changes), told=lambda: self.ends.append(end))


def test_followers_are_told_in_order_a_slice_at_a_time() -> None:
    """Two fit into one slice; the others come with the loop's next turn, and then it is said that all were told."""
    bench = Bench()
    bench.tell(A, end="all")
    assert (len(bench.calls), bench.ends) == (2, [])
    bench.clock.advance()
    assert [follower for follower, _ in bench.calls] == bench.followers
    assert bench.ends == ["all"]


def test_news_are_added_to_what_a_follower_waits_for() -> None:
    """Who was told already is told again behind the others; who waits is told everything once, and keeps its place."""
    bench = Bench()
    bench.tell(A, end="first")
    bench.tell(A, B, end="second")
    assert len(bench.calls) == 2
    bench.teller.finish()
    one, two, three, four = bench.followers
    assert bench.calls[2:] == [(three, (A, B)), (four, (A, B)), (one, (A, B)), (two, (A, B))]
    assert bench.ends == ["first", "second"]


def test_follower_that_raises_does_not_keep_others_from_being_told() -> None:
    """Each failure is counted, and the rest goes on."""
    bench = Bench()
    bench.raises = True
    bench.tell(A)
    bench.teller.finish()
    assert len(bench.calls) == 4
    assert bench.metrics.registry.get_sample_value("lbcontrol_internal_errors_total", {"part": "follower"}) == 4


def test_nobody_to_tell_is_said_at_once() -> None:
    """An empty telling ends where it begins."""
    bench = Bench()
    bench.teller.tell({}, told=lambda: bench.ends.append("none"))
    assert bench.ends == ["none"]
