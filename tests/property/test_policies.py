"""Every policy, alone and in the pipeline: bounds, determinism, order, movement."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.engine.case import Picture
from lbcontrol.engine.decide import Memo, decide, drains, run, set_weights
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Decision
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Health
from lbcontrol.policies import POLICIES
from lbcontrol.policies.health import HealthInputs
from lbcontrol.policies.locality import LocalityInputs
from lbcontrol.policies.merge import MergeState
from lbcontrol.policies.step import Step
from lbcontrol.policies.weights import WeightInputs
from tests.support.pictures import pictures, small_weights

PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)


def content(picture: Picture, memo: Memo | None = None) -> Decision:
    """Decide a picture."""
    return decide(picture, memo or Memo(), now=0.0).content


def inputs_of(picture: Picture) -> dict[str, tuple[Any, Any]]:
    """Return state and inputs of each registered step in a run on this picture."""
    done = run(picture, Memo(), now=0.0)
    endpoints, healths = done.merged.endpoints, done.healths
    columns = {cohort: tiers.priorities for cohort, tiers in done.locality.cohorts.items()}
    return {
        "merge": (MergeState(), picture.snapshots),
        "health": (None, HealthInputs(endpoints, drains(picture))),
        "locality": (None, LocalityInputs(picture.service, endpoints, healths, done.policy.spec.prefer_zone)),
        "weights": (None, WeightInputs(picture.service, endpoints, healths, columns, set_weights(picture))),
        "policy": (None, picture.snapshots),
    }


def plain(value: object) -> object:
    """Return a step's result so that merged endpoints compare by content."""
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


@pytest.mark.parametrize("name", POLICIES)
@settings(PROPERTY, max_examples=25)
@given(picture=pictures())
def test_step_is_deterministic(name: str, picture: Picture) -> None:
    """The same arguments give the same result at any time and whatever chance says; every step is tried."""
    module, _, attribute = POLICIES[name].partition(":")
    step: Step[Any, Any, Any] = getattr(importlib.import_module(module), attribute)
    state, inputs = inputs_of(picture)[name]
    assert plain(step(state, inputs, 0.0, None)[1]) == plain(step(state, inputs, 1e9, None)[1])


@PROPERTY
@given(picture=pictures(), random=st.randoms(use_true_random=False))
def test_order_of_input_is_irrelevant(picture: Picture, random: Any) -> None:
    """Endpoints, claims and overrides in any order within a snapshot give an equal decision."""

    def shuffled(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    mixed = tuple(
        dataclasses.replace(each, endpoints=shuffled(each.endpoints), policies=shuffled(each.policies))
        for each in picture.snapshots
    )
    other = dataclasses.replace(picture, snapshots=mixed, overrides=shuffled(picture.overrides))
    assert content(other) == content(picture)


@PROPERTY
@given(picture=pictures())
def test_assignments_are_what_clients_accept(picture: Picture) -> None:
    """Weights from 1, sums below 2^32, no priority gap, each known address once, in order, none that does not serve."""
    known = {each.address for snapshot in picture.snapshots for each in snapshot.endpoints if snapshot.defines}
    for assignment in content(picture).assignments.values():
        listed = assignment.endpoints
        addresses = [each.address for each in listed]
        assert len(set(addresses)) == len(addresses)
        assert set(addresses) <= known
        assert list(listed) == sorted(listed, key=lambda each: (each.priority, each.locality, each.address))
        tiers = sorted({each.priority for each in listed})
        assert tiers == list(range(len(tiers)))
        assert all(each.weight >= 1 and each.health is not Health.NOT_SERVING for each in listed)
        for tier in tiers:
            assert sum(each.weight for each in listed if each.priority == tier) <= MAX_WEIGHT_SUM


@PROPERTY
@given(picture=pictures())
def test_draining_gets_nothing_new(picture: Picture) -> None:
    """What an operator drains takes no new work, and no tier is made of what drains while anybody serves."""
    for assignment in content(picture).assignments.values():
        takers = [each for each in assignment.endpoints if each.health.takes_new_work]
        assert not {each.address for each in takers} & drains(picture)
        if takers:
            assert {each.priority for each in takers} == {each.priority for each in assignment.endpoints}


@PROPERTY
@given(picture=pictures())
def test_every_cohort_has_the_same_endpoints(picture: Picture) -> None:
    """Zones change who comes first, not who may be dialled or is healthy."""
    assignments = content(picture).assignments
    everyone = {(each.address, each.health) for each in assignments[EVERYONE].endpoints}
    for assignment in assignments.values():
        assert {(each.address, each.health) for each in assignment.endpoints} == everyone


@PROPERTY
@given(picture=pictures(small_weights), data=st.data())
def test_little_moves_when_one_endpoint_leaves(picture: Picture, data: st.DataObject) -> None:
    """All others keep weight, health and order; they move up a tier only when the one that left emptied it."""
    picture = dataclasses.replace(picture, overrides=tuple(each for each in picture.overrides if not each.weight))
    before = content(picture).assignments[EVERYONE].endpoints
    if not before:
        return
    leaver = data.draw(st.sampled_from(before))
    fewer = tuple(
        dataclasses.replace(each, endpoints=tuple(one for one in each.endpoints if one.address != leaver.address))
        for each in picture.snapshots
    )
    after = content(dataclasses.replace(picture, snapshots=fewer)).assignments[EVERYONE].endpoints
    rest = [each for each in before if each.address != leaver.address]
    assert {(e.address, e.weight, e.health, e.locality) for e in rest} == {
        (e.address, e.weight, e.health, e.locality) for e in after
    }
    if _serves_beside(leaver, rest):
        assert list(after) == rest


def _serves_beside(leaver: AssignedEndpoint, rest: list[AssignedEndpoint]) -> bool:
    takers = [each for each in rest if each.priority == leaver.priority and each.health.takes_new_work]
    return bool(takers) or not leaver.health.takes_new_work


@PROPERTY
@given(first=pictures(), second=pictures())
def test_memo_changes_nothing_but_the_cost(first: Picture, second: Picture) -> None:
    """A run after another gives what it gives alone, and a third run reuses its very objects."""
    warm = decide(first, Memo(), now=0.0).memo
    after = decide(second, warm, now=0.0)
    assert after.content == content(second)
    again = decide(second, after.memo, now=0.0)
    for cohort, assignment in again.content.assignments.items():
        assert assignment is after.content.assignments[cohort]
