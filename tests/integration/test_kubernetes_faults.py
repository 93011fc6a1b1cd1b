"""The Kubernetes source behind a proxy with faults, on a real API server: no endpoint is lost, and none is made up."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.kubernetes.sockets import LOST_SECONDS
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_proxy import KubeProxy
from tests.support.kube_source import noticed, running
from tests.support.sinks import RecordingSink

SECONDS = 45.0
FIRST = "10.0.0.1:50051"
"""The endpoint that is there all the time."""


class History(RecordingSink):
    """Remembers every list of the service."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        super().__init__()
        self.lists: list[frozenset[str]] = []

    def update(self, changed: Iterable[ServiceSnapshot], removed: Iterable[str] = ()) -> None:
        """Apply a change of the picture."""
        super().update(changed, removed)
        self.lists += [frozenset(self.weights(name)) for name in self.picture]


class Shop:
    """A namespace with a Service ``echo``, seen by a source through a proxy."""

    def __init__(self, kube: Kube, proxy: KubeProxy) -> None:
        """Make the Service, with one endpoint in slice a and one in slice b."""
        self.kube, self.proxy = kube, proxy
        self.namespace = f"shop-{uuid.uuid4().hex[:8]}"
        self.ever = {FIRST}
        """Every address that was in a slice."""
        self.slices: dict[str, set[int]] = {}
        kube.apply(namespace(self.namespace), service(self.namespace, "echo"))
        self.put("a", 1)
        self.put("b", 2)

    def put(self, name: str, *hosts: int) -> None:
        """Write a slice of 10.0.0.x addresses."""
        self.slices[name] = set(hosts)
        self.ever |= {f"10.0.0.{host}:50051" for host in hosts}
        ends = (endpoint(f"10.0.0.{host}") for host in hosts)
        self.kube.apply(endpoint_slice(self.namespace, f"{self.namespace}-{name}", *ends, of="echo"))

    def drop(self, name: str) -> None:
        """Delete a slice."""
        del self.slices[name]
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices/{self.namespace}-{name}"
        self.kube.ask(path, "DELETE")

    def version(self) -> str:
        """Return the version of the slices as they are now."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices"
        return str(self.kube.ask(path)["metadata"]["resourceVersion"])

    def addresses(self) -> set[str]:
        """Return what is right now."""
        return {f"10.0.0.{host}:50051" for hosts in self.slices.values() for host in hosts}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[History]:
        """Run a source until it has synced; when the block is left, what it ever told is judged."""
        sink = History()
        async with running(self.proxy.kubeconfig(), sink, of=self.namespace, seconds=SECONDS):
            yield sink
        await asyncio.sleep(0)  # Plain sockets are closed in the next turn.
        assert all(FIRST in told for told in sink.lists), "what was there all the time was lost for a moment"
        assert all(told <= self.ever for told in sink.lists), "something was told that was never there"

    async def right(self, sink: History, what: str) -> None:
        """Wait until the source tells what is right, and is not stale."""
        name = f"echo.{self.namespace}"
        seconds = await until(lambda: set(sink.weights(name)) == self.addresses() and sink.stale_since is None)
        print(f"{what}: right after {seconds:.1f} s")


until = partial(noticed, seconds=SECONDS)
"""Waits for the source to notice."""


@pytest.fixture
def shop(kube: Kube, tmp_path: Path) -> Iterator[Shop]:
    """A service that may be lost sight of."""
    with KubeProxy(kube, tmp_path / "proxy") as proxy:
        yield Shop(kube, proxy)


def change(shop: Shop) -> None:
    """Delete a slice, make one, edit one."""
    shop.drop("b")
    shop.put("c", 3, 4)
    shop.put("a", 1, 5)


@pytest.mark.parametrize("how", ["status", "event"])
async def test_version_that_is_gone_is_listed_again(shop: Shop, how: str) -> None:
    """410 as an answer and as an event: what changed meanwhile is told, deletions too, and nothing else."""
    async with shop.watched() as sink:
        with shop.proxy.away():
            await until(lambda: sink.stale_since is not None)
            await asyncio.to_thread(change, shop)
            shop.proxy.gone = how
        await shop.right(sink, f"410 by {how}")
    assert shop.proxy.gone == ""


async def test_watch_cut_within_a_line_goes_on(shop: Shop) -> None:
    """Half of an event is none; the watch is opened again where it was, and nothing is listed."""
    async with shop.watched() as sink:
        lists = shop.proxy.asked["list"]
        for host in (2, 3, 4):
            shop.proxy.cuts = 1
            await asyncio.to_thread(shop.put, "b", *range(2, host + 3))
            await shop.right(sink, "cut within a line")
            assert shop.proxy.cuts == 0
        assert shop.proxy.asked["list"] == lists


async def test_empty_list_answered_once_empties_nothing(shop: Shop) -> None:
    """Whole, of an old version, and wrong: the service keeps its endpoints until the next list is right."""
    async with shop.watched() as sink:
        with shop.proxy.away():
            await until(lambda: sink.stale_since is not None)
            await asyncio.to_thread(change, shop)
            shop.proxy.gone, shop.proxy.empty_lists = "status", 1
        await until(lambda: shop.proxy.empty_lists == 0)
        await shop.right(sink, "empty list answered once")


async def test_list_of_an_old_version_brings_nothing_back(shop: Shop) -> None:
    """As of an API server that lags behind: what is gone since stays gone, and the next list is right."""
    async with shop.watched() as sink:
        old = shop.version()
        await asyncio.to_thread(change, shop)
        await shop.right(sink, "changed")
        told = len(sink.lists)
        with shop.proxy.away():
            await until(lambda: sink.stale_since is not None)
            await asyncio.to_thread(shop.put, "d", 6)
            shop.proxy.gone, shop.proxy.old = "status", old
        await shop.right(sink, "a list of an old version")
        assert (shop.proxy.gone, shop.proxy.old) == ("", "")
        assert not any("10.0.0.2:50051" in each for each in sink.lists[told:])


async def test_slow_api_server_is_read_in_the_end(shop: Shop) -> None:
    """1 KB in 0.2 s: the first list comes, and changes do."""
    hosts = range(1, 251)
    await asyncio.to_thread(shop.put, "a", *hosts)
    shop.proxy.delay = 0.2
    async with shop.watched() as sink:
        await asyncio.to_thread(change, shop)
        await shop.right(sink, "slow API server")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_refusals_leave_the_picture(shop: Shop, status: int) -> None:
    """Rights taken away, a busy or broken server: stale until it answers again, then the difference is told at once."""
    async with shop.watched() as sink:
        with shop.proxy.away():
            await until(lambda: sink.stale_since is not None)
            await asyncio.to_thread(change, shop)
            shop.proxy.refusal, told = status, len(sink.lists)
        await asyncio.sleep(2.0)  # the point: it is asked again and again
        assert (sink.stale_since is not None, len(sink.lists)) == (True, told)
        shop.proxy.refusal = 0
        await shop.right(sink, f"status {status}")
        assert len(sink.lists) <= told + 3  # one for each of the three changes at most: no flap


@pytest.mark.timeout(120)
async def test_watch_whose_path_drops_packets_is_noticed(shop: Shop) -> None:
    """No reset and no end comes, and new connections work: the API server looks well while its watches are dead."""
    async with shop.watched() as sink:
        watches = shop.proxy.asked["watch"]
        shop.proxy.vanish()
        await asyncio.to_thread(change, shop)
        seconds = await until(lambda: sink.stale_since is not None)
        print(f"noticed after {seconds:.1f} s; {LOST_SECONDS} s of silence are believed")
        await shop.right(sink, "a path that drops packets")
        assert shop.proxy.asked["watch"] > watches


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_faults_in_any_order_end_in_the_right_state(shop: Shop, seed: int) -> None:
    """Faults and changes, drawn from a seed: what was there all the time is always there, and the end is right."""
    rng = random.Random(seed)
    async with shop.watched() as sink:
        for _ in range(8):
            fault = rng.choice(["away", "status", "event", "cut", "empty", "break"])
            if fault in ("status", "event"):
                shop.proxy.gone = fault
            shop.proxy.cuts, shop.proxy.empty_lists = int(fault == "cut"), int(fault == "empty")
            shop.proxy.is_down = fault == "away"
            if rng.random() < 0.7:
                shop.proxy.break_watches()
            name = rng.choice("bcd")
            if name in shop.slices and rng.random() < 0.4:
                await asyncio.to_thread(shop.drop, name)
            else:
                await asyncio.to_thread(shop.put, name, *rng.sample(range(2, 60), rng.randint(1, 20)))
            await asyncio.sleep(rng.random())
        shop.proxy.is_down, shop.proxy.cuts, shop.proxy.empty_lists, shop.proxy.gone = False, 0, 0, ""
        await shop.right(sink, f"faults of seed {seed}")
