"""What breaks is counted and restarted; nothing else notices."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable

import pytest
from structlog.testing import capture_logs

from lbcontrol.model.errors import LbControlError, SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Sink
from lbcontrol.runtime.supervision import BACKOFF_LEAST, BACKOFF_MOST, Supervisor, backoff, supervise


class NoteSink:
    """Notes why its source is stale."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def update(self, changed: Iterable[ServiceSnapshot], removed: Iterable[str] = ()) -> None:
        """Ignore."""

    def synced(self, *, complete: bool = True) -> None:
        """Ignore."""

    def alive(self) -> None:
        """Ignore."""

    def stale(self, error: LbControlError) -> None:
        """Note."""
        self.codes.append(error.finding.code)


class FailingSource:
    """Ends in a different way each time."""

    def __init__(self, clock: FakeClock, *ends: Exception | float | None) -> None:
        self.clock = clock
        self.ends = list(ends)
        self.runs: list[float] = []

    async def run(self, sink: Sink) -> None:
        """Raise the next exception, end, run for some seconds and end, or wait."""
        self.runs.append(self.clock.now())
        if not self.ends:
            await asyncio.Event().wait()
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        self.clock.advance(end or 0.0)


async def test_source_is_restarted_with_growing_pauses_and_stale_meanwhile() -> None:
    """A registry's failure, a crash and a plain end are all followed by a restart; cancelling ends it."""
    clock, sink, metrics = FakeClock(), NoteSink(), Metrics()
    ends = (SourceUnavailableError(Finding("LB201", "away")), ZeroDivisionError("x"), None, 31.0, None)
    source = FailingSource(clock, *ends)
    task = asyncio.create_task(
        supervise("s", source, sink=sink, scheduler=clock, metrics=metrics, rng=random.Random(1))
    )
    for _ in range(2_000):
        await asyncio.sleep(0)
        clock.advance(0.01)
    assert sink.codes == ["LB201", "LB904", "LB906", "LB906", "LB906"]
    assert metrics.registry.get_sample_value("lbcontrol_source_errors_total", {"source": "s"}) == 5
    assert metrics.registry.get_sample_value("lbcontrol_internal_errors_total", {"part": "source"}) == 1
    pauses = [later - earlier for earlier, later in zip(source.runs, source.runs[1:], strict=False)]
    assert all(pause >= BACKOFF_LEAST for pause in pauses)
    assert pauses[4] <= 1.1
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("failures", range(40))
def test_backoff_stays_in_its_bounds(failures: int) -> None:
    """Between half a second and 30, doubling, never the same for two."""
    rng = random.Random(failures)
    pauses = {backoff(failures, rng) for _ in range(100)}
    assert len(pauses) > 50
    assert BACKOFF_LEAST <= min(pauses) <= max(pauses) <= min(BACKOFF_MOST, BACKOFF_LEAST * 2 ** max(failures, 1))


async def test_log_of_one_part_is_limited() -> None:
    """An exception in a hot place is counted each time and logged ten times a second; the next line says how many."""
    clock, metrics = FakeClock(), Metrics()
    supervisor = Supervisor(metrics, clock)

    async def fail() -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        for _ in range(25):
            supervisor.attempt("hub", lambda: 1 / 0)
        assert [line["hushed"] for line in logs] == [0] * 10
        clock.advance(1)
        await supervisor.attempt_async("hub", fail())
    assert logs[-1]["hushed"] == 15
    assert metrics.registry.get_sample_value("lbcontrol_internal_errors_total", {"part": "hub"}) == 26


async def test_cancelling_passes_through_the_supervisor() -> None:
    """Shutdown is no error."""
    supervisor = Supervisor(Metrics(), FakeClock())
    task = asyncio.create_task(supervisor.attempt_async("hub", asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
