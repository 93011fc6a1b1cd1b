"""A real API server with services to be balanced, and the PUT that changes one of them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.h2spec import component
from benchmarks.kubernetes.scenarios import ENDPOINTS, SERVICES
from tests.support.kube import Kube, endpoint_slice, namespace, service

NAMESPACE = "default"
PORT = 50051
UNCHANGED = "10.99.0.0"
"""Address of the endpoint that changes; the generator puts the change's number in its place."""
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What servers and the generator need of it."""

    kubeconfig: Path
    put: Path
    """File that tells the generator what to PUT."""


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Start one, filled.

    Raises:
        NotRunError: it cannot be had here.
    """
    component("kube")
    with tempfile.TemporaryDirectory() as home, Kube(Path(home)) as kube:
        kube.ask("/api/v1/namespaces", "POST", body=namespace("istio-system"))
        for number in range(SERVICES):
            made = service(NAMESPACE, f"svc-{number}", grpc=PORT)
            kube.ask(f"/api/v1/namespaces/{NAMESPACE}/services", "POST", body=made)
            kube.ask(SLICES, "POST", body=_slice(number))
        kubeconfig, put = kube.kubeconfig(), Path(home) / "put.json"
        user = json.loads(kubeconfig.read_text())["users"][0]["user"]
        authority = (Path(home) / "ca.crt").read_text()
        changed = {"url": f"{kube.url}{SLICES}/svc-0-a", "ca": authority, "body": _slice(0), **user}
        put.write_text(json.dumps(changed))
        yield Cluster(kubeconfig, put)


def _slice(number: int) -> dict[str, Any]:
    """Return the slice of a service; without pods, of which Istio would want to know every one."""
    addresses = [f"10.1.{number}.{k}" for k in range(1, ENDPOINTS)]
    addresses.insert(0, UNCHANGED if number == 0 else f"10.2.{number}.1")
    ends = [_endpoint(address, k) for k, address in enumerate(addresses)]
    return endpoint_slice(NAMESPACE, f"svc-{number}-a", *ends, of=f"svc-{number}", grpc=PORT)


def _endpoint(address: str, place: int) -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": f"node-{place % 10}",
        "zone": f"zone-{'abc'[place % 3]}",
    }
