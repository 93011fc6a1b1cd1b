"""One replica's part in the election."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.kubernetes.leadership import Leadership
from lbcontrol.sources.kubernetes.lease import DURATION, RENEW, VALID
from lbcontrol.sources.kubernetes.objects import Json, Key
from lbcontrol.sources.kubernetes.writes import Answer, Ending

KEY = ("shop", "lbcontrol-status")


class Server:
    """Holds one Lease."""

    def __init__(self) -> None:
        """There is none."""
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.failing: Ending | None = None
        self.hanging = False
        self.asked = 0

    async def read_lease(self, key: Key) -> Answer:
        """Return it."""
        assert key == KEY
        self.asked += 1
        if self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.failing:
            return Answer(self.failing, {})
        return Answer(Ending.OK, dict(self.lease)) if self.lease else Answer(Ending.MISSING, {})

    async def write_lease(self, lease: Json) -> Answer:
        """Take it when it knows the newest version."""
        known = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if known is None and lease["metadata"].get("resourceVersion"):
            return Answer(Ending.MISSING, {})
        if lease["metadata"].get("resourceVersion") != known:
            return Answer(Ending.CONFLICT, {})
        if self.failing:
            return Answer(self.failing, {})
        self.put(lease)
        assert self.lease is not None
        return Answer(Ending.OK, dict(self.lease))

    def put(self, lease: Json) -> None:
        """Change it."""
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version)}}

    @property
    def holder(self) -> str:
        """Who has it."""
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


class Replica:
    """One that takes part."""

    def __init__(self, server: Server, identity: str, clock: FakeClock) -> None:
        """Hold nothing yet."""
        self.metrics, self.gains = Metrics(), 0
        self.leadership = Leadership(
            KEY, identity, leases=server, scheduler=clock, rng=random.Random(1), metrics=self.metrics
        )
        self.leadership.gained = self._gained

    def _gained(self) -> None:
        self.gains += 1

    def holds(self) -> bool:
        """Whether it may write."""
        return self.leadership.is_held

    @property
    def shown(self) -> float | None:
        """What the metric says."""
        labels = {"lease": "shop/lbcontrol-status"}
        return self.metrics.registry.get_sample_value("lbcontrol_kubernetes_lease_held", labels)


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    """Run replicas, the first one first, and end them."""
    tasks = []
    for each in replicas:
        tasks.append(asyncio.create_task(each.leadership.run()))
        await settle()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def passing(clock: FakeClock, seconds: float) -> None:
    """Let time pass in small steps."""
    for _ in range(round(seconds * 2)):
        clock.advance(0.5)
        await settle()


async def test_first_one_holds_it_until_it_ends_and_the_next_follows() -> None:
    """Given up at the end, it is taken at the next look."""
    server, clock = Server(), FakeClock()
    first, second = Replica(server, "a", clock), Replica(server, "b", clock)
    async with running(first):
        task = asyncio.create_task(second.leadership.run())
        await passing(clock, 30.0)
        assert (first.holds(), second.holds()) == (True, False)
        assert (first.gains, second.gains, first.shown, server.holder) == (1, 0, 1.0, "a")
        assert server.version >= 9
    assert (first.holds(), first.shown) == (False, 0.0)
    await passing(clock, 2 * RENEW)
    assert (second.holds(), second.gains, server.holder) == (True, 1, "b")
    task.cancel()
    await asyncio.wait([task])


async def test_holder_that_cannot_renew_stops_before_the_next_one_begins() -> None:
    """A failing API server takes the right away by time alone; another takes over when it has not moved."""
    server, clock = Server(), FakeClock()
    replica = Replica(server, "a", clock)
    async with running(replica):
        assert replica.holds()
        server.failing = Ending.FAILED
        await passing(clock, VALID - 0.5)
        assert replica.holds()
        await passing(clock, 1.0)
        assert not replica.holds()
        server.failing = None
        other = Replica(server, "b", clock)
        async with running(other):
            await passing(clock, DURATION - 1.0)
            assert not other.holds() or not replica.holds()


async def test_lease_taken_by_another_is_lost_at_the_next_look() -> None:
    """And asked for again only when it has not moved for its duration."""
    server, clock = Server(), FakeClock()
    replica = Replica(server, "a", clock)
    async with running(replica):
        assert server.lease is not None
        server.put({**server.lease, "spec": {**server.lease["spec"], "holderIdentity": "b"}})
        await passing(clock, 2 * RENEW)
        assert not replica.holds()
        await passing(clock, DURATION + RENEW)
        assert replica.holds()
        assert replica.gains == 2


async def test_lease_that_was_deleted_is_made_again() -> None:
    """By its holder, in the same turn."""
    server, clock = Server(), FakeClock()
    replica = Replica(server, "a", clock)
    async with running(replica):
        server.lease = None
        await passing(clock, RENEW + 1.0)
        assert server.holder == "a"
        assert replica.holds()


async def test_two_sources_of_one_process_hold_it_together() -> None:
    """They are one identity: a conflict between them is settled at once."""
    server, clock = Server(), FakeClock()
    one, two = Replica(server, "a", clock), Replica(server, "a", clock)
    async with running(one, two):
        await passing(clock, 30.0)
        assert one.holds()
        assert two.holds()


async def test_refusal_is_asked_less_and_less_often() -> None:
    """Without the right, once in 30 s in the end."""
    server, clock = Server(), FakeClock()
    server.failing = Ending.REFUSED
    replica = Replica(server, "a", clock)
    async with running(replica):
        await passing(clock, 300.0)
    assert 10 <= server.asked <= 60
    assert not replica.holds()


async def test_hung_api_server_does_not_hold_up_the_end() -> None:
    """Giving the Lease up is tried for a second."""
    server, clock = Server(), FakeClock()
    replica = Replica(server, "a", clock)
    async with running(replica):
        server.hanging = True
    assert not replica.holds()
    assert server.holder == "a"


async def test_lease_of_another_is_not_given_up() -> None:
    """Whoever holds it at our end keeps it."""
    server, clock = Server(), FakeClock()
    replica = Replica(server, "a", clock)
    async with running(replica):
        assert server.lease is not None
        server.put({**server.lease, "spec": {**server.lease["spec"], "holderIdentity": "b"}})
    assert server.holder == "b"
