"""Memory: nothing more is taken while the process is close to its limit, so that it is never killed for it (P7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lbcontrol.runtime.ports import Scheduler, Timer

PERIOD = 1.0
"""Seconds between two looks."""
SHED = 0.85
"""Share of the limit above which nothing more is taken."""
AGAIN = 0.80
"""Share below which it is taken again."""
UNLIMITED = 1 << 60
"""A control group without a limit says a number above this one, or "max"."""
GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a control group says how much memory its processes may have (versions 2 and 1)."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def group_limit(files: tuple[Path, ...] = GROUPS) -> int | None:
    """Return the limit in bytes of the control group this process runs in; None when there is none to be seen."""
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < UNLIMITED:
            return int(text)
    return None


class MemoryGuard:
    """Looks at the resident memory once a second."""

    def __init__(self, limit: int | None, scheduler: Scheduler, *, used: Callable[[], int] = resident) -> None:
        """Guard ``limit`` bytes; None guards nothing."""
        self._limit = limit
        self._scheduler = scheduler
        self._used = used
        self._timer: Timer | None = None
        self.is_short = False
        """True while nothing more is to be taken."""

    def start(self) -> None:
        """Begin to look."""
        if self._limit is not None:
            self._look(self._limit)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, limit: int) -> None:
        share = self._used() / limit
        self.is_short = share > SHED or (self.is_short and share > AGAIN)
        self._timer = self._scheduler.call_later(PERIOD, lambda: self._look(limit))
