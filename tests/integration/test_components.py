"""The cluster and the network that other tests stand on: controllers, nodes that we play, pods that are dialled."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.kube import Kube, deployment, namespace, service
from tests.support.kubelet import add_node, ready_pods, reap_pods, terminating_pods, waiting_pods
from tests.support.waiting import wait_until


@pytest.mark.own_network
def test_own_network_has_the_addresses_of_pods() -> None:
    """Every address of 10.244.0.0/16 can be listened at and dialled, and nothing else is reached."""
    with socket.create_server(("10.244.3.7", 50051)), socket.create_connection(("10.244.3.7", 50051), timeout=5.0):
        pass
    with pytest.raises(OSError, match="unreachable"):
        socket.create_connection(("192.0.2.1", 80), timeout=5.0)


def test_controllers_write_slices_of_pods_whose_nodes_are_played(tmp_path: Path) -> None:
    """A Deployment becomes pods, an EndpointSlice names them with their zone, and the terminating one until it ends."""
    with Kube(tmp_path / "kube", controllers=True) as kube:
        add_node(kube, "node-a", zone="zone-a")
        kube.apply(namespace("shop"), deployment("shop", "echo", replicas=2), service("shop", "echo", of="echo"))
        wait_until(lambda: len(waiting_pods(kube, "shop")) == 2, "two pods are placed")
        addresses = waiting_pods(kube, "shop")
        ready_pods(kube, "shop", addresses)
        wait_until(lambda: states(kube) == dict.fromkeys(addresses.values(), (True, True, False)), "two are ready")
        kube.kubectl("-n", "shop", "scale", "deployment", "echo", "--replicas=1")
        wait_until(lambda: len(terminating_pods(kube, "shop")) == 1, "one is to end")
        (ended,) = terminating_pods(kube, "shop").values()
        wait_until(lambda: states(kube)[ended] == (False, True, True), "it finishes its work")
        reap_pods(kube, "shop", terminating_pods(kube, "shop"))
        wait_until(lambda: set(states(kube)) == set(addresses.values()) - {ended}, "it is gone")


def states(kube: Kube) -> dict[str, tuple[bool, ...]]:
    """Return (ready, serving, terminating) by address, of all slices of namespace shop."""
    slices = kube.ask("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices")["items"]
    every = [each for one in slices for each in one.get("endpoints") or () if each.get("zone") == "zone-a"]
    told = ("ready", "serving", "terminating")
    return {each["addresses"][0]: tuple(each["conditions"][name] for name in told) for each in every}
