"""When changes go out: at once after quiet, bundled in a burst, weights at their own interval.

A lone change leaves in the next loop turn. The next one leaves ``SPACING`` later, or one flush duration later if that
is longer, so that a burst costs at most about half of the time and a stream gets few messages: 50 changes in 100 ms
are 4 messages. Changes of weights alone wait ``interval`` after the last ones, and ``delay`` for kinds of clients
that redial on every new list. What is urgent takes waiting weights along, except for those kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.model.assignment import Urgency

SPACING = 0.04
"""Seconds between two flushes at least: below the 50 ms in which a removal must be out."""
ADDITION_DELAY = 0.02
"""Seconds an addition waits for others: what starts together is sent together."""
_TOLERANCE = 1e-6
"""Seconds a timer may seem early because floats are rounded."""
_LONG_AGO = float("-inf")


@dataclass(slots=True)
class _Want:
    urgency: Urgency
    since: float


class Pace:
    """What waits to be flushed to one group of streams, and when it is due. Bounded by the number of keys."""

    def __init__(self, *, interval: float, delay: float = 0.0) -> None:
        """Begin quiet.

        Args:
            interval: Seconds between two flushes of weights alone.
            delay: Seconds that weights alone wait; 0 for none.
        """
        self._interval = max(interval, delay)
        self._delay = delay
        self._wanted: dict[str, _Want] = {}
        self._due: float | None = None
        self._ready_at = _LONG_AGO
        self._weights_at = _LONG_AGO

    @property
    def due(self) -> float | None:
        """Monotonic time at which something is to be flushed; None for nothing."""
        return None if self._due is None else max(self._due, self._ready_at)

    def waits(self, key: str) -> bool:
        """True when ``key`` has a change that was not taken."""
        return key in self._wanted

    def want(self, key: str, urgency: Urgency, *, now: float) -> None:
        """Ask for a flush of ``key``; a more urgent wish replaces an earlier one and keeps its age."""
        want = self._wanted.get(key)
        if want is None:
            want = self._wanted[key] = _Want(urgency, now)
        else:
            want.urgency = max(want.urgency, urgency)
        due = self._due_of(want)
        self._due = due if self._due is None else min(self._due, due)

    def take(self, now: float) -> dict[str, float]:
        """Return and forget the keys to flush now, each with the time it has waited since."""
        if self.due is None or now + _TOLERANCE < self.due:
            return {}
        urgent = any(w.urgency > Urgency.WEIGHT and self._is_due(w, now) for w in self._wanted.values())
        weights = self._delay == 0.0 if urgent else False
        taken = {
            key: want.since
            for key, want in self._wanted.items()
            if self._is_due(want, now) or (urgent and (weights or want.urgency > Urgency.WEIGHT))
        }
        return self._remove(taken, now)

    def take_all(self, now: float) -> dict[str, float]:
        """Return and forget everything that waits, due or not."""
        return self._remove({key: want.since for key, want in self._wanted.items()}, now)

    def flushed(self, ended: float, *, duration: float) -> None:
        """Note a flush; the next one keeps away from its end."""
        self._ready_at = ended + max(SPACING, duration)

    def _remove(self, taken: dict[str, float], now: float) -> dict[str, float]:
        if any(self._wanted[key].urgency is Urgency.WEIGHT for key in taken):
            self._weights_at = now
        for key in taken:
            del self._wanted[key]
        self._due = min(map(self._due_of, self._wanted.values()), default=None)
        return taken

    def _is_due(self, want: _Want, now: float) -> bool:
        return self._due_of(want) <= now + _TOLERANCE

    def _due_of(self, want: _Want) -> float:
        if want.urgency is Urgency.IMMEDIATE:
            return want.since
        if want.urgency is Urgency.ADDITION:
            return want.since + ADDITION_DELAY
        return max(want.since + self._delay, self._weights_at + self._interval)
