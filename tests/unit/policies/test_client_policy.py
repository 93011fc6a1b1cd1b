"""Client policy: whose settings are in force."""

from __future__ import annotations

import dataclasses

import pytest

from lbcontrol.model.services import BackendRef, PolicyClaim, PolicyRank, PolicySpec, RouteRule
from lbcontrol.policies import client_policy
from tests.support.builders import claim, snapshot

RULE = RouteRule((BackendRef("greeter", 90), BackendRef("greeter-v2", 10)))


def chosen(*claims: PolicyClaim) -> client_policy.ClientPolicy:
    """Run the step on one snapshot with these claims."""
    return client_policy.step(None, (snapshot(policies=claims),), 0.0, None)[1]


def test_default_is_in_force_when_nobody_says_anything() -> None:
    """A service without policy has the default spec and no rules."""
    assert chosen() == client_policy.ClientPolicy(PolicySpec(), ())


@pytest.mark.parametrize("higher", list(PolicyRank)[1:])
def test_higher_rank_wins_without_conflict(higher: PolicyRank) -> None:
    """An operator outranks a ServicePolicy, that a file, that an annotation, that the default; age is no matter."""
    lower = claim("low", rank=PolicyRank(higher - 1), timeout=1.0)
    upper = dataclasses.replace(claim("up", rank=higher, timeout=2.0), created_at=99.0)
    for order in ((lower, upper), (upper, lower)):
        found = chosen(*order)
        assert found.spec.timeout == 2.0
        assert found.findings == ()
        assert [each.origin for each in found.claims] == ["up", "low"]


def test_older_of_two_equals_wins_and_the_other_is_shown() -> None:
    """The conflict is a finding at the one that is not in force, and names the one that is."""
    old = dataclasses.replace(claim("ServicePolicy shop/z", timeout=1.0), created_at=5.0)
    new = dataclasses.replace(claim("ServicePolicy shop/a", timeout=2.0), created_at=6.0)
    for order in ((old, new), (new, old)):
        found = chosen(*order)
        assert found.spec.timeout == 1.0
        assert [(each.code, each.at) for each in found.findings] == [("LB410", "ServicePolicy shop/a")]
        assert "ServicePolicy shop/z" in found.findings[0].why


def test_smaller_origin_wins_at_equal_age() -> None:
    """Without an age the origin decides, so that every replica decides alike."""
    found = chosen(claim("b.yaml:1", timeout=2.0), claim("a.yaml:1", timeout=1.0))
    assert found.spec.timeout == 1.0
    assert [each.at for each in found.findings] == ["b.yaml:1"]


def test_two_that_say_the_same_do_not_conflict() -> None:
    """Equal specs hurt nobody."""
    assert chosen(claim("a", timeout=1.0), claim("b", timeout=1.0)).findings == ()


def test_rules_are_those_of_the_first_snapshot_that_has_any() -> None:
    """Of two different ones the second is a finding; equal ones are not; a snapshot without rules says nothing."""
    other = RouteRule((BackendRef("greeter-v3"),))
    snapshots = (
        snapshot(source="none"),
        snapshot(source="first", rules=(RULE,), defines=False),
        snapshot(source="same", rules=(RULE,)),
        snapshot(source="second", rules=(other,)),
        snapshot(source="third", rules=(other,), origin="c.yaml:7"),
    )
    _, found = client_policy.step(None, snapshots, 0.0, None)
    assert found.rules == (RULE,)
    assert [(each.code, each.at) for each in found.findings] == [("LB412", 'source "second"'), ("LB412", "c.yaml:7")]
