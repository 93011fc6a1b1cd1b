"""Waiting for what has no event to wait for: another process's numbers."""

from __future__ import annotations

import time
from collections.abc import Callable

_POLL_SECONDS = 0.02


def wait_until(met: Callable[[], bool], what: str, *, seconds: float = 30.0) -> float:
    """Ask ``met`` again and again until it holds; return how long that took.

    Raises:
        AssertionError: It does not hold after ``seconds``; the message says what was waited for.
    """
    start = time.monotonic()
    while not met():
        assert time.monotonic() - start < seconds, f"not after {seconds} s: {what}"
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - start
