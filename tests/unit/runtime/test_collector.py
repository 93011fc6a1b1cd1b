"""Holding the cycle collector back."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from lbcontrol.runtime.collector import CollectorPause


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    """Leave the collector as it was."""
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def test_collector_waits_until_the_last_block_ends() -> None:
    """Blocks overlap; an error in one of them ends it too."""
    paused = CollectorPause()
    states = []

    def fail() -> None:
        with paused():
            states.append(gc.isenabled())
            raise KeyError

    with paused():
        with pytest.raises(KeyError):
            fail()
        states.append(gc.isenabled())
    assert [*states, gc.isenabled()] == [False, False, True]


def test_collector_that_was_off_stays_off() -> None:
    """Who switched it off for good is not overruled."""
    paused = CollectorPause()
    gc.disable()
    with paused():
        pass
    assert not gc.isenabled()


def test_what_a_block_has_built_is_passed_over_by_later_collections() -> None:
    """Young garbage from before goes first, because afterwards it would stay."""
    paused = CollectorPause()
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    young = gc.get_stats()[1]["collections"]
    with paused():
        built = [[number] for number in range(5_000)]
        assert gc.get_stats()[1]["collections"] == young + 1
    assert not any(each is built for generation in range(3) for each in gc.get_objects(generation))
    assert gc.get_freeze_count() > len(built)
