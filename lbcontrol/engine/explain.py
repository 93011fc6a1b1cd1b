"""Explain: run the pipeline once more, writing down what each step read and made of each endpoint.

Whoever has the steps alone can compute the weight and the share again (tests/property): all values are plain JSON, all
whole numbers below 2^53. The arithmetic of each step stands in its module in ``policies``.

    share = weight / (sum of weights that take new work in priority 0), for an endpoint that does; else 0

Priority 0 always has takers when any endpoint does (policies/locality.py).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lbcontrol.engine.case import Case
from lbcontrol.engine.decide import Memo, Run, decide, run, set_weights
from lbcontrol.engine.difference import Known, difference
from lbcontrol.model.assignment import EVERYONE, Decision, ExplainedStep, Explanation
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Endpoint, Health, Locality
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.policies.locality import Tiers
from lbcontrol.policies.merge import Merged, claims
from lbcontrol.policies.weights import sums


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all endpoints of one explanation share."""

    case: Case
    done: Run
    cohort: str
    tiers: Tiers
    totals: Counter[int]
    counts: Counter[int]
    takers: int
    """Sum of weights that take new work in priority 0."""
    claims: Mapping[Address, list[tuple[str, Endpoint]]]
    overrides: Mapping[tuple[Address, OverrideKind], Override]


@dataclass(frozen=True, slots=True)
class _Subject:
    """One endpoint in it."""

    merged: Merged
    health: Health
    priority: int
    weight: int

    @property
    def is_listed(self) -> bool:
        return self.health is not Health.NOT_SERVING


def explain(case: Case, cohort: str, *, only: Address | None = None) -> Iterator[Explanation]:
    """Say why each endpoint that any source names has its weight, in the order of the list.

    Args:
        case: From ``Engine.case``.
        cohort: Key of a cohort; one that does not exist means everyone's, as for clients.
        only: Leave all other endpoints out.

    Yields:
        One explanation at a time: those of 10,000 endpoints together would be 150 MB.
    """
    scene = _scene(case, cohort, only=only)
    done, tiers = scene.done, scene.tiers
    columns = zip(
        done.merged.endpoints, done.healths, tiers.priorities, done.weights.weights[scene.cohort], strict=True
    )
    shared = _guards(scene), _policy(scene)
    for column in columns:
        if only is None or column[0].address == only:
            yield _explanation(scene, _Subject(*column), shared=shared)


def preview(case: Case, override: Override, *, clear: bool, wall: float) -> Decision:
    """Return the decision there would be after an operator's write; its mark is that of the present one.

    Args:
        case: From ``Engine.case``.
        override: What would be put in force, or with ``clear`` taken back.
        clear: Take the override with this one's key back.
        wall: Unix seconds; overrides whose time is over by then count for nothing.

    Raises:
        ValueError: the override is not possible (a weight outside 1 to 2^32 - 1).
    """
    kept = {each.key: each for each in case.overrides if each.key != override.key}
    if not clear:
        kept[override.key] = override
    living = tuple(kept[key] for key in sorted(kept) if not _is_over(kept[key], wall))
    outcome = decide(dataclasses.replace(case.picture, overrides=living), Memo(), now=0.0)
    known = Known(case.events, case.events)
    new = difference(case.decision, outcome.content, known=known)
    if new is None:
        return case.decision
    return dataclasses.replace(outcome.content, mark=case.decision.mark, urgency=new.urgency, cause=new.cause)


def _is_over(override: Override, wall: float) -> bool:
    return override.expires_at is not None and override.expires_at <= wall


def _scene(case: Case, cohort: str, *, only: Address | None) -> _Scene:
    picture = case.picture
    done = run(picture, Memo(), now=0.0)
    cohort = cohort if cohort in done.locality.cohorts else EVERYONE
    tiers, weights = done.locality.cohorts[cohort], done.weights.weights[cohort]
    by_operators = set_weights(picture)
    asked = [by_operators.get(each.address, each.weight) for each in done.merged.endpoints]
    totals, counts = sums(asked, tiers.priorities, healths=done.healths)
    columns = zip(weights, tiers.priorities, done.healths, strict=True)
    takers = sum(weight for weight, priority, health in columns if health.takes_new_work and priority == 0)
    return _Scene(
        case=case,
        done=done,
        cohort=cohort,
        tiers=tiers,
        totals=totals,
        counts=counts,
        takers=takers,
        claims=claims(picture.snapshots, None if only is None else {only}),
        overrides={(each.address, each.kind): each for each in picture.overrides},
    )


def _explanation(scene: _Scene, subject: _Subject, *, shared: tuple[ExplainedStep, ExplainedStep]) -> Explanation:
    event = scene.case.events.get(subject.merged.address, "")
    guards, policy = shared
    steps = (
        _merge(scene, subject, event),
        _health(scene, subject, event),
        guards,
        _locality(scene, subject, event),
        _weights(scene, subject, event),
        _subset(scene, subject),
        policy,
    )
    return Explanation(
        service=scene.case.service,
        address=subject.merged.address,
        cohort=scene.cohort,
        mark=scene.case.decision.mark,
        steps=steps,
        weight=subject.weight if subject.is_listed else None,
        share=_share(scene, subject),
    )


def _share(scene: _Scene, subject: _Subject) -> float:
    takes = subject.health.takes_new_work and subject.priority == 0
    return subject.weight / scene.takers if takes else 0.0


def _zone(locality: Locality | None) -> str:
    return "" if locality is None else f"{locality.region}/{locality.zone}"


def _merge(scene: _Scene, subject: _Subject, event: str) -> ExplainedStep:
    merged = subject.merged
    found = scene.claims[merged.address]
    values = [
        {
            "source": source,
            "origin": each.origin,
            "weight": each.weight,
            "priority": each.priority,
            "zone": _zone(each.locality),
            "health": each.health.value,
        }
        for source, each in found
    ]
    names = list(dict.fromkeys(f"{source} ({each.origin})" if each.origin else source for source, each in found))
    reason = f"named by {', '.join(names)}"
    if len(found) > 1:
        reason += "; weight and place are the first one's, health is the most pessimistic"
    output = {
        "weight": merged.weight,
        "priority": merged.priority,
        "zone": _zone(merged.locality),
        "health": merged.health.value,
    }
    return ExplainedStep("merge", {"claims": values}, output, reason, event)


def _health(scene: _Scene, subject: _Subject, event: str) -> ExplainedStep:
    registry = subject.merged.health
    drain = scene.overrides.get((subject.merged.address, OverrideKind.DRAIN))
    reason = f"{subject.health.value}: the registry says {registry.value}"
    if drain is not None:
        reason += f", drained by {_who(drain)}"
    values = {"registry": registry.value, "drained": drain is not None}
    return ExplainedStep("health", values, {"health": subject.health.value}, reason, event)


def _who(override: Override) -> str:
    by = override.by or "an operator"
    return f"{by}: {override.reason}" if override.reason else by


def _guards(scene: _Scene) -> ExplainedStep:
    stale = scene.case.picture.stale_sources
    reason = f"stale, last picture in force: {', '.join(stale)}" if stale else "none acting"
    return ExplainedStep("guards", {"stale_sources": list(stale)}, {"held": False}, reason)


def _locality(scene: _Scene, subject: _Subject, event: str) -> ExplainedStep:
    zone, own = scene.tiers.zone, _zone(subject.merged.locality)
    values = {
        "asked": subject.merged.priority,
        "zone": own,
        "prefer_zone": None if zone is None else _zone(zone),
        "tiers": list(scene.tiers.asked),
        "health": subject.health.value,
    }
    if not subject.is_listed:
        return ExplainedStep("locality", values, {"priority": None}, "left out: it does not serve", event)
    reason = f"priority {subject.priority}"
    if zone is not None:
        reason += ", same zone as the client" if own == _zone(zone) else f", not in the client's zone {_zone(zone)}"
    elif subject.priority != subject.merged.priority:
        reason += f": {subject.merged.priority} asked for, gaps closed"
    return ExplainedStep("locality", values, {"priority": subject.priority}, reason, event)


def _weights(scene: _Scene, subject: _Subject, event: str) -> ExplainedStep:
    merged, priority = subject.merged, subject.priority
    override = scene.overrides.get((merged.address, OverrideKind.WEIGHT))
    values = {
        "static": merged.weight,
        "set_by_operator": None if override is None else override.weight,
        "health": subject.health.value,
        "priority": priority if subject.is_listed else None,
        "priority_sum": scene.totals[priority],
        "priority_endpoints": scene.counts[priority],
        "limit": MAX_WEIGHT_SUM,
        "takers_sum": scene.takers,
    }
    if not subject.is_listed:
        return ExplainedStep("weights", values, {"weight": None, "share": 0.0}, "none: it does not serve", event)
    asked = merged.weight if override is None else override.weight
    reason = f"{merged.weight} static" if override is None else f"{asked} set by {_who(override)}"
    reason += (
        "" if asked == subject.weight else f" → {subject.weight}: scaled, the sum would exceed what clients accept"
    )
    output = {"weight": subject.weight, "share": _share(scene, subject)}
    return ExplainedStep("weights", values, output, reason, event)


def _subset(scene: _Scene, subject: _Subject) -> ExplainedStep:
    listed = sum(scene.counts.values())
    reason = f"kept: {listed} of {listed}" if subject.is_listed else "not listed"
    return ExplainedStep("subset", {"listed": listed}, {"kept": subject.is_listed}, reason)


def _policy(scene: _Scene) -> ExplainedStep:
    policy = scene.done.policy
    found = [{"origin": each.origin, "rank": each.rank.name.lower()} for each in policy.claims]
    kind = policy.spec.load_balancer.type.value
    source = f"from {policy.claims[0].origin}" if policy.claims else "nobody asked for anything else"
    output = {"load_balancer": kind, "prefer_zone": policy.spec.prefer_zone}
    return ExplainedStep("policy", {"claims": found}, output, f"{kind}, {source}")
