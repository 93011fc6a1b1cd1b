"""How late the event loop runs what is due: the one number that says whether something holds it up."""

from __future__ import annotations

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Timer

PERIOD = 0.02
"""Seconds between two measurements: a stall is seen at least as its length less this."""


class LagMeter:
    """One timer that sets itself again and notes how late it was called."""

    def __init__(self, scheduler: Scheduler, *, metrics: Metrics) -> None:
        """Measure nothing before ``start``."""
        self._scheduler = scheduler
        self._metrics = metrics
        self._timer: Timer | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._scheduler.now() + PERIOD
        self._timer = self._scheduler.call_later(PERIOD, self._measure)

    def stop(self) -> None:
        """End it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _measure(self) -> None:
        self._metrics.event_loop_lag_seconds.observe(max(0.0, self._scheduler.now() - self._due))
        self.start()
