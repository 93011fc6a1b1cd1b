"""Exit codes: public interface, the same for every verb."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    FINDINGS = 4
    """``check`` and ``validate`` found something."""
    REFUSED = 5
    """A guard said no."""
    TIMED_OUT = 6
    INTERRUPTED = 130
