"""Services as sources describe them: endpoints, aliases, policy, routing rules."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lbcontrol.model.endpoints import Endpoint
from lbcontrol.model.findings import Finding

MAX_NAME_BYTES = 512
"""Longest name of a service or resource, in UTF-8 bytes."""


class Objective(enum.StrEnum):
    """What the weights aim at."""

    STATIC = "Static"


class LoadBalancerType(enum.StrEnum):
    """What the client's own picker should do."""

    ROUND_ROBIN = "RoundRobin"
    RING_HASH = "RingHash"
    LEAST_REQUEST = "LeastRequest"
    PICK_FIRST = "PickFirst"
    CLIENT_WEIGHTED = "ClientWeighted"


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """Client policy asked for."""

    type: LoadBalancerType = LoadBalancerType.ROUND_ROBIN
    hash_header: str = ""
    """RingHash only: request header that is hashed; empty means a random hash for each call."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A share of calls that clients drop before dialling (EDS ``drop_overloads``)."""

    category: str
    percent: float
    """0 to 100."""


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """The settings of one service that are in force (a ServicePolicy spec, defaults filled in)."""

    objective: Objective = Objective.STATIC
    load_balancer: LoadBalancer = LoadBalancer()
    prefer_zone: bool = False
    """Endpoints of the client's own zone come first; the others are the next priority."""
    max_requests: int | None = None
    """Concurrent requests of one client process (gRFC A32); None means the client's default."""
    connect_timeout: float | None = None
    """Seconds a client may take to connect; None means the client's default."""
    drops: tuple[Drop, ...] = ()
    timeout: float | None = None
    """Longest duration of a call in seconds (``max_stream_duration`` of the default route)."""


class PolicyRank(enum.IntEnum):
    """Who said it; the higher wins, and of two equals the older one."""

    DEFAULT = 0
    ANNOTATION = 1
    SERVICE_FILE = 2
    SERVICE_POLICY = 3
    OVERRIDE = 4


@dataclass(frozen=True, slots=True)
class PolicyClaim:
    """One policy that somebody attached to a service."""

    spec: PolicySpec
    rank: PolicyRank
    origin: str
    """For people, and the tie-break after age: ``greeter.yaml:9`` or ``ServicePolicy shop/greeter``."""
    created_at: float = 0.0
    """Unix seconds when known, else 0."""


@dataclass(frozen=True, slots=True)
class BackendRef:
    """One target of a routing rule."""

    service: str
    weight: int = 1
    """Share of the rule's calls; 0 is allowed and means none."""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """A GRPCRoute rule without matches: calls are split over the backends by weight."""

    backends: tuple[BackendRef, ...]


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """The full picture of one service from one source."""

    service: str
    source: str
    """Name of the source as configured."""
    mark: str = ""
    """The source's own opaque mark of this picture (resourceVersion, index, mtime)."""
    endpoints: tuple[Endpoint, ...] = ()
    aliases: tuple[str, ...] = ()
    """Further names clients may ask for."""
    policies: tuple[PolicyClaim, ...] = ()
    rules: tuple[RouteRule, ...] = ()
    origin: str = ""
    """Where the source read it, for people."""
    defines: bool = True
    """False when this source only attaches a policy and does not say that the service exists."""
    findings: tuple[Finding, ...] = field(default=())
    """What the source noticed and tolerated (warnings)."""
