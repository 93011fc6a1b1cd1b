"""Decide: a picture in, the content of a decision out; a pure run of the pipeline.

The steps run over columns (policies/__init__.py). What the run before left in the memo makes the next one cheap, and
makes unchanged things the *same* objects: an endpoint's ``Merged``, its ``AssignedEndpoint`` in each priority, a
cohort's whole ``Assignment``. Caches further down can then ask ``is`` instead of comparing 10,000 endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from lbcontrol.engine.case import Picture
from lbcontrol.model.assignment import AssignedEndpoint, Assignment, Decision, Mark
from lbcontrol.model.endpoints import Address, Health
from lbcontrol.model.overrides import OverrideKind
from lbcontrol.policies import client_policy, health, locality, merge, weights

Pool = dict[int, dict[merge.Merged, AssignedEndpoint]]
"""Priority to the assigned form of each endpoint there."""


@dataclass(frozen=True, slots=True)
class Run:
    """What each step of the pipeline said."""

    policy: client_policy.ClientPolicy
    merge_state: merge.MergeState
    merged: merge.MergeOutput
    healths: tuple[Health, ...]
    locality: locality.LocalityOutput
    weights: weights.WeightOutput


@dataclass(frozen=True, slots=True)
class Memo:
    """What the next run can use again. Changes nothing about its result."""

    merge_state: merge.MergeState = merge.MergeState()
    pool: Pool = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision without mark, cause and urgency, and what the next run needs."""

    content: Decision
    memo: Memo
    merged: merge.MergeOutput


def run(picture: Picture, memo: Memo, *, now: float) -> Run:
    """Run the pipeline.

    Raises:
        ValueError: the data of this service breaks a promise of the model.
    """
    service = picture.service
    _, policy = client_policy.step(None, picture.snapshots, now, None)
    state, merged = merge.step(memo.merge_state, picture.snapshots, now, None)
    endpoints = merged.endpoints
    _, healths = health.step(None, health.HealthInputs(endpoints, drains(picture)), now, None)
    _, tiers = locality.step(
        None, locality.LocalityInputs(service, endpoints, healths, policy.spec.prefer_zone), now, None
    )
    priorities = {cohort: each.priorities for cohort, each in tiers.cohorts.items()}
    asked = weights.WeightInputs(service, endpoints, healths, priorities, set_weights(picture))
    _, weighed = weights.step(None, asked, now, None)
    return Run(policy, state, merged, healths, tiers, weighed)


def decide(picture: Picture, memo: Memo, *, now: float) -> Outcome:
    """Return what is to be published of a service.

    Raises:
        ValueError: the data of this service breaks a promise of the model.
    """
    done = run(picture, memo, now=now)
    pool: Pool = {}
    assignments = {
        cohort: _assignment(picture.service, cohort, done=done, memo=memo, pool=pool)
        for cohort in done.locality.cohorts
    }
    content = Decision(
        service=picture.service,
        mark=Mark(),
        assignments=assignments,
        aliases=picture.aliases,
        policy=done.policy.spec,
        rules=done.policy.rules,
        stale_sources=picture.stale_sources,
        findings=(
            *(finding for snapshot in picture.snapshots for finding in snapshot.findings),
            *picture.findings,
            *done.policy.findings,
            *done.locality.findings,
            *done.weights.findings,
        ),
    )
    return Outcome(content, Memo(done.merge_state, pool, assignments), done.merged)


def drains(picture: Picture) -> frozenset[Address]:
    """Return the addresses that an operator drains."""
    return frozenset(each.address for each in picture.overrides if each.kind is OverrideKind.DRAIN)


def set_weights(picture: Picture) -> dict[Address, int]:
    """Return the weights that an operator set; one without a number counts as 0, which the weights step refuses."""
    return {each.address: each.weight or 0 for each in picture.overrides if each.kind is OverrideKind.WEIGHT}


def _assignment(service: str, cohort: str, *, done: Run, memo: Memo, pool: Pool) -> Assignment:
    found = _assigned(done, cohort, memo=memo, pool=pool)
    old = memo.assignments.get(cohort)
    if old is not None and old.endpoints == found and old.policy == done.policy.spec:
        return old
    return Assignment(service, cohort, found, done.policy.spec)


def _assigned(done: Run, cohort: str, *, memo: Memo, pool: Pool) -> tuple[AssignedEndpoint, ...]:
    """Return the listed endpoints, those that did not change as the objects they were."""
    not_serving = Health.NOT_SERVING
    priorities = done.locality.cohorts[cohort].priorities
    tiers = set(priorities)
    before = {tier: memo.pool.get(tier, {}) for tier in tiers}
    after = {tier: pool.setdefault(tier, {}) for tier in tiers}
    found: list[AssignedEndpoint] = []
    columns = zip(done.merged.endpoints, done.healths, priorities, done.weights.weights[cohort], strict=True)
    for merged, state, tier, weight in columns:
        if state is not_serving:
            continue
        each = after[tier].get(merged) or before[tier].get(merged)
        if each is None or each.weight != weight or each.health is not state:
            each = AssignedEndpoint(merged.address, weight, merged.locality, tier, state)
        after[tier][merged] = each
        found.append(each)
    if len(tiers) > 1:  # the sort is stable: within a priority the order of merge stays
        found.sort(key=attrgetter("priority"))
    return tuple(found)
