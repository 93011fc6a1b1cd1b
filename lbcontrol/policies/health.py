"""Health: what the registries say, and what operators said on top of it.

Goal: an operator's drain holds whatever a registry says, and never makes a dead endpoint look alive: *not serving*
stays not serving. ``unknown`` is passed on as it is; clients use such endpoints like serving ones (gRFC A27).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lbcontrol.model.endpoints import Address, Health
from lbcontrol.policies.merge import Merged
from lbcontrol.policies.step import Chance


@dataclass(frozen=True, slots=True)
class HealthInputs:
    """What the step reads."""

    endpoints: Sequence[Merged]
    drains: Collection[Address] = frozenset()
    """Addresses an operator drains; those that no source names wait."""


def step(_state: None, inputs: HealthInputs, _now: float, _rng: Chance | None) -> tuple[None, tuple[Health, ...]]:
    """Return the health of each endpoint."""
    drains = inputs.drains
    if not drains:
        return None, tuple([each.health for each in inputs.endpoints])
    return None, tuple([_drained(each.health) if each.address in drains else each.health for each in inputs.endpoints])


def _drained(health: Health) -> Health:
    return health if health is Health.NOT_SERVING else Health.DRAINING
