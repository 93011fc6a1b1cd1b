"""Locality: which tier of the list an endpoint stands in, for each cohort of clients.

Goal: clients reject a list whose priorities have a gap (gRFC A27), and move on to the next priority only when all of
this one fails. So tiers are counted over the endpoints that take new work: with tiers 3 (serving), 5 (all draining)
and 9 (serving) the list has priorities 0 and 1. What drains in a tier without takers joins the next tier, or the last:
leaving it out later makes no gap, and nobody first has to find the emptied tier broken.

    priority(asked) = number of tiers with takers that are smaller than asked, at most (number of tiers - 1)

``prefer_zone``: one more cohort for each zone that endpoints name. In it the zone's endpoints are tier 0 and all others
tier 1; in everyone's cohort nothing changes. A zone whose endpoints all drain has no tier of its own by the same rule.
Endpoints' own priorities and ``prefer_zone`` contradict each other: the endpoints' win and a finding says so.
At most ``MAX_ZONES`` zones have a cohort, those with most endpoints first, because each costs a list of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbcontrol.model.assignment import EVERYONE, zone_cohort
from lbcontrol.model.endpoints import Health, Locality
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.policies.merge import Merged
from lbcontrol.policies.step import Chance

MAX_ZONES = 32
"""Most zone cohorts of one service."""


@dataclass(frozen=True, slots=True)
class LocalityInputs:
    """What the step reads."""

    service: str
    endpoints: Sequence[Merged]
    healths: Sequence[Health]
    prefer_zone: bool = False


@dataclass(frozen=True, slots=True)
class Tiers:
    """One cohort's tiers."""

    zone: Locality | None
    """Region and zone of the clients that are told apart; None for everyone's cohort."""
    asked: tuple[int, ...]
    """Tiers that take new work, as asked for, ascending."""
    priorities: tuple[int, ...]
    """Priority of each endpoint; without meaning for those not serving."""


@dataclass(frozen=True, slots=True)
class LocalityOutput:
    """Cohort key to its tiers; holds ``EVERYONE``."""

    cohorts: Mapping[str, Tiers]
    findings: tuple[Finding, ...] = ()


def step(_state: None, inputs: LocalityInputs, _now: float, _rng: Chance | None) -> tuple[None, LocalityOutput]:
    """Return the priority of each endpoint in each cohort."""
    asked = [each.priority for each in inputs.endpoints]
    cohorts = {EVERYONE: _tiers(None, asked, inputs.healths)}
    if not inputs.prefer_zone:
        return None, LocalityOutput(cohorts)
    if any(asked):
        return None, LocalityOutput(cohorts, (_contradiction(inputs),))
    zones, findings = _zones(inputs)
    for zone in zones:
        key = (zone.region, zone.zone)
        column = [0 if each.key[:2] == key else 1 for each in inputs.endpoints]
        cohorts[zone_cohort(zone)] = _tiers(zone, column, inputs.healths)
    return None, LocalityOutput(cohorts, findings)


def _tiers(zone: Locality | None, asked: Sequence[int], healths: Sequence[Health]) -> Tiers:
    serving, unknown = Health.SERVING, Health.UNKNOWN
    pairs = zip(asked, healths, strict=True)
    tiers = sorted({tier for tier, health in pairs if health is serving or health is unknown})
    last = max(len(tiers) - 1, 0)
    priorities = {tier: min(bisect_left(tiers, tier), last) for tier in set(asked)}
    return Tiers(zone, tuple(tiers), tuple([priorities[tier] for tier in asked]))


def _zones(inputs: LocalityInputs) -> tuple[list[Locality], tuple[Finding, ...]]:
    pairs = zip(inputs.endpoints, inputs.healths, strict=True)
    listed = [each.locality for each, health in pairs if health is not Health.NOT_SERVING and each.locality.zone]
    counts = Counter([(place.region, place.zone) for place in listed])
    ranked = sorted(counts, key=lambda zone: (-counts[zone], zone))
    findings = (_too_many(inputs.service, len(ranked)),) if len(ranked) > MAX_ZONES else ()
    return [Locality(*zone) for zone in sorted(ranked[:MAX_ZONES])], findings


def _contradiction(inputs: LocalityInputs) -> Finding:
    first = min((each for each in inputs.endpoints if each.priority), key=lambda each: each.key)
    return Finding(
        "LB413",
        f'"{inputs.service}" asks for locality.prefer: Zone, but its endpoints set priorities',
        at=f"{first.address}, priority {first.priority}",
        why="both say which endpoints come first",
        effect="the endpoints' priorities are in force; zones are not preferred",
        do="remove locality.prefer, or the priorities of the endpoints",
    )


def _too_many(service: str, zones: int) -> Finding:
    return Finding(
        "LB416",
        f'endpoints of "{service}" name {zones} zones',
        why=f"at most {MAX_ZONES} zones of a service are preferred, those with most endpoints first",
        effect="clients in the other zones get everyone's assignment",
        do="name fewer zones, or remove locality.prefer",
        severity=Severity.WARNING,
    )
