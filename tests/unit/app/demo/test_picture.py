"""What the demo keeps of the calls its client made."""

from __future__ import annotations

import pytest

from lbcontrol.app.demo.picture import Picture, Tick, percentile


@pytest.fixture
def picture() -> Picture:
    """Two seconds of calls: a gets three of four until 1.0, then b gets all; one call is lost at 1.5."""
    made = Picture()
    made.add(Tick(0.5, {"a": [5.0, 6.0, 7.0], "b": [9.0]}, []))
    made.add(Tick(1.5, {"a": [], "b": [10.0, 11.0]}, ["UNAVAILABLE: gone"]))
    return made


def test_shares_are_of_the_calls_after_a_moment(picture: Picture) -> None:
    """The share of a backend is of the calls that ended after the given time, however long ago others did."""
    assert picture.shares(0.0) == {"a": 0.5, "b": 0.5}
    assert picture.shares(1.0)["b"] == 1.0
    assert picture.shares(2.0) == {}


def test_lost_calls_are_counted_with_their_reason(picture: Picture) -> None:
    """A lost call stays in the count although its report is forgotten."""
    picture.add(Tick(100.0, {}, []))
    assert (picture.lost, picture.reasons["UNAVAILABLE: gone"]) == (1, 1)
    assert picture.since(0.0) == {}


def test_first_and_last_call_of_a_backend_are_known(picture: Picture) -> None:
    """A report without calls of a backend does not move its last call."""
    assert (picture.first_call["a"], picture.last_call["a"], picture.last_call["b"]) == (0.5, 0.5, 1.5)
    assert picture.called_after("b", 0.5) == 1.5
    assert picture.called_after("a", 0.5) is None


def test_rate_is_of_finished_calls_per_second(picture: Picture) -> None:
    """Six calls in two seconds are three a second."""
    assert picture.rate(2.0, window=2.0) == 3.0


@pytest.mark.parametrize(("values", "wanted"), [([], None), ([3.0], 3.0), ([1.0, 2.0, 3.0, 4.0], 3.0)])
def test_percentile_picks_a_value_that_was_seen(values: list[float], wanted: float | None) -> None:
    """The median of nothing is nothing; else it is one of the values."""
    assert percentile(values, 0.5) == wanted
