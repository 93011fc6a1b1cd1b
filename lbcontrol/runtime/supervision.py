"""The one place where everything is caught: what breaks is logged and counted, and the rest goes on."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from lbcontrol.model.errors import LbControlError, SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Clock, Scheduler, Sink, Source

BACKOFF_LEAST = 0.5
"""Seconds."""
BACKOFF_MOST = 30.0
"""Seconds; a source that ran this long begins with the least again."""
LOGS_PER_SECOND = 10
"""Lines per part; what is over is counted in the next line."""

T = TypeVar("T")
_log = structlog.get_logger("lbcontrol.supervision")


class Supervisor:
    """Runs what must not take the rest down with it."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        """Count in ``metrics.internal_errors_total``."""
        self._metrics = metrics
        self._clock = clock
        self._logged: dict[str, deque[float]] = {}
        self._hushed: dict[str, int] = {}

    def attempt(
        self, part: str, work: Callable[[], T], *, failed: Callable[[Exception], None] | None = None
    ) -> T | None:
        """Return what ``work`` returns, or None when it raised; ``failed`` is told of the exception.

        Args:
            part: What is at work: a value of ``metrics.PARTS``.
            work: Called once, at once.
            failed: Called with the exception after it was logged and counted.
        """
        try:
            return work()
        except Exception as error:  # noqa: BLE001  (this module is the place for it)
            self.caught(part, error)
            if failed is not None:
                failed(error)
            return None

    async def attempt_async(self, part: str, work: Awaitable[None]) -> None:
        """Await ``work``; what it raises is logged and counted. Cancelling passes through."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  (this module is the place for it)
            self.caught(part, error)

    def each(self, part: str, calls: Iterable[Callable[[], object]]) -> None:
        """Call all, whether or not one of them raises."""
        for call in calls:
            try:
                call()
            except Exception as error:  # noqa: BLE001  (this module is the place for it)
                self.caught(part, error)

    def caught(self, part: str, error: Exception) -> None:
        """Log and count an exception that nobody expected."""
        self._metrics.internal_errors_total.labels(part).inc()
        now = self._clock.now()
        logged = self._logged.setdefault(part, deque(maxlen=LOGS_PER_SECOND))
        if len(logged) == LOGS_PER_SECOND and now - logged[0] < 1.0:
            self._hushed[part] = self._hushed.get(part, 0) + 1
            return
        logged.append(now)
        _log.error("internal error", part=part, hushed=self._hushed.pop(part, 0), exc_info=error)


def crash_finding(what: str, error: Exception) -> Finding:
    """Return the finding for an exception that nobody expected."""
    return Finding(
        "LB904",
        f"{what} failed: {type(error).__name__}: {str(error)[:200]}",
        effect="what was in force stays in force; everything else goes on",
        do="report this with the log line next to it",
    )


async def supervise(  # one source's task
    name: str, source: Source, *, sink: Sink, scheduler: Scheduler, metrics: Metrics, rng: random.Random
) -> None:
    """Run ``source`` until cancelled; each end of it marks it stale and is followed by a restart.

    Args:
        name: Name of the source as configured.
        source: What to run.
        sink: Gets what the source sees, and ``stale`` when it ends.
        scheduler: Measures and waits.
        metrics: Counts ``source_errors_total``.
        rng: Jitter of the back-off, so that sources that fail together do not come back together.
    """
    supervisor = Supervisor(metrics, scheduler)
    failures = 0
    while True:
        began = scheduler.now()
        error = await _until_it_ends(name, source, sink, supervisor)
        failures = 0 if scheduler.now() - began >= BACKOFF_MOST else failures + 1
        metrics.source_errors_total.labels(name).inc()
        sink.stale(error)
        await sleep(backoff(failures, rng), scheduler)


async def _until_it_ends(name: str, source: Source, sink: Sink, supervisor: Supervisor) -> LbControlError:
    """Run the source once; return why it ended."""
    try:
        await source.run(sink)
    except LbControlError as error:
        _log.warning("source failed", source=name, error=str(error))
        return error
    except Exception as error:  # noqa: BLE001  (this module is the place for it)
        supervisor.caught("source", error)
        return SourceUnavailableError(crash_finding(f'source "{name}"', error))
    what = f'source "{name}" ended by itself'
    return SourceUnavailableError(Finding("LB906", what, effect="its last picture stays in force; it is restarted"))


async def sleep(seconds: float, scheduler: Scheduler) -> None:
    """Wait on the scheduler's clock, so that tests wait in virtual time."""
    done = asyncio.get_running_loop().create_future()
    timer = scheduler.call_later(seconds, lambda: None if done.done() else done.set_result(None))
    try:
        await done
    finally:
        timer.cancel()


def backoff(failures: int, rng: random.Random) -> float:
    """Return seconds to wait after this many failures in a row: jittered, doubling, 0.5 to 30."""
    ceiling = min(BACKOFF_MOST, BACKOFF_LEAST * 2.0 ** min(max(failures, 1), 10))
    return rng.uniform(BACKOFF_LEAST, ceiling)
