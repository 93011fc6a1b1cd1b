"""Discovery messages and one client stream, over any transport a subject offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.service.discovery.v3 import discovery_pb2

PREFIX = "type.googleapis.com/"
TYPES = {
    "LDS": PREFIX + "envoy.config.listener.v3.Listener",
    "RDS": PREFIX + "envoy.config.route.v3.RouteConfiguration",
    "CDS": PREFIX + "envoy.config.cluster.v3.Cluster",
    "EDS": PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment",
    "BOGUS": PREFIX + "example.NoSuchResource",
    "UNTYPED": "",
    **{f"BOGUS{number}": f"{PREFIX}example.NoSuchResource{number}" for number in range(1, 18)},
}
"""Type URL by the short name that scenarios use."""

SHORT = {url: short for short, url in TYPES.items()}

MESSAGES = {
    "LDS": listener_pb2.Listener,
    "RDS": route_pb2.RouteConfiguration,
    "CDS": cluster_pb2.Cluster,
    "EDS": endpoint_pb2.ClusterLoadAssignment,
}
METHODS = {
    "sotw": "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    "delta": "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
}
"""RPC path by protocol variant."""


class StreamEndedError(Exception):
    """The server ended the stream; ``code`` is the name of the status code."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the status."""
        super().__init__(f"stream ended: {code}: {message}")
        self.code = code


class Wire(Protocol):
    """One open stream as bytes."""

    async def send(self, message: bytes) -> None:
        """Send one request."""
        ...

    async def receive(self) -> bytes:
        """Wait for one response; raises StreamEndedError."""
        ...

    async def close(self) -> None:
        """Break the stream off."""
        ...


@dataclass(frozen=True)
class Response:
    """A SotW or Delta response, read down to what scenarios speak of."""

    kind: str
    nonce: str
    version: str
    """SotW ``version_info``; empty in Delta."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Serialized resource by name."""
    versions: dict[str, str] = field(default_factory=dict)
    """Delta only: version by name."""
    removed: tuple[str, ...] = ()


def _named(kind: str, raw: bytes) -> str:
    message = MESSAGES[kind].FromString(raw)
    return str(message.cluster_name if kind == "EDS" else message.name)


def parse(variant: str, raw: bytes) -> Response:
    """Read one response of ``variant`` (sotw or delta)."""
    if variant == "sotw":
        sotw = discovery_pb2.DiscoveryResponse.FromString(raw)
        kind = SHORT.get(sotw.type_url, sotw.type_url)
        bodies = {_named(kind, item.value): item.value for item in sotw.resources}
        return Response(kind, sotw.nonce, sotw.version_info, bodies)
    delta = discovery_pb2.DeltaDiscoveryResponse.FromString(raw)
    return Response(
        SHORT.get(delta.type_url, delta.type_url),
        delta.nonce,
        "",
        {item.name: item.resource.value for item in delta.resources},
        {item.name: item.version for item in delta.resources},
        tuple(delta.removed_resources),
    )
