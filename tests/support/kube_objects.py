"""API objects for tests of the Kubernetes source."""

from __future__ import annotations

from typing import Any

from lbcontrol.sources.kubernetes.objects import Service, Slice, service_of, slice_of
from lbcontrol.sources.kubernetes.policies import Policy, policy_of


def service(name: str = "echo", *ports: dict[str, Any], mark: str = "1", **annotations: str) -> Service:
    """Return a Service of namespace shop; ``enabled`` and ``port`` are our annotations."""
    meta = {
        "namespace": "shop",
        "name": name,
        "resourceVersion": mark,
        "annotations": {"other.io/x": "y"} | {f"lbcontrol.io/{key}": value for key, value in annotations.items()},
    }
    spec = {"ports": list(ports or ({"name": "grpc", "port": 50051},)), "ipFamilies": ["IPv4", "IPv6"]}
    return service_of({"metadata": meta, "spec": spec})


def slice_(name: str, *endpoints: dict[str, Any], of: str = "echo", **other: Any) -> Slice:
    """Return an EndpointSlice of a Service of namespace shop."""
    meta = {
        "namespace": "shop",
        "name": name,
        "resourceVersion": "7",
        "labels": {"kubernetes.io/service-name": of},
    }
    ports = [{"name": "grpc", "port": 8080, "protocol": "TCP"}]
    return slice_of({"metadata": meta, "addressType": "IPv4", "ports": ports, "endpoints": list(endpoints)} | other)


def at(host: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint of a slice."""
    return {"addresses": [host], "conditions": conditions}


def policy(name: str = "p", *targets: str, age: int = 0, **changes: Any) -> Policy:
    """Return a ServicePolicy of namespace shop for Service echo, or for these.

    Args:
        name: Its name.
        targets: Names of Services.
        age: Seconds before noon at which it was made.
        changes: ``generation``, ``mark``, ``uid`` and ``ancestors`` of the object; everything else is of its spec.
    """
    meta = {
        "namespace": "shop",
        "name": name,
        "uid": changes.pop("uid", f"uid-{name}"),
        "resourceVersion": changes.pop("mark", "1"),
        "generation": changes.pop("generation", 1),
        "creationTimestamp": f"2026-11-25T{11 - age // 3600:02}:{59 - age // 60 % 60:02}:{59 - age % 60:02}Z",
    }
    status = {"ancestors": changes.pop("ancestors", [])}
    refs = [{"group": "", "kind": "Service", "name": target} for target in targets or ("echo",)]
    return policy_of({"metadata": meta, "spec": {"targetRefs": refs, **changes}, "status": status})
