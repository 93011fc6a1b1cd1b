"""How late the event loop runs what is due: the one number that says whether something holds it up.

Something is due each ``PERIOD`` in thought only: the loop's selector says when a turn's work ended and when the next
began, and that is all there is to know. A timer of that period would cost half a percent of a core.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

from lbcontrol.runtime.metrics import Metrics

PERIOD = 0.02
"""Seconds between two measurements: a stall is seen at least as its length less this."""
ROUNDING = 0.002
"""Seconds by which every sleep may be longer: epoll counts in milliseconds, and rounds up."""
MOST_AT_ONCE = 500
"""Measurements of a long sleep that are noted; all of them are 0."""


class LagMeter:
    """Notes how late something would have run that is due each ``PERIOD``."""

    def __init__(self, metrics: Metrics, *, now: Callable[[], float] = time.monotonic) -> None:
        """Measure nothing before ``start``."""
        self.now = now
        self._observe = metrics.event_loop_lag_seconds.observe
        self._due = float("inf")
        self._wakes_at = float("inf")

    def start(self) -> None:
        """Begin to measure."""
        self._due = self.now() + PERIOD

    def stop(self) -> None:
        """End it."""
        self._due = float("inf")

    def worked(self, timeout: float | None) -> None:
        """A turn's work is done, and the loop will sleep at most so many seconds (None: until something happens)."""
        now = self.now()
        if now >= self._due:
            self._observe(now - self._due)
            self._due = now + PERIOD
        self._wakes_at = float("inf") if timeout is None else now + max(0.0, timeout)

    def woke(self) -> None:
        """The loop goes on: what was due while it slept ran on time, unless it slept too long."""
        now = self.now()
        late = now - self._wakes_at
        if late > ROUNDING and now >= self._due:
            self._observe(late)
            self._due = now + PERIOD
        elif now >= self._due:
            due = int((now - self._due) / PERIOD) + 1
            for _ in range(min(due, MOST_AT_ONCE)):
                self._observe(0.0)
            self._due = now + PERIOD


class MeteredSelector(selectors.DefaultSelector):
    """The selector of an asyncio loop that tells a meter when the loop works and when it sleeps."""

    meter: LagMeter | None = None
    """None: nobody measures."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as any selector."""
        meter = self.meter
        if meter is None:
            return super().select(timeout)
        meter.worked(timeout)
        found = super().select(timeout)
        meter.woke()
        return found
