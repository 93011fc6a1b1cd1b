"""Case: everything one service's decision was made of, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbcontrol.model.assignment import Decision
from lbcontrol.model.endpoints import Address
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override
from lbcontrol.model.services import PolicyClaim, ServiceSnapshot


@dataclass(frozen=True, slots=True)
class Picture:
    """What a decision about one service reads, and nothing else: equal pictures give equal decisions."""

    service: str
    snapshots: tuple[ServiceSnapshot, ...]
    """In order of precedence: sources as they were added, ``last-good`` at the end."""
    overrides: tuple[Override, ...] = ()
    """In order of their keys."""
    aliases: tuple[str, ...] = ()
    """Further names this service has; those it lost to another service are left out."""
    stale_sources: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is wrong with its names."""


@dataclass(frozen=True, slots=True)
class Case:
    """A service's picture and the decision that was made of it."""

    picture: Picture
    decision: Decision
    events: Mapping[Address, str]
    """Id of the event that last changed what is known of an endpoint. Treat as frozen."""

    @property
    def service(self) -> str:
        """Name of the service."""
        return self.picture.service

    @property
    def snapshots(self) -> tuple[ServiceSnapshot, ...]:
        """What the sources say, in order of precedence."""
        return self.picture.snapshots

    @property
    def overrides(self) -> tuple[Override, ...]:
        """What operators say, also of endpoints that no source names."""
        return self.picture.overrides

    @property
    def policy_claims(self) -> tuple[PolicyClaim, ...]:
        """All policies attached to the service, in order of snapshots."""
        return tuple(claim for snapshot in self.picture.snapshots for claim in snapshot.policies)
