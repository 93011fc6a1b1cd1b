"""API objects for tests of the Kubernetes source."""

from __future__ import annotations

from typing import Any

from lbcontrol.sources.kubernetes.objects import Service, Slice, service_of, slice_of


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
