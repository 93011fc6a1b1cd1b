"""Interpreter settings that keep the loop's pauses short while the worker has a big service in hand.

Measured with a 10,000-endpoint service and 1,000 streams on two busy cores, longest pause per change: 130-330 ms with
Python's defaults, 10-28 ms with these. Two things held up the loop. A full garbage collection walks every object of
every service and stops all threads; nothing it walks is garbage, because values without cycles are freed without it,
and a stream or a connection that ends leaves no cycle (tests/property, tests/contract). So it is only run when the
memory of the process says that something has piled up all the same. And whenever the loop has to get the interpreter
lock back from the worker it waits one switch interval.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Callable

from lbcontrol.runtime.ports import Scheduler, Timer

YOUNG = 2_000
"""New objects between two collections of the youngest ones: measured 0.4 ms of processor time, at most 2.2 ms."""
MIDDLE = 4
"""Collections of the youngest between two of the middle ones: measured 1.9 ms of processor time, at most 12.4 ms."""
NEVER = 2**31 - 1
"""Full collections are not started by counting, but by ``GROWTH_BYTES``."""
LOOK_EVERY = 60.0
"""Seconds between two looks at the memory of the process."""
GROWTH_BYTES = 256 * 2**20
"""Growth of the largest resident memory since the last full collection after which the next one is due."""
SWITCH_INTERVAL = 0.001
"""Seconds the worker keeps the interpreter when the loop wants it; Python's default is 5 ms."""


def peak_bytes() -> int:
    """Return the largest resident memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def give_back() -> None:
    """Return free pages to the system, where the C library can (glibc ``malloc_trim(3)``): 0.4 ms at 110 MB.

    What the threads of sources leave free lies between what is kept, and stays resident: 2 KB a change of a file.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class ShortPauses:
    """Puts the settings in force for the life of the process, and back for tests."""

    def __init__(
        self, scheduler: Scheduler, *, peak: Callable[[], int] = peak_bytes, trim: Callable[[], None] = give_back
    ) -> None:
        """Change nothing before ``start``; ``peak`` returns the largest resident memory so far, in bytes."""
        self._trim = trim
        self._scheduler = scheduler
        self._peak = peak
        self._collected_at = 0
        self._timer: Timer | None = None
        self._before: tuple[tuple[int, int, int], float] | None = None

    def start(self) -> None:
        """Put the settings in force; what is in memory now counts as kept for good."""
        self._before = (gc.get_threshold(), sys.getswitchinterval())
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._full()
        self._look()

    def stop(self) -> None:
        """Undo ``start``; harmless when it was not called."""
        if self._timer is None or self._before is None:
            return
        self._timer.cancel()
        self._timer = None
        thresholds, interval = self._before
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)

    def _look(self) -> None:
        """Run a full collection if memory has grown by a lot, give back what is free; look again later."""
        if self._peak() - self._collected_at >= GROWTH_BYTES:
            self._full()
        self._trim()
        self._timer = self._scheduler.call_later(LOOK_EVERY, self._look)

    def _full(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()  # What is here now stays: no collection of the youngest need look at it again.
        self._collected_at = self._peak()
