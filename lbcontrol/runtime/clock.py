"""Real time over asyncio, and virtual time for tests and simulation."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

from lbcontrol.runtime.ports import Timer


class LoopScheduler:
    """The running event loop as clock and scheduler."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Bind to ``loop``."""
        self._loop = loop

    now = staticmethod(time.monotonic)
    """Monotonic seconds of the loop: what the loop itself reads, and what every message asks for several times."""

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back once, ``delay`` seconds from now."""
        return self._loop.call_later(delay, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next loop turn."""
        self._loop.call_soon(callback)


class _FakeTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    """Virtual time: stands still until ``advance``; due callbacks run in order of time, then of arrival."""

    def __init__(self, now: float = 1_000.0, *, wall: float = 1_700_000_000.0) -> None:
        """Start at ``now`` monotonic and ``wall`` Unix seconds."""
        self._now = now
        self._wall_offset = wall - now
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _FakeTimer]] = []

    def now(self) -> float:
        """Virtual monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Virtual Unix seconds."""
        return self._now + self._wall_offset

    def jump_wall(self, seconds: float) -> None:
        """Move the wall clock alone, as an operator or NTP would."""
        self._wall_offset += seconds

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back when time has advanced by ``delay`` seconds."""
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (self._now + delay, next(self._order), timer))
        return timer

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back at the next ``advance``, even by zero."""
        self.call_later(0.0, callback)

    def advance(self, seconds: float = 0.0) -> None:
        """Let ``seconds`` pass and run everything that falls due."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            if timer.callback is not None:
                timer.callback()
        self._now = max(self._now, end)  # A callback may have let time pass itself.
