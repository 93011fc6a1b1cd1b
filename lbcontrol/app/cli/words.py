"""Numbers and times as people read them."""

from __future__ import annotations

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Units of a duration, in seconds."""
NOTHING = "-"
"""Stands where nothing is reported."""


def duration(text: str | float) -> float:
    """Read a duration such as ``30s``, ``1.5m`` or ``250ms``, in seconds.

    Raises:
        ValueError: it has no unit, an unknown one, or is not above zero.
    """
    if isinstance(text, float | int):
        return float(text)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text.strip())
    length = float(found[1]) * UNITS[found[2]] if found else 0.0
    if length <= 0.0:
        raise ValueError(f'"{text}" is not a duration; write 250ms, 5s, 10m, 2h or 1d')
    return length


def age(seconds: float | None) -> str:
    """Return how long ago something was, in its largest whole unit: ``12s``, ``3m``, ``6h``, ``2d``."""
    if seconds is None:
        return NOTHING
    unit = next((unit for unit in ("d", "h", "m") if seconds >= UNITS[unit]), "s")
    return f"{int(seconds / UNITS[unit])}{unit}"


def lapse(seconds: float) -> str:
    """Return how long something took: ``0.31s``, ``12.4s``."""
    return f"{seconds:.2f}s" if seconds < 10.0 else f"{seconds:.1f}s"


def share(part: float) -> str:
    """Return a share of calls: ``22.3 %``, ``50 %``."""
    return f"{100.0 * part:.1f}".removesuffix(".0") + " %"


def count(number: int, word: str) -> str:
    """Return ``1 client``, ``3 clients``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
