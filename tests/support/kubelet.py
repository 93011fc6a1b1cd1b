"""Nodes that are not there: what kubelets would tell the API server about them and about their pods."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.support.kube import Kube, Object

_MERGE, _STRATEGIC = "merge-patch+json", "strategic-merge-patch+json"
_FIRST_HOST = 2


def add_node(kube: Kube, name: str, *, zone: str) -> None:
    """Register a ready node, so that the scheduler may place pods."""
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
    kube.ask("/api/v1/nodes", "POST", body={"metadata": {"name": name, "labels": labels}})
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    ready = {"type": "Ready", "status": "True", "reason": "Test", "message": ""}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    kube.ask(f"/api/v1/nodes/{name}/status", "PATCH", body={"status": status}, form=_STRATEGIC)
    # The API server taints a new node as not ready, and its controller that lifts this is off.
    kube.ask(f"/api/v1/nodes/{name}", "PATCH", body={"spec": {"taints": None}}, form=_MERGE)


def pods(kube: Kube, namespace: str) -> list[Object]:
    """Return the pods of a namespace."""
    found: list[Object] = kube.ask(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return found


def waiting_pods(kube: Kube, namespace: str) -> dict[str, str]:
    """Return the pods that were placed and have no address yet: each with the address it shall have."""
    every = kube.ask("/api/v1/pods")["items"]
    free = _free({each["status"].get("podIP") for each in every})
    here = [each for each in every if each["metadata"]["namespace"] == namespace]
    return {each["metadata"]["name"]: next(free) for each in here if _is_waiting(each)}


def ready_pods(kube: Kube, namespace: str, addresses: dict[str, str]) -> None:
    """Say that these pods run at these addresses and are ready; a readiness gate of the pod decides for itself."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for name, host in addresses.items():
        kinds = ("Initialized", "Ready", "ContainersReady")
        status = {
            "phase": "Running",
            "podIP": host,
            "podIPs": [{"ip": host}],
            "startTime": now,
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        kube.ask(path, "PATCH", body={"status": status}, form=_STRATEGIC)


def terminating_pods(kube: Kube, namespace: str) -> dict[str, str]:
    """Return the pods that are to end, each with its address."""
    ending = [each for each in pods(kube, namespace) if each["metadata"].get("deletionTimestamp")]
    return {each["metadata"]["name"]: each["status"].get("podIP", "") for each in ending}


def reap_pods(kube: Kube, namespace: str, names: Any) -> None:
    """Say that these pods have ended; until then they are terminating, and serve."""
    for name in names:
        kube.ask(f"/api/v1/namespaces/{namespace}/pods/{name}", "DELETE", body={"gracePeriodSeconds": 0})


def _is_waiting(pod: Object) -> bool:
    ended = pod["metadata"].get("deletionTimestamp")
    return bool(pod["spec"].get("nodeName")) and not ended and not pod["status"].get("podIP")


def _free(used: set[Any]) -> Iterator[str]:
    return (host for host in (f"10.244.0.{n}" for n in range(_FIRST_HOST, 250)) if host not in used)
