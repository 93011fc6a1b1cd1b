"""Services and EndpointSlices as the source keeps them: what matters of an API object, checked, and nothing else.

API objects come from a server that may be of any version, and their annotations from tenants: what does not fit is left
out and said in a finding; nothing here raises.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbcontrol.model.endpoints import Health

SERVICE_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice that names its Service (KEP-752)."""
ENABLED = "lbcontrol.io/enabled"
PORT = "lbcontrol.io/port"

Key = tuple[str, str]
"""Namespace and name."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service."""

    name: str
    """Empty for the only port of a Service that has not named it."""
    number: int
    protocol: str = ""
    """``appProtocol``; empty when not said."""


@dataclass(frozen=True, slots=True)
class Service:
    """What matters of a Service."""

    key: Key
    mark: str
    """resourceVersion; opaque."""
    ports: tuple[ServicePort, ...] = ()
    family: str = ""
    """IPv4 or IPv6: its primary address family; empty when the API server did not say."""
    created_at: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    """Ours alone (``lbcontrol.io/...``), sorted."""
    uid: str = ""

    def annotation(self, name: str) -> str | None:
        """Return the value of an annotation."""
        return dict(self.annotations).get(name)


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """One address of an EndpointSlice that takes or finishes work."""

    host: str
    """Canonical IP text."""
    health: Health
    zone: str = ""
    node: str = ""
    pod: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """What matters of an EndpointSlice."""

    key: Key
    mark: str
    service: str
    """Name of its Service; same namespace."""
    family: str
    """IPv4, IPv6, or FQDN, of which nothing is served."""
    ports: Mapping[str, int]
    """Number by name; of TCP ports alone."""
    endpoints: tuple[SliceEndpoint, ...]


def health_of(conditions: Json) -> Health | None:
    """Map (ready, serving, terminating) of an endpoint; None means that it is gone.

    A value that is not said means ready, as ready says, and not terminating (EndpointConditions of discovery/v1). An
    endpoint that is terminating and still serves finishes its work; ``publishNotReadyAddresses`` shows as ready.
    """
    ready = conditions.get("ready") is not False
    serving = conditions.get("serving")
    if conditions.get("terminating") is True:
        return Health.DRAINING if (ready if serving is None else serving) else None
    return Health.SERVING if ready else None


def service_of(item: Json) -> Service:
    """Return what matters of a v1 Service."""
    meta, spec = _mapping(item, "metadata"), _mapping(item, "spec")
    families = spec.get("ipFamilies")
    ours = {
        name: str(value) for name, value in _mapping(meta, "annotations").items() if name.startswith("lbcontrol.io/")
    }
    return Service(
        key=_key(meta),
        mark=str(meta.get("resourceVersion", "")),
        ports=tuple(_service_ports(spec)),
        family=str(families[0]) if isinstance(families, list) and families else "",
        created_at=str(meta.get("creationTimestamp", "")),
        annotations=tuple(sorted(ours.items())),
        uid=str(meta.get("uid", "")),
    )


def slice_of(item: Json) -> Slice:
    """Return what matters of a discovery.k8s.io/v1 EndpointSlice."""
    meta = _mapping(item, "metadata")
    family = str(item.get("addressType", ""))
    ports = {str(each.get("name") or ""): each["port"] for each in item.get("ports") or () if _dialable(each)}
    return Slice(
        key=_key(meta),
        mark=str(meta.get("resourceVersion", "")),
        service=str(_mapping(meta, "labels").get(SERVICE_LABEL, "")),
        family=family,
        ports=ports,
        endpoints=tuple(_endpoints(item)) if family in ("IPv4", "IPv6") else (),
    )


def _endpoints(item: Json) -> Iterator[SliceEndpoint]:
    for each in item.get("endpoints") or ():
        host, health = _host(each), health_of(_mapping(each, "conditions"))
        if host and health is not None:
            target = _mapping(each, "targetRef")
            pod = str(target.get("name", "")) if target.get("kind") == "Pod" else ""
            yield SliceEndpoint(host, health, str(each.get("zone") or ""), str(each.get("nodeName") or ""), pod)


def _host(endpoint: Json) -> str:
    """Return the first address: all of them reach the same endpoint (discovery/v1, Endpoint.addresses)."""
    addresses: Sequence[Any] = endpoint.get("addresses") or []
    try:
        address = ipaddress.ip_address(addresses[0])
    except (IndexError, ValueError):
        return ""
    return "" if getattr(address, "scope_id", None) else str(address)


def _service_ports(spec: Json) -> Iterator[ServicePort]:
    for each in spec.get("ports") or ():
        if _dialable(each):
            yield ServicePort(str(each.get("name") or ""), each["port"], str(each.get("appProtocol") or ""))


def _dialable(port: Json) -> bool:
    number = port.get("port")
    return port.get("protocol", "TCP") == "TCP" and isinstance(number, int) and 1 <= number <= 65535


def _key(meta: Json) -> Key:
    return str(meta.get("namespace", "")), str(meta.get("name", ""))


def _mapping(item: Json, name: str) -> Json:
    found = item.get(name)
    return found if isinstance(found, Mapping) else {}
