"""Decisions: what is listed, how soon it must go out, and what stays the same object."""

from __future__ import annotations

from typing import Any

import pytest

from lbcontrol.engine.difference import Difference, Known, difference
from lbcontrol.engine.events import OverrideSet
from lbcontrol.model.assignment import EVERYONE, Assignment, Decision, Mark, Urgency
from lbcontrol.model.endpoints import Health, Locality
from lbcontrol.model.services import BackendRef, RouteRule
from tests.support.builders import Fed, address, claim, cleared, drain, endpoint, set_weight, snapshot, updated, weights


def test_assignment_lists_all_but_those_not_serving_in_order() -> None:
    """Sorted by priority, locality, address; draining and unknown endpoints are listed."""
    fed = Fed()
    fed.feed(
        updated(
            snapshot(
                [
                    endpoint(5, priority=1),
                    endpoint(4, zone="b", health=Health.UNKNOWN),
                    endpoint(3, zone="a", health=Health.DRAINING),
                    endpoint(2, zone="b"),
                    endpoint(1, health=Health.NOT_SERVING),
                ]
            )
        )
    )
    listed = [(each.address, each.priority, each.health) for each in fed.greeter()]
    assert listed == [
        (address(3), 0, Health.DRAINING),
        (address(2), 0, Health.SERVING),
        (address(4), 0, Health.UNKNOWN),
        (address(5), 1, Health.SERVING),
    ]


CHANGES: list[tuple[str, dict[str, Any], Urgency, str]] = [
    ("weight", {"weight": 9}, Urgency.WEIGHT, "weight"),
    ("drain", {"health": Health.DRAINING}, Urgency.IMMEDIATE, "drain"),
    ("unknown", {"health": Health.UNKNOWN}, Urgency.IMMEDIATE, "health"),
    ("ejection", {"health": Health.NOT_SERVING}, Urgency.IMMEDIATE, "health"),
    ("locality", {"locality": Locality("r9")}, Urgency.IMMEDIATE, "endpoints"),
    ("priority", {"priority": 3}, Urgency.IMMEDIATE, "endpoints"),
    ("weight and drain", {"weight": 9, "health": Health.DRAINING}, Urgency.IMMEDIATE, "drain"),
]


@pytest.mark.parametrize(("name", "change", "urgency", "cause"), CHANGES, ids=[each[0] for each in CHANGES])
def test_urgency_follows_from_the_difference(name: str, change: dict[str, Any], urgency: Urgency, cause: str) -> None:
    """One endpoint of two changes, and the way back is as urgent."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1), endpoint(2)])))
    there = fed.one(updated(snapshot([endpoint(1), endpoint(2, **change)])))
    assert (there.urgency, there.cause) == (urgency, cause)
    back = fed.one(updated(snapshot([endpoint(1), endpoint(2)])))
    assert (back.urgency, back.cause) == (urgency, cause)
    assert back.mark.revision == 3


def test_addition_may_wait_and_removal_may_not() -> None:
    """A new endpoint is an addition even when a weight moves with it; one that is gone goes at once."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])))
    more = fed.one(updated(snapshot([endpoint(1, weight=2), endpoint(2)])))
    assert (more.urgency, more.cause) == (Urgency.ADDITION, "endpoints")
    less = fed.one(updated(snapshot([endpoint(1, weight=3)])))
    assert (less.urgency, less.cause) == (Urgency.IMMEDIATE, "endpoints")


@pytest.mark.parametrize(
    "change",
    [
        {"policies": (claim(timeout=1.0),)},
        {"rules": (RouteRule((BackendRef("greeter"),)),)},
        {"aliases": ("g",)},
    ],
)
def test_routing_and_policy_go_out_at_once(change: dict[str, Any]) -> None:
    """What sends calls elsewhere does not wait for a control interval."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])))
    decision = fed.one(updated(snapshot([endpoint(1)], **change)))
    assert (decision.urgency, decision.cause) == (Urgency.IMMEDIATE, "policy")
    assert decision.assignments[EVERYONE].policy == decision.policy


def test_zone_cohorts_exist_only_where_zones_are_preferred() -> None:
    """The policy brings one cohort a zone; an endpoint stands in each of them once."""
    fed = Fed()
    zones = [endpoint(1, zone="a"), endpoint(2, zone="b")]
    assert set(fed.one(updated(snapshot(zones))).assignments) == {EVERYONE}
    decision = fed.one(updated(snapshot(zones, policies=(claim(prefer_zone=True),))))
    assert decision.cause == "policy"
    assert set(decision.assignments) == {EVERYONE, "zone=r1/a", "zone=r1/b"}
    assert [(each.address, each.priority) for each in fed.greeter("zone=r1/b")] == [(address(2), 0), (address(1), 1)]
    assert decision.cohort_for(Locality("r1", "a")) == "zone=r1/a"
    assert decision.cohort_for(Locality("r1", "z")) == EVERYONE


def test_change_that_only_a_zone_sees_goes_out_at_once() -> None:
    """Everyone's list is as it was, but clients of one zone get their own."""
    everyone = Assignment("greeter", EVERYONE, ())
    before = Decision("greeter", Mark(), {EVERYONE: everyone})
    after = Decision("greeter", Mark(), {EVERYONE: everyone, "zone=r1/a": Assignment("greeter", "zone=r1/a", ())})
    assert difference(before, after, known=Known()) == Difference(Urgency.IMMEDIATE, "endpoints")


def test_unchanged_endpoints_are_the_same_objects() -> None:
    """One weight of three moves: the other two, in every cohort, are what they were."""
    fed = Fed()
    policy = (claim(prefer_zone=True),)
    trio = [endpoint(1, zone="a"), endpoint(2, zone="a"), endpoint(3, zone="b")]
    before = fed.one(updated(snapshot(trio, policies=policy)))
    moved = [endpoint(1, zone="a"), endpoint(2, zone="a", weight=7), endpoint(3, zone="b", origin="elsewhere")]
    after = fed.one(updated(snapshot(moved, policies=policy)))
    for cohort, assignment in after.assignments.items():
        old = {each.address: each for each in before.assignments[cohort].endpoints}
        same = [each.address for each in assignment.endpoints if each is old[each.address]]
        assert sorted(same) == [address(1), address(3)]


def test_unchanged_cohort_is_the_same_assignment() -> None:
    """An alias more leaves the list itself untouched."""
    fed = Fed()
    before = fed.one(updated(snapshot([endpoint(1)])))
    after = fed.one(updated(snapshot([endpoint(1)], aliases=("g",))))
    assert after.assignments[EVERYONE] is before.assignments[EVERYONE]


def test_overrides_act_and_can_be_taken_back() -> None:
    """A drain and a weight change the list; without them it is as before, under a later mark."""
    fed = Fed()
    first = fed.one(updated(snapshot([endpoint(1, weight=2), endpoint(2)])))
    assert fed.one(OverrideSet(drain(1))).cause == "drain"
    assert fed.one(OverrideSet(set_weight(2, 9))).cause == "weight"
    assert [(each.weight, each.health) for each in fed.greeter()] == [(2, Health.DRAINING), (9, Health.SERVING)]
    fed.feed(cleared(drain(1)), cleared(set_weight(2, 9)))
    assert fed.last["greeter"].assignments == first.assignments
    assert fed.last["greeter"].mark.revision == 5
    assert fed.feed(cleared(drain(1))) == ()


def test_override_waits_for_its_endpoint_and_its_service() -> None:
    """It is kept while no source names the endpoint, and when the service goes and comes."""
    fed = Fed()
    assert fed.feed(OverrideSet(set_weight(1, 9))) == ()
    fed.feed(updated(snapshot([endpoint(2)])))
    fed.feed(updated(removed=["greeter"]))
    fed.feed(updated(snapshot([endpoint(1)])))
    assert weights(fed.greeter()) == {"1": 9}
    assert fed.engine.overrides() == (set_weight(1, 9),)


def test_override_replaces_the_one_with_its_key() -> None:
    """The second weight counts, and there is one override."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), OverrideSet(set_weight(1, 9)), OverrideSet(set_weight(1, 3)))
    assert weights(fed.greeter()) == {"1": 3}
    assert [override.weight for override in fed.engine.overrides()] == [3]


def test_override_ends_at_its_time() -> None:
    """``next_expiry`` says when to call ``expire``, which takes back what is over and no more."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1), endpoint(2)])))
    fed.feed(OverrideSet(drain(1, expires_at=2000.0)), OverrideSet(set_weight(2, 9, expires_at=3000.0)))
    assert fed.engine.next_expiry() == 2000.0
    assert fed.engine.expire(now=200.0, wall=1999.0) == ()
    (decision,) = fed.engine.expire(now=201.0, wall=2000.0)
    assert (decision.cause, decision.mark.revision) == ("drain", 4)
    assert fed.engine.next_expiry() == 3000.0
    fed.engine.expire(now=202.0, wall=9000.0)
    assert fed.engine.next_expiry() is None
    assert fed.engine.overrides() == ()


def test_override_that_is_over_on_arrival_counts_for_nothing() -> None:
    """It still replaces the one with its key, as it would have in its time."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), OverrideSet(drain(1)))
    assert fed.one(OverrideSet(drain(1, expires_at=5.0))).cause == "drain"
    assert fed.engine.overrides() == ()
