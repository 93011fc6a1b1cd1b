"""The API server hangs or dies under the running product: it is said everywhere, and clients keep what they have."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_plane import KubePlane
from tests.support.recorder import Recorder
from tests.support.waiting import wait_until

UP = 'lbcontrol_source_up{source="cluster"}'
NOTICED_SECONDS = 15.0
STOPPED_SECONDS = float(os.environ.get("LBCONTROL_TEST_STOPPED_SECONDS", "20"))
"""For which the API server hangs; 60 is worth a try by hand."""


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Kube]:
    """A cluster with one service."""
    with Kube(tmp_path / "kube") as cluster:
        cluster.apply(namespace("shop"), service("shop", "echo"))
        serve(cluster, 1, 2)
        yield cluster


@pytest.fixture
def plane(tmp_path: Path, kube: Kube) -> Iterator[ControlPlane]:
    """A control plane that reads the cluster."""
    started = KubePlane(tmp_path / "plane", kube.kubeconfig(), namespaces=["shop"])
    try:
        started.start()
        yield started
    finally:
        started.kill9()


def serve(kube: Kube, *hosts: int) -> None:
    """Let these be the endpoints."""
    kube.apply(endpoint_slice("shop", "echo", *(endpoint(f"10.0.0.{host}") for host in hosts), of="echo"))


def ready(plane: ControlPlane) -> str:
    """Return what /readyz says with 200, in full."""
    with urllib.request.urlopen(f"http://{plane.probe}/readyz?verbose", timeout=5.0) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


def is_noticed(plane: ControlPlane) -> None:
    """Wait until the metric says so, and see that /readyz and ``sources`` do, while the product stays ready."""
    seconds = wait_until(lambda: plane.metrics()[UP] == 0, "the source is stale")
    print(f"stale after {seconds:.1f} s")
    assert seconds <= NOTICED_SECONDS
    assert "source cluster: stale" in ready(plane)
    (row,) = [line for line in plane.cli("sources").splitlines() if line.startswith("cluster")]
    assert "stale" in row


@pytest.mark.timeout(170)
@pytest.mark.parametrize("how", ["hung", "killed"])
def test_outage_is_said_and_changes_nothing(kube: Kube, plane: ControlPlane, how: str) -> None:
    """Clients are told nothing while the API server is away, and one thing when it is back and something changed."""
    with Recorder(plane.grpc, service="echo.shop", variant="sotw") as recorder:
        recorder.wait()
        told, began = len(recorder.responses), time.monotonic()
        (kube.stall_api if how == "hung" else kube.kill_api)()
        is_noticed(plane)
        if how == "hung":  # The point: for so long.
            time.sleep(max(0.0, STOPPED_SECONDS - (time.monotonic() - began)))
        assert len(recorder.responses) == told
        assert plane.metrics()['lbcontrol_endpoints{health="serving",service="echo.shop"}'] == 2
        (kube.resume_api if how == "hung" else kube.start_api)()
        print(f"well after {wait_until(lambda: plane.metrics()[UP] == 1, 'it is read again', seconds=60.0):.1f} s")
        assert "source cluster: synced" in ready(plane)
        assert len(recorder.responses) == told
        serve(kube, 1, 2, 3)
        seconds = wait_until(lambda: len(recorder.responses) > told, "the change is told", seconds=60.0)
        print(f"a change is told after {seconds:.1f} s")
        time.sleep(1.0)  # for what should not come
        assert [one.kind for one in recorder.responses[told:]] == ["EDS"]
        assert not recorder.tombstones
