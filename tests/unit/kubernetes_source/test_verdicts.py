"""What a policy's conditions say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lbcontrol.model.services import PolicyClaim, PolicyRank, PolicySpec
from lbcontrol.sources.kubernetes.attachment import Held
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.verdicts import (
    MOST_TEXT,
    Meeting,
    Presence,
    conditions,
    is_pending,
    missing_targets,
)
from tests.support.kube_objects import policy

ECHO = ("shop", "echo")
MINE, OLDER = policy("mine"), policy("older", age=9)
FILED = PolicyClaim(PolicySpec(timeout=9.0), PolicyRank.SERVICE_POLICY, "ServicePolicy filed")
OVERRIDE = PolicyClaim(PolicySpec(timeout=9.0), PolicyRank.OVERRIDE, "operator ann")


def claim(of: Policy) -> PolicyClaim:
    """Return what a policy that is right says."""
    assert of.claim is not None
    return of.claim


def meeting(
    presence: Presence = Presence.BALANCED, *rivals: Policy, published: tuple[PolicyClaim, ...] | None
) -> Meeting:
    """Return what a policy meets at Service echo, which has one port."""
    return Meeting(ECHO, presence, rivals or (MINE,), (published,))


def reasons(met: Meeting, held: Held | None = None) -> tuple[str, str]:
    """Return the reasons of both conditions, with a "!" before those that do not hold."""
    accepted, programmed = conditions(held or Held(MINE, MINE), met)
    assert (accepted.type, programmed.type) == ("Accepted", "Programmed")
    assert accepted.holds or not programmed.holds
    said = [f"{'' if each.holds else '!'}{each.reason}" for each in (accepted, programmed)]
    return said[0], said[1]


CASES = {
    "in force": (meeting(published=(claim(MINE),)), ("Accepted", "Programmed")),
    "not published": (meeting(published=()), ("Accepted", "!Pending")),
    "nothing decided": (meeting(published=None), ("Accepted", "!Pending")),
    "missing": (meeting(Presence.MISSING, published=None), ("!TargetNotFound", "!TargetNotFound")),
    "not balanced": (meeting(Presence.NOT_BALANCED, published=None), ("!TargetNotFound", "!TargetNotFound")),
    "no port": (meeting(Presence.PORTLESS, published=None), ("Accepted", "!NotServed")),
    "older rival": (
        meeting(Presence.BALANCED, OLDER, MINE, published=(claim(OLDER), claim(MINE))),
        ("!Conflicted", "!Conflicted"),
    ),
    "rival of another source": (meeting(published=(FILED, claim(MINE))), ("!Conflicted", "!Conflicted")),
    "ranks lower": (meeting(published=(OVERRIDE, claim(MINE))), ("Accepted", "!Overridden")),
}


@pytest.mark.parametrize("case", CASES)
def test_reason_is_that_of_the_case(case: str) -> None:
    """Each way a policy can fare has its word."""
    met, expected = CASES[case]
    assert reasons(met) == expected


def test_every_port_counts() -> None:
    """It is programmed when clients of all ports are told."""
    met = replace(meeting(published=None), published=((claim(MINE),), None))
    assert reasons(met) == ("Accepted", "!Pending")
    assert is_pending(conditions(Held(MINE, MINE), met))
    met = replace(met, published=((claim(MINE),), (claim(MINE),)))
    assert reasons(met) == ("Accepted", "Programmed")
    assert not is_pending(conditions(Held(MINE, MINE), met))


def test_conflict_says_why_the_other_wins() -> None:
    """By age, or by name."""
    older = conditions(Held(MINE, MINE), CASES["older rival"][0])[0].message
    assert older == "ServicePolicy shop/older is older, and is in force as a whole: policies are not merged."
    twin = policy("a")
    twins = meeting(Presence.BALANCED, twin, MINE, published=None)
    assert "shop/a is of the same age and comes first by name" in conditions(Held(MINE, MINE), twins)[0].message


def test_malformed_policy_says_what_is_wrong_and_what_stays() -> None:
    """What is wrong is in Accepted; the good form that stays in force in Programmed."""
    bad = policy("mine", timeout="0s", generation=4)
    met = meeting(published=(claim(MINE),))
    accepted, programmed = conditions(Held(bad, MINE), met)
    assert reasons(met, Held(bad, MINE)) == ("!Invalid", "!Invalid")
    assert accepted.message.startswith('spec.timeout: "0s" is out of range (a duration is above 0')
    assert programmed.message.endswith("Its last good form, generation 1, stays in force.")
    beside = meeting(Presence.BALANCED, OLDER, MINE, published=None)
    assert conditions(Held(bad, MINE), beside)[1].message.endswith("has no effect beside ServicePolicy shop/older.")
    assert conditions(Held(bad, None), met)[1].message.endswith(
        "It had no good form for this Service since lbcontrol started."
    )
    assert conditions(Held(policy("mine", "chat", timeout="0s"), policy("mine", "chat")), met)[1].message.endswith(
        "It had no good form for this Service since lbcontrol started."
    )


def test_messages_are_bounded() -> None:
    """However much is wrong."""
    bad = policy("mine", drop=[{"category": f"c{n}", "percent": 101} for n in range(90)])
    assert len(conditions(Held(bad, None), meeting(published=None))[0].message) == MOST_TEXT


def test_missing_targets_are_findings() -> None:
    """A warning each, with what to do."""
    there = {
        ("shop", "here"): Presence.BALANCED,
        ("shop", "bare"): Presence.PORTLESS,
        ("shop", "off"): Presence.NOT_BALANCED,
    }
    found = missing_targets(policy("p", "here", "bare", "off", "gone"), lambda key: there.get(key, Presence.MISSING))
    assert [(each.code, each.what, each.do) for each in found] == [
        (
            "LB124",
            "ServicePolicy shop/p is for Service shop/off, which is not balanced",
            "kubectl -n shop annotate service off lbcontrol.io/enabled=true",
        ),
        ("LB124", "ServicePolicy shop/p is for Service shop/gone, which is not there", "correct targetRefs"),
    ]
