"""Renderings: an assignment as one kind of client needs it, still without wire types.

The compiler (``engine/compile``) makes forms; the encoders of the front ends turn a form into bytes; the
publisher keeps the bytes as a ``Resource`` and shares them between all streams.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.services import Drop, LoadBalancer


class ResourceType(enum.StrEnum):
    """What can be published. The order is make-before-break: a thing comes before what names it."""

    CLUSTER = "cluster"
    ENDPOINTS = "endpoints"
    LISTENER = "listener"
    ROUTE = "route"
    ASSIGNMENT = "assignment"  # Native API.


@dataclass(frozen=True, slots=True)
class EndpointForm:
    """One endpoint as it is sent."""

    address: Address
    health: Health
    weight: int | None = None
    """None: the client's kind does not read weights here."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class LocalityForm:
    """A group of endpoints that share locality, priority and locality weight."""

    locality: Locality
    priority: int
    weight: int
    """Weight of the whole group within its priority, at least 1."""
    endpoints: tuple[EndpointForm, ...]


@dataclass(frozen=True, slots=True)
class EndpointsForm:
    """An endpoint list (EDS)."""

    name: str
    localities: tuple[LocalityForm, ...]
    drops: tuple[Drop, ...] = ()
    carrier: str = ""
    """Name of the weight carrier: locality, classes, real, endpoint, native."""
    no_spill: bool = False
    """Envoy leaves a priority bit by bit as its endpoints drain; True: only when none serves, as gRPC clients do."""


class Balancer(enum.StrEnum):
    """Client-side policies a cluster can list, in the words of gRFC A52."""

    WRR_LOCALITY_ROUND_ROBIN = "wrr_locality[round_robin]"
    WRR_LOCALITY_CLIENT_WEIGHTED = "wrr_locality[client_side_weighted_round_robin]"
    ROUND_ROBIN_ENUM = "ROUND_ROBIN"
    LEAST_REQUEST = "least_request"
    LEAST_REQUEST_ENUM = "LEAST_REQUEST"
    RING_HASH = "ring_hash"
    RING_HASH_ENUM = "RING_HASH"
    PICK_FIRST = "pick_first"
    CLIENT_WEIGHTED = "client_side_weighted_round_robin"

    @property
    def is_enum(self) -> bool:
        """True for a value of ``lb_policy``, which stands alone."""
        return self.name.endswith("_ENUM")


@dataclass(frozen=True, slots=True)
class ClusterForm:
    """A cluster (CDS) whose endpoints come by EDS over the same stream."""

    name: str
    balancers: tuple[Balancer, ...]
    """First supported wins; an ``…_ENUM`` entry stands alone and uses ``lb_policy``."""
    balancer: LoadBalancer = LoadBalancer()
    """What was asked for, with its parameters."""
    locality_weighted: bool = False
    """Envoy only reads locality weights when told so."""
    http2: bool = False
    """Envoy must be told that the backend speaks HTTP/2; gRPC clients ignore it."""
    connect_timeout: float | None = None
    max_requests: int | None = None
    ring_sizes: bool = True
    """False: leave ring sizes out (a bug of the Node client)."""
    no_panic: bool = False
    """Envoy sends to draining endpoints when few serve; True: never."""
    lrs: bool = False
    """Ask the client for load reports on this server."""


@dataclass(frozen=True, slots=True)
class RouteForm:
    """A route configuration (RDS) with one default route."""

    name: str
    backends: tuple[tuple[str, int], ...]
    """(cluster, weight), weights at least 1; empty: no route matches, so that calls fail at once."""
    timeout: float | None = None
    hash_header: str = ""
    domain: str = "*"
    """Host that the routes are for; a service may be asked for by an alias, so that all its hosts fit."""


@dataclass(frozen=True, slots=True)
class ListenerForm:
    """A listener (LDS) for ``xds:///NAME`` that takes its routes from ``route_name``."""

    name: str
    route_name: str


@dataclass(frozen=True, slots=True)
class AssignmentForm:
    """An assignment for the native API."""

    name: str
    service: str
    epoch: int
    revision: int
    endpoints: EndpointsForm


Form = EndpointsForm | ClusterForm | RouteForm | ListenerForm | AssignmentForm


class Resource:
    """One encoded resource: made once, shared by every stream that gets it."""

    __slots__ = ("body", "form", "name", "service", "type", "version")

    def __init__(
        self,
        type: ResourceType,  # noqa: A002  (field's term)
        name: str,
        *,
        version: str,
        body: bytes,
        form: Form | None,
        service: str = "",
    ) -> None:
        """Keep the bytes; ``version`` is the digest of ``body``; ``service`` is empty for a stand-in."""
        self.type = type
        self.name = name
        self.service = service
        self.version = version
        self.body = body
        self.form = form

    def __repr__(self) -> str:
        return f"Resource({self.type}, {self.name!r}, {self.version}, {len(self.body)} bytes)"


class Payload:
    """One message made ready once: a shared body and a short tail that may differ per publication.

    ``body + tail`` is the whole message. In a DiscoveryResponse the nonce is the last field on the wire, so
    that streams that need another nonce share the body and differ only in the tail.
    """

    __slots__ = ("_message", "body", "frames", "size", "tail")

    def __init__(self, body: bytes, tail: bytes = b"") -> None:
        """Keep both parts; nothing is copied until ``message`` is asked for."""
        self.body = body
        self.tail = tail
        self.size = len(body) + len(tail)
        """Length of the message in bytes."""
        self.frames: dict[int, bytes] = {}
        """A transport's own form of the message by stream id, for the few ids that most streams have."""
        self._message: bytes | None = None

    @property
    def message(self) -> bytes:
        """The whole message; joined once and kept."""
        if self._message is None:
            self._message = self.body + self.tail if self.tail else self.body
        return self._message
