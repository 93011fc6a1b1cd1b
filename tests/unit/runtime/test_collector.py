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
