"""Models of ``services:``, the short form for files."""

from __future__ import annotations

import enum

from pydantic import Field

from lbcontrol.sources.documents.policies import Policy
from lbcontrol.sources.documents.vocabulary import AddressText, Label, Name, NotYet, Part, Share, Weight

MAX_SERVICES = 10_000
"""Most services of one source."""
MAX_ENDPOINTS = 20_000
"""Most endpoints of one service."""


class HealthWord(enum.StrEnum):
    """Serving state, as written."""

    SERVING = "Serving"
    DRAINING = "Draining"
    NOT_SERVING = "NotServing"
    UNKNOWN = "Unknown"


class LocalityPart(Part):
    """Where an endpoint runs."""

    region: Label = ""
    """Region."""
    zone: Label = ""
    """Zone within the region."""
    sub_zone: Label = ""
    """Part of the zone, such as a rack."""


class EndpointPart(Part):
    """One backend's address and how much it should get."""

    address: AddressText
    """IP:PORT or [IPv6]:PORT; host names are refused, because gRPC clients reject them in a list."""
    weight: Weight = 1
    """Share of the calls relative to the other endpoints, whole, from 1."""
    locality: LocalityPart = LocalityPart()
    """Where it runs."""
    priority: int = Field(default=0, ge=0, le=127, strict=True)
    """Failover tier: 0 is tried first. Not together with policy.locality.prefer."""
    health: HealthWord = HealthWord.SERVING
    """Draining: no new calls, calls in flight end in peace."""


class BackendPart(Part):
    """One target of a rule."""

    name: Name
    """Name of a service."""
    weight: Share = 1
    """Share of the calls relative to the other backends; 0 means none."""
    group: NotYet = None
    """Group of the target's kind."""
    kind: NotYet = None
    """Kind of the target."""
    namespace: NotYet = None
    """Namespace of the target."""
    port: NotYet = None
    """Port of the target."""
    filters: NotYet = None
    """Changes of the request for this target."""


class RulePart(Part):
    """A GRPCRoute rule: all calls, split over backends."""

    backend_refs: list[BackendPart] = Field(min_length=1, max_length=128)
    """Services that get the calls, by weight."""
    name: NotYet = None
    """Name of the rule."""
    matches: NotYet = None
    """Which calls the rule is for."""
    filters: NotYet = None
    """Changes of the request."""
    session_persistence: NotYet = None
    """Keeping a session on one backend."""


class ServicePart(Part):
    """One service."""

    name: Name
    """What clients ask for: xds:///NAME, lookaside:///NAME."""
    aliases: list[Name] = Field(default=[], max_length=1000)
    """Further names of the same service."""
    endpoints: list[EndpointPart] = Field(default=[], max_length=MAX_ENDPOINTS)
    """The backends."""
    policy: Policy | None = None
    """Settings: a ServicePolicy's spec without targetRefs."""
    rules: list[RulePart] = Field(default=[], json_schema_extra={"maxItems": 1})
    """How calls are split over services; without it all go to this one."""


class ServicesDocument(Part):
    """Services with their endpoints."""

    services: list[ServicePart] = Field(max_length=MAX_SERVICES)
    """The services; each name stands once over all files of a source."""
