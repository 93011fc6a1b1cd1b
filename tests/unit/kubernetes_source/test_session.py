"""One run of the source: what is missing, what it works without, and what it complains of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.sources.kubernetes.api import RefusedError
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.source import Session
from tests.support.kube_objects import service
from tests.support.sinks import RecordingSink

SERVICES, POLICIES = "services of shop", "servicepolicies of shop"


class Run:
    """A session over a picture with one Service."""

    def __init__(self) -> None:
        """Nothing was listed."""
        self.picture, self.sink, self.tellings = Picture("cluster", KubernetesOptions()), RecordingSink(), 0
        self.picture.put_service(service(enabled="true"))
        scheduler = LoopScheduler(asyncio.get_running_loop())
        self.session = Session(self.picture, self.sink, scheduler=scheduler, kinds=[SERVICES, POLICIES])
        self.session.told = self._told

    def _told(self) -> None:
        self.tellings += 1

    def codes(self) -> list[str]:
        """Return the codes of what is wrong."""
        return [each.code for each in self.session.findings()]


@asynccontextmanager
async def telling() -> AsyncIterator[Run]:
    """Run a session's telling."""
    made = Run()
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
