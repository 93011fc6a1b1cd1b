"""Long loops over live state: made in slices, so that the event loop goes on in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

from lbcontrol.runtime.ports import Clock

SLICE = 0.005
"""Seconds of one slice."""

T = TypeVar("T")


async def in_slices(items: Iterable[T], *, clock: Clock) -> list[T]:
    """Return what an iterator yields, with a turn of the loop every few milliseconds.

    Args:
        items: Made as they are asked for, of things that may change between two of them.
        clock: Measures the slices.
    """
    found: list[T] = []
    until = clock.now() + SLICE
    for each in items:
        found.append(each)
        if clock.now() >= until:
            await asyncio.sleep(0)
            until = clock.now() + SLICE
    return found
