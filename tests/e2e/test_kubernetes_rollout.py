"""Pods come, roll and go under load: real controllers, real backends at the pods' addresses, stock clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.clients import GO, GRPCIO, JAVA, LANGUAGES, NODE, Client
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube, deployment, namespace, service
from tests.support.kube_plane import KubePlane
from tests.support.kubelet import add_node, pods, ready_pods, reap_pods, terminating_pods, waiting_pods
from tests.support.pods import Pods, number
from tests.support.stats import assert_split
from tests.support.waiting import wait_until

NAME = "echo.shop"
GRACE = 3.0
"""Seconds from the moment a pod is to end until its backend does (a ``preStop`` hook that sleeps)."""
PACE = 3
"""Seconds for which a new pod must be ready before an old one is to end."""
RPS = {GRPCIO: 80, GO: 80, NODE: 30, JAVA: 30}
STREAMS = 'lbcontrol_streams{protocol="xds"}'
CALLS = 2_000
MOST_SECONDS = 60.0


class Shop:
    """A Deployment ``echo`` in a cluster whose nodes we play."""

    def __init__(self, kube: Kube, backends: Pods) -> None:
        """Make nodes in three zones, and the Service and Deployment with two pods."""
        self.kube = kube
        self.backends = backends
        self.running: set[str] = set()
        """Addresses of pods whose backends listen."""
        self.calls = 0
        """Of backends that have ended."""
        self._ending: dict[str, float] = {}
        for zone in "abc":
            add_node(kube, f"node-{zone}", zone=f"zone-{zone}")
        echo = deployment("shop", "echo", replicas=2, min_ready=PACE)
        kube.apply(namespace("shop"), service("shop", "echo", of="echo"), echo)

    def play(self) -> None:
        """Do once what kubelets do: pods that were placed run, pods whose grace is over end."""
        if fresh := waiting_pods(self.kube, "shop"):
            self.backends.start(fresh.values())
            self.running |= set(fresh.values())
            ready_pods(self.kube, "shop", fresh)
        now = time.monotonic()
        ending = terminating_pods(self.kube, "shop")
        over = {name: ending[name] for name in ending if now - self._ending.setdefault(name, now) >= GRACE}
        if over:
            self.calls += sum(self.backends.stop(over.values()).values())
            self.running -= set(over.values())
            reap_pods(self.kube, "shop", over)

    def play_until(self, met: Callable[[], bool], what: str) -> None:
        """Play until something holds."""

        def played() -> bool:
            self.play()
            return met()

        print(f"{what}: {wait_until(played, what, seconds=MOST_SECONDS):.1f} s")

    def is_settled(self, replicas: int) -> bool:
        """Whether so many pods of the newest form are ready, and there are no others."""
        status = self.kube.ask("/apis/apps/v1/namespaces/shop/deployments/echo")
        newest = status["status"].get("observedGeneration") == status["metadata"]["generation"]
        counts = [status["status"].get(name) for name in ("replicas", "readyReplicas", "updatedReplicas")]
        return newest and counts == [replicas] * 3 and len(pods(self.kube, "shop")) == replicas

    def scale(self, replicas: int) -> None:
        """Scale, and play until it is so."""
        self.kube.kubectl("-n", "shop", "scale", "deployment", "echo", f"--replicas={replicas}")
        self.play_until(lambda: self.is_settled(replicas), f"scaled to {replicas}")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Two pods that serve."""
    backends = Pods(log=tmp_path / "pods.log")
    try:
        with Kube(tmp_path / "kube", controllers=True) as kube:
            made = Shop(kube, backends)
            made.play_until(lambda: made.is_settled(2), "two pods are ready")
            yield made
    finally:
        backends.kill()


@pytest.fixture
def plane(tmp_path: Path, shop: Shop) -> Iterator[ControlPlane]:
    """A control plane that reads the cluster."""
    started = KubePlane(tmp_path / "plane", shop.kube.kubeconfig(), namespaces=["shop"])
    try:
        started.start()
        yield started
    finally:
        started.kill9()


def uses(client: Client, names: set[str]) -> bool:
    """Whether all of these answer a client, and no other."""
    return set(client.call(60).backends) == names


def judge(clients: list[Client], shop: Shop) -> None:
    """Wait until every client uses all pods and no other, then judge the split of many calls."""
    names = {f"127.0.0.1:{number(host)}": 1 for host in shop.running}
    for client in clients:
        wait_until(partial(uses, client, set(names)), "the pods that are there serve")
        answer = client.call(CALLS // len(clients))
        assert answer.failed == 0, answer.errors
        assert_split(answer.backends, names)


def roll(shop: Shop, plane: ControlPlane) -> None:
    """Replace all pods; when the first new one runs the control plane dies, and it is back when an old one has ended.

    Others end when its clients have found it again: a grace in real life is longer than that takes.
    """
    before, streams = set(shop.running), plane.metrics()[STREAMS]
    shop.kube.kubectl("-n", "shop", "rollout", "restart", "deployment", "echo")
    shop.play_until(lambda: len(shop.running - before) >= 1, "the first new pod runs")
    plane.kill9()
    shop.play_until(lambda: len(before - shop.running) >= 1, "the first old pod has ended, unseen")
    plane.start()
    seconds = wait_until(lambda: plane.metrics()[STREAMS] >= streams, "clients are back", seconds=MOST_SECONDS)
    print(f"clients are back after {seconds:.1f} s")
    shop.play_until(lambda: shop.is_settled(3), "all pods are new")
    assert not before & shop.running


@pytest.mark.own_network
@pytest.mark.timeout(170)
def test_pods_are_scaled_and_rolled_under_load_without_a_failed_call(
    shop: Shop, plane: ControlPlane, tmp_path: Path
) -> None:
    """2, 6, 3 pods, all of them replaced, the control plane killed meanwhile: no call of at least 5,000 fails."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(Client(each, f"xds:///{NAME}", server=plane.grpc, log=tmp_path / f"{each}.log"))
            for each in LANGUAGES
        ]
        judge(clients, shop)
        for client, rps in zip(clients, RPS.values(), strict=True):
            client.start_load(rps)
        shop.scale(6)
        judge(clients, shop)
        shop.scale(3)
        judge(clients, shop)
        roll(shop, plane)
        judge(clients, shop)
        loads = [client.stop_load() for client in clients]
    print([(each.ok, each.failed) for each in loads])
    assert [each.failed for each in loads] == [0] * len(loads), [each.errors for each in loads]
    assert sum(each.ok for each in loads) + 4 * CALLS >= 5_000
