"""Assignments: who should dial whom with which weight, and the owner's decision that carries them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicySpec, RouteRule

EVERYONE = "all"
"""The cohort of clients that no policy tells apart."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The owner's growing mark of a service: never goes backwards, never enters xDS bytes."""

    epoch: int = 0
    """Grows with each owner and each start of it."""
    revision: int = 0
    """Grows with each change of the service's assignments."""

    def __str__(self) -> str:
        return f"{self.epoch}.{self.revision}"


@dataclass(frozen=True, slots=True)
class AssignedEndpoint:
    """One endpoint in one cohort's assignment."""

    address: Address
    weight: int
    """Relative share within the priority, at least 1 (a client rejects a list with weight 0)."""
    locality: Locality
    priority: int
    """Contiguous from 0 over the assignment."""
    health: Health
    """SERVING, UNKNOWN or DRAINING; endpoints that serve nothing are left out."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one cohort of clients dials for one service. Content only: equal content is equal."""

    service: str
    cohort: str
    endpoints: tuple[AssignedEndpoint, ...]
    """Sorted by (priority, locality, address); addresses are unique."""
    policy: PolicySpec = PolicySpec()


class Urgency(enum.IntEnum):
    """How soon a decision must reach the clients; later ones carry earlier ones along."""

    WEIGHT = 0  # Only weights moved: waits for the control interval.
    ADDITION = 1  # Something was added: within 50 ms.
    IMMEDIATE = 2  # Removal, drain, health, routing, policy: at once (within 50 ms).


@dataclass(frozen=True, slots=True)
class Decision:
    """What the owner of a service publishes on the bus; all cohorts of the service at once."""

    service: str
    mark: Mark
    assignments: Mapping[str, Assignment]
    """Cohort key to assignment; holds at least ``EVERYONE`` unless removed. Treat as frozen."""
    aliases: tuple[str, ...] = ()
    policy: PolicySpec = PolicySpec()
    rules: tuple[RouteRule, ...] = ()
    removed: bool = False
    """True when every source that could define the service says it does not exist."""
    urgency: Urgency = Urgency.IMMEDIATE
    cause: str = ""
    """Short reason for people and metrics.

    One of ``endpoints``, ``health``, ``weight``, ``drain``, ``policy``, ``restored``, ``removed``.
    """
    stale_sources: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def cohort_for(self, locality: Locality) -> str:
        """Return the cohort of a client at ``locality``: its zone's when there is one, else everyone's."""
        cohort = zone_cohort(locality)
        return cohort if cohort in self.assignments else EVERYONE


def zone_cohort(locality: Locality) -> str:
    """Return the cohort key of clients in this locality's zone."""
    return f"zone={locality.region}/{locality.zone}"


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One pipeline step as it acted on one endpoint: enough to redo the arithmetic."""

    rule: str
    """Pipeline step: merge, health, guards, locality, weights, subset, policy."""
    input: Mapping[str, object]
    """JSON-able values the rule read."""
    output: Mapping[str, object]
    """JSON-able values the rule produced."""
    reason: str
    """One sentence for people."""
    event: str = ""
    """Id of the engine event that last changed this output."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one endpoint has its weight in one cohort."""

    service: str
    address: Address
    cohort: str
    mark: Mark
    steps: tuple[ExplainedStep, ...]
    weight: int | None
    """Final weight, or None when the endpoint gets nothing."""
    share: float
    """Final share of the cohort's new calls, 0 to 1."""
