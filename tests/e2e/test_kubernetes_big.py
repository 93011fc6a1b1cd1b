"""A Service of 1,000 endpoints in ten slices and more: whatever is done to the slices, no client gets a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.config.endpoint.v3 import endpoint_pb2

from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_plane import KubePlane
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until

NAME = "big.shop"
SLICES, EACH = 10, 100
Hosts = frozenset[str]


class Big:
    """The Service and its slices, and every state that it was in."""

    def __init__(self, kube: Kube) -> None:
        """Make slices s0 to s9 with 100 endpoints each."""
        self._kube = kube
        self._slices = {f"s{n}": [f"10.1.{n}.{i}" for i in range(1, EACH + 1)] for n in range(SLICES)}
        self.states: list[Hosts] = [self.hosts()]
        ends = [self._object(name) for name in self._slices]
        kube.apply(namespace("shop"), service("shop", "big"), *ends)

    def hosts(self) -> Hosts:
        """Return the union of all slices."""
        return frozenset(host for hosts in self._slices.values() for host in hosts)

    def put(self, name: str, hosts: list[str]) -> None:
        """Write one slice."""
        self._slices[name] = hosts
        if self.hosts() != self.states[-1]:
            self.states.append(self.hosts())
        path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
        body = self._object(name)
        try:
            self._kube.ask(f"{path}/{name}", "PUT", body=body)
        except OSError:  # It is not there yet.
            self._kube.ask(path, "POST", body=body)

    def of(self, name: str) -> list[str]:
        """Return what a slice has."""
        return list(self._slices.get(name, ()))

    def _object(self, name: str) -> dict[str, object]:
        return endpoint_slice("shop", name, *(endpoint(host) for host in self._slices[name]), of="big")


@pytest.fixture
def big(tmp_path: Path) -> Iterator[Big]:
    """A cluster with the Service."""
    with Kube(tmp_path / "kube") as kube:
        yield Big(kube)


@pytest.fixture
def plane(tmp_path: Path, big: Big, request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane that reads the cluster."""
    del big
    started = KubePlane(tmp_path / "plane", tmp_path / "kube" / "admin.kubeconfig", namespaces=["shop"])
    try:
        started.start()
        yield started
    finally:
        started.kill9()


def lists(recorder: Recorder) -> list[Hosts]:
    """Return every list of endpoints that a client got, in order."""
    bodies = [one.bodies[NAME] for one in list(recorder.responses) if one.kind == "EDS" and NAME in one.bodies]
    return [hosts_of(endpoint_pb2.ClusterLoadAssignment.FromString(body)) for body in bodies]


def hosts_of(found: endpoint_pb2.ClusterLoadAssignment) -> Hosts:
    """Return its addresses, each of which may stand in it only once."""
    ends = [each for locality in found.endpoints for each in locality.lb_endpoints]
    hosts = [each.endpoint.address.socket_address.address for each in ends]
    assert len(hosts) == len(set(hosts))
    return frozenset(hosts)


def split(big: Big) -> None:
    """Half of s0 goes to a slice of its own, which is there before the half leaves."""
    whole = big.of("s0")
    big.put("half", whole[50:])
    big.put("s0", whole[:50])


def move(big: Big) -> None:
    """Endpoints of s1 go to s2, ten at a time, and stand in both meanwhile."""
    for _ in range(3):
        ten = big.of("s1")[:10]
        big.put("s2", big.of("s2") + ten)
        big.put("s1", big.of("s1")[10:])


def edit(big: Big) -> None:
    """Endpoints of s3 are replaced one by one."""
    for number in range(5):
        big.put("s3", [f"10.2.0.{number + 1}", *big.of("s3")[1:]])


def empty(big: Big) -> None:
    """Slices s5 to s9 are emptied one by one."""
    for number in range(5, SLICES):
        big.put(f"s{number}", [])


def test_no_client_is_told_a_part(big: Big, plane: ControlPlane) -> None:
    """Split, moved, edited and emptied one by one: each list received is a state that the slices were in, in order."""
    with Recorder(plane.grpc, service=NAME, variant="sotw") as recorder:
        recorder.wait()
        assert lists(recorder) == [big.states[0]]
        assert len(big.states[0]) == SLICES * EACH
        for step in (split, move, edit, empty):
            step(big)
            seconds = wait_until(lambda: lists(recorder)[-1] == big.states[-1], step.__name__)
            print(
                f"{step.__name__}: {len(big.states)} states, {len(lists(recorder))} lists, right after {seconds:.2f} s"
            )
        seen = [big.states.index(told) for told in lists(recorder)]
        assert seen == sorted(set(seen)), "a list twice, or an old one again"
        assert not recorder.tombstones
    verdicts = {name: value for name, value in plane.metrics().items() if name.startswith("lbcontrol_acks_total")}
    assert verdicts['lbcontrol_acks_total{verdict="nack"}'] == 0, verdicts
