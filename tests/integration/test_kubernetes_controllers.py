"""Slices as the real controllers write them: of headless and dual-stack Services, of pods that are not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from lbcontrol.model.endpoints import Endpoint
from lbcontrol.sources.kubernetes.source import KubernetesSource
from tests.support.kube import Kube, Object, namespace, service
from tests.support.kube_source import noticed, running
from tests.support.kubelet import add_node
from tests.support.sinks import RecordingSink
from tests.support.waiting import wait_until

SECONDS = 60.0
FOUR, SIX = "10.244.0.{}", "fd00::{}"
until = partial(noticed, seconds=SECONDS)


class Shop:
    """A namespace whose pods we play."""

    def __init__(self, kube: Kube, name: str) -> None:
        """Make it; pods need its service account, which a controller makes."""
        self.kube, self.name = kube, name
        kube.apply(namespace(name))
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(partial(_is_there, kube, account), "a service account", seconds=SECONDS)

    def pod(self, number: int, *, ready: bool = True, port: int = 50051) -> None:
        """Make a pod, with an address of each family, on a node in zone a."""
        meta = {"namespace": self.name, "name": f"echo-{number}", "labels": {"app": "echo"}}
        container = {"name": "echo", "image": "echo", "ports": [{"name": "grpc", "containerPort": port}]}
        spec = {"nodeName": "node-a", "containers": [container]}
        self.kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        hosts = [FOUR.format(number), SIX.format(number)]
        conditions = [{"type": kind, "status": str(ready)} for kind in ("Ready", "ContainersReady")]
        status: dict[str, Any] = {"phase": "Running", "podIP": hosts[0], "podIPs": [{"ip": host} for host in hosts]}
        path = f"/api/v1/namespaces/{self.name}/pods/echo-{number}/status"
        status["conditions"] = conditions
        self.kube.ask(path, "PATCH", body={"status": status}, form="strategic-merge-patch+json")

    def service(self, name: str, **spec: Any) -> None:
        """Make a Service in front of the pods."""
        made: Object = service(self.name, name, of="echo")
        made["spec"] |= spec
        self.kube.apply(made)

    def end(self, number: int) -> None:
        """Let a pod end; it is terminating until somebody says that it has ended."""
        self.kube.ask(f"/api/v1/namespaces/{self.name}/pods/echo-{number}", "DELETE", body={"gracePeriodSeconds": 60})

    def watched(self, sink: RecordingSink) -> AbstractAsyncContextManager[KubernetesSource]:
        """Run a source until it has synced."""
        return running(self.kube.kubeconfig(), sink, of=self.name, seconds=SECONDS)


def _is_there(kube: Kube, path: str) -> bool:
    try:
        return bool(kube.ask(path))
    except OSError:  # 404
        return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A cluster with controllers and a node."""
    with Kube(tmp_path_factory.mktemp("controllers"), controllers=True) as made:
        add_node(made, "node-a", zone="zone-a")
        yield made


def healths(sink: RecordingSink, name: str) -> dict[str, str]:
    """Return the health of each endpoint; nothing of a service that is not there."""
    ends: tuple[Endpoint, ...] = sink.picture[name].endpoints if name in sink.picture else ()
    return {str(each.address): each.health.name for each in ends}


async def test_pods_that_are_not_ready_serve_where_the_service_says_so(cluster: Kube) -> None:
    """Headless or not: without publishNotReadyAddresses only ready pods; a pod that ends drains in both."""
    shop, sink = await asyncio.to_thread(Shop, cluster, "ready"), RecordingSink()
    for number, ready in ((2, True), (3, False)):
        await asyncio.to_thread(shop.pod, number, ready=ready)
    await asyncio.to_thread(shop.service, "strict", clusterIP="None")
    await asyncio.to_thread(partial(shop.service, "lax", clusterIP="None", publishNotReadyAddresses=True))
    async with shop.watched(sink):
        one, both = {"10.244.0.2:50051": "SERVING"}, {f"10.244.0.{n}:50051": "SERVING" for n in (2, 3)}
        await until(lambda: (healths(sink, "strict.ready"), healths(sink, "lax.ready")) == (one, both))
        (found,) = sink.picture["strict.ready"].endpoints
        assert found.locality.zone == "zone-a"
        assert "pod echo-2" in found.origin
        assert "node node-a" in found.origin
        await asyncio.to_thread(shop.end, 2)
        drained = {"10.244.0.2:50051": "DRAINING"}
        await until(lambda: (healths(sink, "strict.ready"), healths(sink, "lax.ready")) == (drained, both | drained))


async def test_pods_may_have_the_named_port_at_other_numbers(cluster: Kube) -> None:
    """The controllers write a slice for each number; the service is the union."""
    shop, sink = await asyncio.to_thread(Shop, cluster, "ports"), RecordingSink()
    ports = [{"name": "grpc", "port": 80, "targetPort": "grpc"}, {"name": "admin", "port": 81, "targetPort": 9000}]
    await asyncio.to_thread(partial(shop.service, "echo", ports=ports))
    for number, port in ((2, 50051), (3, 6000)):
        await asyncio.to_thread(partial(shop.pod, number, port=port))
    async with shop.watched(sink):
        await until(lambda: set(healths(sink, "echo.ports")) == {"10.244.0.2:50051", "10.244.0.3:6000"})
        await until(lambda: set(healths(sink, "echo.ports:81")) == {"10.244.0.2:9000", "10.244.0.3:9000"})
        assert "echo.ports:admin" in sink.picture["echo.ports:81"].aliases
        assert "echo.ports.svc.cluster.local:80" in sink.picture["echo.ports"].aliases


@pytest.mark.parametrize(("first", "form"), [("IPv4", "10.244.0.2:50051"), ("IPv6", "[fd00::2]:50051")])
async def test_dual_stack_pod_is_one_endpoint(cluster: Kube, first: str, form: str) -> None:
    """By its address of the Service's first family, though it stands in slices of both."""
    shop, sink = await asyncio.to_thread(Shop, cluster, f"dual-{first.lower()}"), RecordingSink()
    families = [first, *({"IPv4", "IPv6"} - {first})]
    await asyncio.to_thread(partial(shop.service, "echo", ipFamilyPolicy="RequireDualStack", ipFamilies=families))
    await asyncio.to_thread(shop.pod, 2)
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{shop.name}/endpointslices"
    async with shop.watched(sink):
        await until(lambda: len([each for each in cluster.ask(slices)["items"] if each["endpoints"]]) == 2)
        await until(lambda: healths(sink, f"echo.{shop.name}") == {form: "SERVING"})


async def test_service_without_a_selector_has_what_its_owner_wrote(cluster: Kube) -> None:
    """The controllers mirror an Endpoints object into slices; we read the slices alone."""
    shop, sink = await asyncio.to_thread(Shop, cluster, "bare"), RecordingSink()
    meta = {"namespace": shop.name, "name": "echo"}
    subset = {"addresses": [{"ip": "10.9.0.1"}], "ports": [{"name": "grpc", "port": 50051}]}
    written = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]}
    await asyncio.to_thread(cluster.apply, service(shop.name, "echo"), written)
    async with shop.watched(sink):
        await until(lambda: healths(sink, "echo.bare") == {"10.9.0.1:50051": "SERVING"})
