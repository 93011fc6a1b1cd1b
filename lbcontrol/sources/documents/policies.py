"""Models of ``kind: ServicePolicy`` and of ``policy:`` in a service."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lbcontrol.model.services import LoadBalancerType, Objective
from lbcontrol.sources.documents.refusals import RefusalError, quoted
from lbcontrol.sources.documents.vocabulary import (
    DocumentName,
    Duration,
    HeaderName,
    Name,
    Namespace,
    NotYet,
    Part,
    Percent,
    StrictText,
    Timestamp,
    Weight,
)

API_VERSION = "lbcontrol.io/v1alpha1"
"""The version of all our kinds."""
LATER_OBJECTIVES = ("Utilization", "Latency")
"""Objectives of the vocabulary that this version does not follow."""


class Preference(enum.StrEnum):
    """Which endpoints a client tries first."""

    ZONE = "Zone"


def _objective(value: object) -> object:
    if value in LATER_OBJECTIVES:
        raise RefusalError("LB107", f"objective {quoted(str(value))}")
    return value


class Weighting(Part):
    """What the weights aim at."""

    objective: Annotated[Objective, BeforeValidator(_objective)] = Objective.STATIC
    """Static: the weights of the endpoints as written."""
    report_interval: NotYet = None
    """How often clients report load."""
    trust: NotYet = None
    """How far reports may move a weight."""


class RingHash(Part):
    """What RingHash hashes."""

    header: HeaderName
    """Request header whose value chooses the endpoint."""


class LoadBalancerPart(Part):
    """What the client's own picker does."""

    type: LoadBalancerType = LoadBalancerType.ROUND_ROBIN
    """The picker."""
    ring_hash: RingHash | None = None
    """Only with type RingHash; without it each call hashes to a random place."""


class LocalityPolicy(Part):
    """How a client's own place matters."""

    prefer: Preference | None = None
    """Zone: endpoints of the client's own zone come first, the others take over when none of them serves."""
    spill_below: NotYet = None
    """Healthy share of the own zone below which calls spill over."""


class PerClient(Part):
    """Limits in one client process."""

    max_requests: Weight | None = None
    """Concurrent requests of one client process to the service (gRFC A32)."""
    connect_timeout: Duration | None = None
    """How long a client may take to connect to an endpoint."""


class DropPart(Part):
    """A share of calls that clients drop before dialling."""

    category: Name
    """Name under which clients count the dropped calls."""
    percent: Percent
    """Share of the calls, 0 to 100, with at most 4 decimals."""


class Policy(Part):
    """Settings of a service."""

    weighting: Weighting = Weighting()
    """What the weights aim at."""
    load_balancer: LoadBalancerPart = LoadBalancerPart()
    """What the client's own picker does."""
    locality: LocalityPolicy = LocalityPolicy()
    """How a client's own place matters."""
    per_client: PerClient = PerClient()
    """Limits in one client process, not fleet-wide."""
    drop: list[DropPart] = Field(default=[], max_length=100)
    """Shares of calls that clients drop before dialling."""
    timeout: Duration | None = None
    """Longest duration of a call (max_stream_duration of the default route)."""
    subset: NotYet = None
    """How many endpoints one client gets."""
    health_check: NotYet = None
    """Active probes of the endpoints."""
    outlier_detection: NotYet = None
    """Ejection of endpoints that fail."""
    slow_start: NotYet = None
    """Ramp of new endpoints."""
    drain: NotYet = None
    """How an endpoint leaves."""


class TargetRef(Part):
    """A service that a policy is for."""

    group: Literal[""] = ""
    """Always empty: the group of Service."""
    kind: Literal["Service"] = "Service"
    """Always Service."""
    name: Name
    """Name of the service."""
    section_name: NotYet = None
    """A port of the service."""


class TargetedPolicy(Policy):
    """Settings and the services they are for."""

    target_refs: list[TargetRef] = Field(min_length=1, max_length=16)
    """Services the policy is for."""


class Metadata(Part):
    """Who the document is."""

    name: DocumentName
    """Name of the document, unique in its namespace."""
    namespace: Namespace = ""
    """Namespace, for people."""
    creation_timestamp: Timestamp = 0.0
    """Of two policies for one service the older wins; without it a policy counts as older than all with it."""
    labels: dict[str, StrictText] = Field(default={})
    """For people and their tools, as in Kubernetes; lbcontrol does not read them."""
    annotations: dict[str, StrictText] = Field(default={})
    """For people and their tools, as in Kubernetes; lbcontrol does not read them."""


class ServicePolicyDocument(Part):
    """Settings of services, as one document with a name."""

    api_version: Literal["lbcontrol.io/v1alpha1"]
    """Version of the vocabulary."""
    kind: Literal["ServicePolicy"]
    """Kind of the document."""
    metadata: Metadata
    """Who the document is."""
    spec: TargetedPolicy
    """The settings."""
