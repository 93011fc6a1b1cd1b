"""Long loops leave the event loop its turns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.slices import SLICE, in_slices


async def test_loop_has_a_turn_after_each_slice() -> None:
    """Ten items of half a slice each: the loop goes on after every second one."""
    clock = FakeClock()
    made: list[int] = []
    turns: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            clock.advance(SLICE * 0.51)
            made.append(number)
            yield number

    async def watch() -> None:
        while len(made) < 10:
            turns.append(len(made))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    assert await in_slices(items(), clock=clock) == list(range(10))
    await watching
    assert turns == [2, 4, 6, 8]
