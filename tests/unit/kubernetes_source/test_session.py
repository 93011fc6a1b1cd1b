"""One run of the source: what is missing, what it works without, and what it complains of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.clock import FakeClock, LoopScheduler
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.sources.kubernetes.api import RefusedError
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.source import GATHER, Session
from tests.support.kube_objects import at, service, slice_
from tests.support.sinks import RecordingSink

SERVICES, POLICIES = "services of shop", "servicepolicies of shop"


class Run:
    """A session over a picture with one Service."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Nothing was listed."""
        self.picture, self.sink, self.tellings = Picture("cluster", KubernetesOptions()), RecordingSink(), 0
        self.picture.put_service(service(enabled="true"))
        self.session = Session(self.picture, self.sink, scheduler=scheduler, kinds=[SERVICES, POLICIES])
        self.session.told = self._told

    def _told(self) -> None:
        self.tellings += 1

    def codes(self) -> list[str]:
        """Return the codes of what is wrong."""
        return [each.code for each in self.session.findings()]


@asynccontextmanager
async def telling(scheduler: Scheduler | None = None) -> AsyncIterator[Run]:
    """Run a session's telling."""
    made = Run(scheduler or LoopScheduler(asyncio.get_running_loop()))
    task = asyncio.create_task(made.session.tell())
    yield made
    task.cancel()
    await asyncio.wait([task])


def error(kind: type[SourceUnavailableError]) -> SourceUnavailableError:
    """Return why a kind cannot be read."""
    return kind(Finding("LB234", "cannot be read", at="list", why="status 404"))


async def test_policies_that_are_not_there_hold_nothing_up() -> None:
    """The source syncs without them, is not stale, and says so; what fails about them later makes it stale neither."""
    async with telling() as run:
        run.session.listed(SERVICES)
        run.session.unwell(POLICIES, error(RefusedError))
        await run.sink.has_synced.wait()
        assert run.sink.calls == ["update +echo.shop", "synced True"]
        assert run.codes() == ["LB240"]
        assert run.tellings == 1
        run.session.unwell(POLICIES, error(SourceUnavailableError))
        assert run.sink.stale_since is None
        run.session.listed(POLICIES)
        assert run.codes() == []


async def test_policies_that_cannot_be_asked_for_are_waited_for() -> None:
    """No answer says nothing of whether there are any; once they are known not to be there, the rest goes on."""
    async with telling() as run:
        run.session.listed(SERVICES)
        run.session.unwell(POLICIES, error(SourceUnavailableError))
        assert run.sink.stale_since is not None
        assert not run.picture.is_whole
        run.session.unwell(POLICIES, error(RefusedError))
        await run.sink.has_synced.wait()
        assert run.sink.stale_since is None


async def test_services_that_are_refused_make_the_source_stale() -> None:
    """Without them there is nothing to serve."""
    async with telling() as run:
        run.session.listed(POLICIES)
        run.session.unwell(SERVICES, error(RefusedError))
        assert run.sink.stale_since is not None
        assert run.codes() == ["LB234"]
        assert not run.picture.is_whole


class Telling:
    """A session that has synced, some time ago, on a clock that stands."""

    def __init__(self, run: Run, clock: FakeClock) -> None:
        """List everything."""
        self.run, self.clock = run, clock
        run.session.listed(SERVICES)
        run.session.listed(POLICIES)

    async def put(self, name: str, *hosts: str) -> None:
        """Have the API server tell of a slice, and let the session do what it does at once."""
        self.run.picture.put_slice(slice_(name, *map(at, hosts)))
        self.run.session.moved()
        await self.turn()

    async def turn(self, seconds: float = 0.0) -> None:
        """Let some time pass, and everything run that is due."""
        for _ in range(5):
            await asyncio.sleep(0)
        self.clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)

    def hosts(self) -> list[str]:
        """Return the hosts that the sink knows of."""
        return sorted(each.address.host for each in self.run.sink.picture["echo.shop"].endpoints)


async def test_a_change_after_quiet_is_told_at_once_and_what_follows_it_together() -> None:
    """No time passes before the first of several changes is told; those after it are one update."""
    clock = FakeClock()
    async with telling(clock) as run:
        made = Telling(run, clock)
        await made.turn(GATHER)
        for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
            await made.put("a", host)
        assert made.hosts() == ["10.0.0.1"]
        tellings = run.tellings
        await made.turn(GATHER)
        assert made.hosts() == ["10.0.0.3"]
        assert run.tellings == tellings + 1


@pytest.mark.parametrize("first", ["a", "b"])
async def test_endpoints_that_move_between_slices_are_never_missed(first: str) -> None:
    """Whichever of two slices is written first, the sink hears of the move when both were."""
    clock = FakeClock()
    async with telling(clock) as run:
        made = Telling(run, clock)
        await made.put("a", "10.0.0.1", "10.0.0.2")
        await made.turn(GATHER)
        writes = {"a": ["10.0.0.1"], "b": ["10.0.0.2"]}
        for name in (first, *(writes.keys() - {first})):
            await made.put(name, *writes[name])
            assert made.hosts() == ["10.0.0.1", "10.0.0.2"]
        await made.turn(GATHER)
        assert made.hosts() == ["10.0.0.1", "10.0.0.2"]


async def test_a_slice_that_is_replaced_by_another_takes_nothing_away() -> None:
    """A slice that goes may be followed by the one that has its endpoints."""
    clock = FakeClock()
    async with telling(clock) as run:
        made = Telling(run, clock)
        await made.put("a", "10.0.0.1")
        await made.turn(GATHER)
        run.picture.drop_slice(("shop", "a"))
        run.session.moved()
        await made.turn()
        await made.put("b", "10.0.0.1")
        assert made.hosts() == ["10.0.0.1"]
        await made.turn(GATHER)
        assert made.hosts() == ["10.0.0.1"]
