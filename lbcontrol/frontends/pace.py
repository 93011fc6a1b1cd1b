"""How fast one stream may ask: beyond it the stream is not read, until it may ask again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lbcontrol.runtime.ports import Outlet, Scheduler, Timer


class Paced(Protocol):
    """Limits with these two."""

    @property
    def requests_burst(self) -> int:
        """Requests at once."""
        ...

    @property
    def requests_per_second(self) -> float:
        """So many more each second."""
        ...


class Bucket:
    """Requests one stream may make: ``burst`` at once, then ``rate`` a second."""

    __slots__ = ("_full_at",)

    def __init__(self, now: float) -> None:
        """Begin full."""
        self._full_at = now
        """When nothing will be missing any more: what is missing now takes that long to come back."""

    def take(self, limits: Paced, now: float) -> float:
        """Count a request; return the seconds until the next one is allowed, 0 for at once."""
        rate = limits.requests_per_second
        full_at = self._full_at
        self._full_at = full_at = (full_at if full_at > now else now) + 1.0 / rate  # noqa: FURB136  max() costs a call
        wait = full_at - now - (limits.requests_burst - 1) / rate
        return wait if wait > 1e-9 else 0.0


class Pace:
    """Keeps one stream to its pace; a timer exists only while the stream is not read."""

    def __init__(self, limits: Paced, scheduler: Scheduler, *, refused: Callable[[], None]) -> None:
        """Begin with all that may be asked at once; ``refused`` counts each time that it is too much."""
        self._limits = limits
        self._scheduler = scheduler
        self._refused = refused
        self._bucket = Bucket(scheduler.now())
        self._timer: Timer | None = None

    def count(self, outlet: Outlet) -> None:
        """Count a request that came by ``outlet``."""
        wait = self._bucket.take(self._limits, self._scheduler.now())
        if not wait:
            return
        self._refused()
        outlet.pause_reading()
        self.stop()
        self._timer = self._scheduler.call_later(wait, outlet.resume_reading)

    def stop(self) -> None:
        """The stream is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
