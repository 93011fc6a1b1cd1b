"""The Kubernetes source on a real API server: what it sees, and what it makes of losing it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from lbcontrol.sources.kubernetes.source import KubernetesSource
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_source import noticed, running
from tests.support.sinks import RecordingSink

SECONDS = 30.0


@pytest.fixture
def shop(kube: Kube) -> str:
    """A namespace of the test's own."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    kube.apply(namespace(name))
    return name


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kube]:
    """A cluster that the test may break."""
    with Kube(tmp_path / "own") as cluster:
        cluster.apply(namespace("shop"))
        yield cluster


def watching(
    cluster: Kube, sink: RecordingSink, *, user: str = "admin", of: str
) -> AbstractAsyncContextManager[KubernetesSource]:
    """Run a source as a user."""
    return running(cluster.kubeconfig(user), sink, of=of, seconds=SECONDS)


until = partial(noticed, seconds=SECONDS)
"""Waits for the source to notice."""


async def apply(cluster: Kube, *objects: dict[str, object]) -> None:
    """Apply without holding up the loop on which the source runs."""
    await asyncio.to_thread(cluster.apply, *objects)


async def test_slices_are_followed(kube: Kube, shop: str) -> None:
    """Added, changed, split, emptied and deleted slices: the list is their union at every moment."""
    sink, name = RecordingSink(), f"echo.{shop}"
    await apply(kube, service(shop, "echo"), endpoint_slice(shop, "a", endpoint("10.0.0.1", zone="z"), of="echo"))
    async with watching(kube, sink, of=shop):
        assert set(sink.weights(name)) == {"10.0.0.1:50051"}
        await apply(kube, endpoint_slice(shop, "b", endpoint("10.0.0.2"), endpoint("10.0.0.3"), of="echo"))
        await until(lambda: len(sink.weights(name)) == 3)
        await apply(kube, endpoint_slice(shop, "b", endpoint("10.0.0.3", ready=False), of="echo"))
        await until(lambda: set(sink.weights(name)) == {"10.0.0.1:50051"})
        await asyncio.to_thread(kube.kubectl, "-n", shop, "delete", "endpointslice", "a")
        await until(lambda: not sink.weights(name))
        await asyncio.to_thread(kube.kubectl, "-n", shop, "delete", "service", "echo")
        await until(lambda: name not in sink.picture)


async def test_services_are_chosen_by_label_or_all_of_them(kube: Kube, shop: str) -> None:
    """The API server applies the selector, to what changes as well; the annotation "false" always keeps one out."""
    found, every = RecordingSink(), RecordingSink()
    off = {"lbcontrol.io/enabled": "false"}
    await apply(kube, service(shop, "plain", annotations={}), service(shop, "off", annotations=off))
    label = partial(asyncio.to_thread, kube.kubectl, "-n", shop, "label", "service")
    await label("plain", "off", "team=a")
    async with (
        running(kube.kubeconfig(), found, of=shop, seconds=SECONDS, services="Selected", selector="team=a"),
        running(kube.kubeconfig(), every, of=shop, seconds=SECONDS, services="All"),
    ):
        assert [set(sink.picture) for sink in (found, every)] == [{f"plain.{shop}"}] * 2
        await label("plain", "team-")
        await until(lambda: not found.picture)
        await label("plain", "team=a")
        await until(lambda: set(found.picture) == {f"plain.{shop}"})
        assert set(every.picture) == {f"plain.{shop}"}


async def test_a_thousand_endpoints_in_many_slices_come_whole(kube: Kube, shop: str) -> None:
    """The first telling has them all, over several pages of the list."""
    sink = RecordingSink()
    slices = [
        endpoint_slice(shop, f"s{n}", *(endpoint(f"10.1.{n}.{i + 1}") for i in range(100)), of="echo")
        for n in range(10)
    ]
    await apply(kube, service(shop, "echo"), *slices)
    async with watching(kube, sink, of=shop):
        assert sink.calls == [f"update +echo.{shop}", "synced True"]
        assert len(sink.weights(f"echo.{shop}")) == 1_000


async def test_restarted_api_server_loses_nothing(own: Kube) -> None:
    """Killed with its watches open: stale at once, nothing emptied, and what changed meanwhile is told on return."""
    sink = RecordingSink()
    await apply(own, service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
    async with watching(own, sink, of="shop") as source:
        own.kill_api()
        print(f"stale after {await until(lambda: sink.stale_since is not None):.2f} s")
        assert sink.stale_since is not None
        assert sink.stale_since.finding.code == "LB234"
        assert source.findings()
        await asyncio.to_thread(own.start_api)
        print(f"alive after {await until(lambda: sink.stale_since is None):.2f} s")
        await apply(own, endpoint_slice("shop", "a", endpoint("10.0.0.2"), of="echo"))
        await until(lambda: set(sink.weights("echo.shop")) == {"10.0.0.2:50051"})
        assert "LB234" not in {each.code for each in source.findings()}
    assert not any("-echo.shop" in call for call in sink.calls)


@pytest.mark.timeout(120)
async def test_hung_api_server_is_noticed(own: Kube) -> None:
    """It takes connections and answers nothing: stale within 15 s, and well again when it goes on."""
    sink = RecordingSink()
    await apply(own, service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
    async with watching(own, sink, of="shop"):
        own.stall_api()
        seconds = await until(lambda: sink.stale_since is not None)
        print(f"stale after {seconds:.1f} s")
        assert seconds <= 15.0
        own.resume_api()
        await until(lambda: sink.stale_since is None)
        await apply(own, endpoint_slice("shop", "a", endpoint("10.0.0.2"), of="echo"))
        await until(lambda: set(sink.weights("echo.shop")) == {"10.0.0.2:50051"})


async def test_version_that_is_gone_is_listed_anew(own: Kube) -> None:
    """Changes made while it was away and forgotten by etcd (410): deletions and additions both arrive."""
    sink = RecordingSink()
    slices = [endpoint_slice("shop", name, endpoint(f"10.0.0.{n}"), of="echo") for n, name in enumerate("abcdef", 1)]
    await apply(own, service("shop", "echo"), *slices)
    async with watching(own, sink, of="shop"):
        own.kill_api()
        await until(lambda: sink.stale_since is not None)
        task = asyncio.create_task(asyncio.to_thread(own.start_api))
        await task
        await apply(own, endpoint_slice("shop", "g", endpoint("10.0.0.7"), of="echo"))
        await asyncio.to_thread(own.kubectl, "-n", "shop", "delete", "endpointslice", "a")
        own.compact()
        own.kill_api()
        await asyncio.to_thread(own.start_api)
        expected = {f"10.0.0.{n}:50051" for n in range(2, 8)}
        await until(lambda: set(sink.weights("echo.shop")) == expected)
    assert "update -echo.shop" not in sink.calls


async def test_rights_taken_away_leave_the_picture(own: Kube) -> None:
    """403 is stale with a finding that names the right; given back, the difference is told."""
    sink, role = RecordingSink(), "lb-reads"
    own.kubectl(
        "create", "clusterrole", role, "--verb=get,list,watch", "--resource=services,endpointslices.discovery.k8s.io"
    )
    own.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=lb")
    await apply(own, service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
    async with watching(own, sink, user="lb", of="shop") as source:
        await asyncio.to_thread(own.kubectl, "delete", "clusterrolebinding", role)
        own.kill_api()
        await asyncio.to_thread(own.start_api)
        await until(lambda: any(each.code == "LB235" for each in source.findings()))
        assert set(sink.weights("echo.shop")) == {"10.0.0.1:50051"}
        await asyncio.to_thread(own.kubectl, "create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=lb")
        await until(lambda: sink.stale_since is None)
        assert {each.code for each in source.findings()} <= {"LB240", "LB241"}  # Policies were never granted.
