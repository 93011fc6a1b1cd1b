"""The open calls of one listener: how many there may be, how old they get, how they end at shutdown."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Counter

from lbcontrol.http2.limits import Limits
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Status, StatusCode, Timer
from lbcontrol.runtime.rejections import FULL
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.transport.reasons import MAX_AGE, SHUTDOWN, SLOW, UNTRUSTED

AGED = Status(StatusCode.UNAVAILABLE, "the stream has reached its greatest age; open it again")
STOPPING = Status(StatusCode.UNAVAILABLE, "server is shutting down")
STALLED = Status(StatusCode.UNAVAILABLE, "the client does not read")

SHORT = Status(StatusCode.RESOURCE_EXHAUSTED, "LB509: memory is short here; try again later")

REAPED = frozenset({MAX_AGE, SHUTDOWN, SLOW, UNTRUSTED})
"""Reasons for which the server ends streams; the label of ``streams_reaped_total``."""
LAYER = "transport"
"""Label ``layer`` of what is refused here."""
END_SHARE = 0.8
"""Part of the grace period over which streams are ended; the rest is for their last bytes."""
END_GAP = 0.5
"""Longest pause in seconds between two ends at shutdown: a few streams need no spreading."""
END_TICK = 0.02
"""Shortest pause; with more streams several are ended at a time."""
SWEEP_SHARE = 0.01
"""Part of the greatest age between two sweeps."""
SWEEP_STALL = 0.25
"""The same of the time that a message may be under way."""


class OpenStream(Protocol):
    """A stream as it is counted, aged and ended."""

    path: str
    expires_at: float
    """Monotonic seconds; set when the stream begins."""
    writing_since: float | None
    """When the message under way was offered; None while there is none."""

    def reap(self, status: Status, reason: str) -> None:
        """End the stream for the server's sake; a ``SLOW`` one without waiting for the message under way."""
        ...


def never() -> bool:
    """Return False."""
    return False


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of one listener."""

    streams: int = 20_000
    """Calls at a time; more are refused with RESOURCE_EXHAUSTED."""
    streams_per_connection: int = 100
    """A client waits with more."""
    connections: int = 20_000
    """At a time, and never more than the process has descriptors for (http2; grpcio has no such limit)."""
    connections_per_address: int = 4_096
    """Of one IP address at a time (http2); where clients log in with a certificate the next three hold instead."""
    logins_per_address: int = 128
    """Connections of one IP address whose client has not yet shown its certificate."""
    connections_per_identity: int = 10_000
    """Of one identity at a time."""
    connections_per_identity_and_address: int = 256
    """Of one identity from one IP address."""
    accepts: int = 32
    """Connections accepted in one turn of the loop: the others wait in the backlog (http2)."""
    preface: float = 10.0
    """Seconds from TCP accept to preface and SETTINGS (http2)."""
    idle: float = 60.0
    """Seconds a connection may be without a stream (http2)."""
    keepalive: float = 30.0
    """Seconds of silence after which a peer is asked whether it is there."""
    keepalive_answer: float = 10.0
    """Seconds it has to answer."""
    message: float = 10.0
    """Seconds from the first byte of a message to its last (http2)."""
    unsent: int = 262_144
    """Bytes of messages under way on one connection (http2)."""
    wire: Limits = Limits()
    """Limits of the protocol machine of one connection (http2)."""
    max_age: float = 1_800.0
    """Seconds after which a stream is ended, so that clients spread over replicas again."""
    age_jitter: float = 0.2
    """Share by which the age of each stream differs, both ways."""
    is_short: Callable[[], bool] = never
    """True while nothing more is taken for want of memory."""
    stall: float = 60.0
    """Seconds one message may be under way, or a socket take nothing."""
    fast_path: bool = True
    """Whether whole messages take the short way (http2); off only to show that the long one leads to the same bytes."""


class Streams:
    """Counts, ages and ends the calls of one listener. One timer for all of them."""

    def __init__(
        self, limits: StreamLimits, scheduler: Scheduler, *, metrics: Metrics, protocols: Mapping[str, str]
    ) -> None:
        """Begin with none; ``protocols`` gives a method path its label in ``streams``."""
        self.limits = limits
        """Of this listener."""
        self._scheduler = scheduler
        self._metrics = metrics
        self._gauges = {path: metrics.streams.labels(protocol) for path, protocol in protocols.items()}
        self._supervisor = Supervisor(metrics, scheduler)
        self._open: set[OpenStream] = set()
        self._unary = 0
        self._chance = random.Random()  # noqa: S311  spreads load, guards nothing
        self._hurry = asyncio.Event()
        self._timer: Timer | None = None
        self._refusals: dict[str, Counter] = {}
        """By reason, which is one of a closed set: a flood is to cost little."""

    def start(self) -> None:
        """Begin to look at ages."""
        pause = min(self.limits.max_age * SWEEP_SHARE, self.limits.stall * SWEEP_STALL)
        self._timer = self._scheduler.call_later(pause, self._sweep)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._scheduler.now()

    def admit(self) -> Status | None:
        """Return why one more call cannot be taken, None when it can."""
        if self.limits.is_short():
            self.refused("memory")
            return SHORT
        if len(self._open) + self._unary < self.limits.streams:
            return None
        self.refused("streams")
        what = f"LB506: {self.limits.streams} calls are open; the limit is limits.streams"
        return Status(StatusCode.RESOURCE_EXHAUSTED, what)

    def pushback(self) -> str:
        """Return when a refused client may come again, in ms."""
        return str(self._chance.randrange(500, 1_000))

    def begun(self, stream: OpenStream) -> None:
        """Keep a stream until it has ended."""
        jitter = self.limits.age_jitter
        age = self.limits.max_age * self._chance.uniform(1.0 - jitter, 1.0 + jitter)
        stream.expires_at = self._scheduler.now() + age
        self._open.add(stream)
        self._count(stream, 1)

    def ended(self, stream: OpenStream, reason: str) -> None:
        """Forget a stream."""
        self._open.discard(stream)
        self._count(stream, -1)
        if reason in REAPED:
            self._metrics.streams_reaped_total.labels(reason).inc()

    def refused(self, reason: str) -> None:
        """Count an input that a limit refused."""
        counter = self._refusals.get(reason)
        if counter is None:
            counter = self._refusals[reason] = self._metrics.rejected_total.labels(LAYER, reason)
        counter.inc()
        if reason in FULL:
            self._metrics.streams_shed_total.labels(reason).inc()

    def caught(self, error: Exception) -> None:
        """Log and count what a front end's code raised."""
        self._supervisor.caught("transport", error)

    def unary(self, change: int) -> None:
        """Count unary calls under way."""
        self._unary += change

    async def end_all(self, grace: float) -> None:
        """End every stream, spread over ``grace`` seconds so that clients do not return all at once.

        A call with 0 makes one that is under way end the rest at once.
        """
        if self._timer is not None:
            self._timer.cancel()
        if grace <= 0.0:
            self._hurry.set()
        waiting = list(self._open)
        gap = min(END_GAP, END_SHARE * grace / (len(waiting) or 1))
        group = max(1, math.ceil(END_TICK / gap)) if gap else len(waiting)
        while waiting:
            for stream in waiting[:group]:
                stream.reap(STOPPING, SHUTDOWN)
            del waiting[:group]
            if waiting and await self._hurried(gap * group):
                group = len(waiting)

    async def _hurried(self, seconds: float) -> bool:
        """Wait; True when somebody is in a hurry."""
        try:
            await asyncio.wait_for(self._hurry.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _count(self, stream: OpenStream, change: int) -> None:
        gauge = self._gauges.get(stream.path)
        if gauge is not None:
            gauge.inc(change)

    def _sweep(self) -> None:
        now = self._scheduler.now()
        for stream in [each for each in self._open if each.expires_at <= now]:
            stream.reap(AGED, MAX_AGE)
        stalled = now - self.limits.stall
        for stream in [each for each in self._open if (each.writing_since or now) < stalled]:
            stream.reap(STALLED, SLOW)
        self.start()
