"""What the client saw, as the demo keeps it: the last minute of calls by backend. No I/O, time is an argument."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

KEPT = 60.0
"""Seconds of calls that are kept."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One report of the client."""

    at: float
    calls: Mapping[str, Sequence[float]]
    """Latencies in milliseconds by answering backend."""
    lost: Sequence[str]


@dataclass(slots=True)
class Picture:
    """All that was seen of the calls."""

    ticks: deque[Tick] = field(default_factory=deque)
    answered: int = 0
    """Calls answered since the start."""
    lost: int = 0
    """Calls lost since the start."""
    reasons: Counter[str] = field(default_factory=Counter)
    """How many calls were lost for each reason; bounded by the few texts a client has."""
    first_call: dict[str, float] = field(default_factory=dict)
    last_call: dict[str, float] = field(default_factory=dict)

    def add(self, tick: Tick) -> None:
        """Take in one report and forget what is older than a minute."""
        self.ticks.append(tick)
        while self.ticks[0].at < tick.at - KEPT:
            self.ticks.popleft()
        self.lost += len(tick.lost)
        self.reasons.update(tick.lost)
        for address, latencies in tick.calls.items():
            self.answered += len(latencies)
            if latencies:
                self.first_call.setdefault(address, tick.at)
                self.last_call[address] = tick.at

    def since(self, start: float) -> dict[str, list[float]]:
        """Return the latencies of each backend's calls that ended after ``start``."""
        found: dict[str, list[float]] = {}
        for tick in reversed(self.ticks):
            if tick.at <= start:
                break
            for address, latencies in tick.calls.items():
                found.setdefault(address, []).extend(latencies)
        return found

    def shares(self, start: float) -> dict[str, float]:
        """Return each backend's share of the calls that ended after ``start``, 0 to 1."""
        counts = {address: len(latencies) for address, latencies in self.since(start).items()}
        total = sum(counts.values())
        return {address: count / total for address, count in counts.items()} if total else {}

    def rate(self, now: float, *, window: float = 2.0) -> float:
        """Return finished calls per second over the last ``window`` seconds."""
        return sum(map(len, self.since(now - window).values())) / window

    def called_after(self, address: str, start: float) -> float | None:
        """Return when the first call to a backend ended after ``start``; None when none has."""
        return next((tick.at for tick in self.ticks if tick.at > start and tick.calls.get(address)), None)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which ``share`` (0 to 1) of the values lie; None for no values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None
