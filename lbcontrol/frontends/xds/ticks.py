"""One timer for all streams that wait for something: paused readers, delayed first answers."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from lbcontrol.runtime.ports import Scheduler

PERIOD = 0.05
"""Seconds between two looks at who waits; what is due in between waits for the next one."""


class SharedTick:
    """Calls back later, with one timer however many wait; none when nobody does.

    Bound: a key waits once, and a stream has two keys.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        """Begin idle."""
        self._scheduler = scheduler
        self._waiting: dict[Hashable, tuple[float, Callable[[], None]]] = {}
        self._runs = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def call(self, key: Hashable, delay: float, *, callback: Callable[[], None]) -> None:
        """Call back once, at the first tick that is ``delay`` seconds from now; replaces an earlier call of ``key``."""
        self._waiting[key] = (self._scheduler.now() + delay, callback)
        self._start()

    def drop(self, key: Hashable) -> None:
        """Forget the call of ``key``; harmless when there is none."""
        self._waiting.pop(key, None)

    def _start(self) -> None:
        if self._waiting and not self._runs:
            self._runs = True
            self._scheduler.call_later(PERIOD, self._tick)

    def _tick(self) -> None:
        self._runs = False
        now = self._scheduler.now()
        for key in [key for key, (due, _) in self._waiting.items() if due <= now]:
            waited = self._waiting.pop(key, None)
            if waited is not None:  # Not dropped by a callback before it.
                waited[1]()
        self._start()
