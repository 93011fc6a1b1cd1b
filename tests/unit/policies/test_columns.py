"""Health, locality and weights: the steps that work on columns of endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from lbcontrol.model.assignment import EVERYONE
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Endpoint, Health, Locality
from lbcontrol.model.findings import Severity
from lbcontrol.policies import health, locality, merge, weights
from lbcontrol.policies.locality import LocalityOutput
from lbcontrol.policies.merge import Merged
from lbcontrol.policies.weights import WeightOutput
from tests.support.builders import address, endpoint, snapshot


def column(*endpoints: Endpoint) -> tuple[Merged, ...]:
    """Return endpoints as merge hands them on."""
    return merge.step(merge.MergeState(), (snapshot(endpoints),), 0.0, None)[1].endpoints


def placed(endpoints: Sequence[Merged], *, prefer_zone: bool = False) -> LocalityOutput:
    """Run the locality step on the endpoints' own health."""
    inputs = locality.LocalityInputs("greeter", endpoints, [each.health for each in endpoints], prefer_zone)
    return locality.step(None, inputs, 0.0, None)[1]


def weighed(
    endpoints: Sequence[Merged],
    priorities: Mapping[str, Sequence[int]] | None = None,
    *,
    overrides: Mapping[Address, int] | None = None,
) -> WeightOutput:
    """Run the weights step; without priorities all are 0."""
    healths = [each.health for each in endpoints]
    columns = priorities or {EVERYONE: [0] * len(endpoints)}
    return weights.step(None, weights.WeightInputs("greeter", endpoints, healths, columns, overrides or {}), 0.0, None)[
        1
    ]


def test_drain_outranks_the_registry_but_revives_nobody() -> None:
    """An operator's drain drains who serves or might; who does not serve stays away."""
    states = [Health.SERVING, Health.UNKNOWN, Health.DRAINING, Health.NOT_SERVING, Health.SERVING]
    endpoints = column(*(endpoint(number, health=state) for number, state in enumerate(states)))
    drains = {address(number) for number in (0, 1, 2, 3, 99)}
    _, drained = health.step(None, health.HealthInputs(endpoints, drains), 0.0, None)
    assert drained == (Health.DRAINING, Health.DRAINING, Health.DRAINING, Health.NOT_SERVING, Health.SERVING)


def test_health_is_the_registry_s_without_a_drain() -> None:
    """Without operators nothing changes; unknown stays unknown."""
    endpoints = column(endpoint(1, health=Health.UNKNOWN), endpoint(2))
    assert health.step(None, health.HealthInputs(endpoints), 0.0, None) == (None, (Health.UNKNOWN, Health.SERVING))


def test_priorities_are_contiguous_from_zero() -> None:
    """Gaps close in order; a tier in which nobody serves takes no number."""
    tiers = [(3, Health.SERVING), (9, Health.UNKNOWN), (5, Health.NOT_SERVING), (3, Health.SERVING)]
    endpoints = column(*(endpoint(n, priority=tier, health=state) for n, (tier, state) in enumerate(tiers)))
    everyone = placed(endpoints).cohorts[EVERYONE]
    assert everyone.asked == (3, 9)
    listed = [tier for tier, each in zip(everyone.priorities, endpoints, strict=True) if each.health.takes_new_work]
    assert listed == [0, 1, 0]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ([(0, Health.DRAINING), (1, Health.SERVING)], (0, 0)),
        ([(0, Health.SERVING), (1, Health.DRAINING)], (0, 0)),
        ([(0, Health.SERVING), (1, Health.DRAINING), (2, Health.SERVING)], (0, 1, 1)),
        ([(4, Health.DRAINING), (7, Health.DRAINING)], (0, 0)),
    ],
)
def test_tier_that_drains_joins_the_next(tiers: list[tuple[int, Health]], expected: tuple[int, ...]) -> None:
    """Nobody has to find an emptied tier broken first, and leaving it out later makes no gap."""
    endpoints = column(*(endpoint(n, priority=tier, health=state) for n, (tier, state) in enumerate(tiers)))
    assert placed(endpoints).cohorts[EVERYONE].priorities == expected


def test_prefer_zone_puts_the_client_s_zone_first() -> None:
    """Each zone gets a cohort in which all others come second; everyone's list has one tier."""
    endpoints = column(endpoint(1, zone="a"), endpoint(2, zone="b"), endpoint(3))
    output = placed(endpoints, prefer_zone=True)
    found = {cohort: tiers.priorities for cohort, tiers in output.cohorts.items()}
    assert found == {EVERYONE: (0, 0, 0), "zone=r1/a": (1, 0, 1), "zone=r1/b": (1, 1, 0)}
    assert output.findings == ()


def test_zone_that_drains_has_no_tier_of_its_own() -> None:
    """Clients of a zone whose endpoints all drain go to the others at once."""
    endpoints = column(endpoint(1, zone="a", health=Health.DRAINING), endpoint(2, zone="b"))
    assert placed(endpoints, prefer_zone=True).cohorts["zone=r1/a"].priorities == (0, 0)


def test_zone_of_which_nobody_serves_has_no_cohort() -> None:
    """A zone is named by endpoints that are listed."""
    endpoints = column(endpoint(1, zone="a", health=Health.NOT_SERVING), endpoint(2))
    assert set(placed(endpoints, prefer_zone=True).cohorts) == {EVERYONE}


def test_same_zone_name_in_another_region_is_another_zone() -> None:
    """Zones are told apart by region too."""
    far = endpoint(2, locality=Locality("r2", "a"))
    output = placed(column(endpoint(1, zone="a"), far), prefer_zone=True)
    assert output.cohorts["zone=r1/a"].priorities == (0, 1)
    assert output.cohorts["zone=r2/a"].priorities == (1, 0)


def test_priorities_of_endpoints_win_over_prefer_zone() -> None:
    """Both say which come first: the endpoints' own count, and a finding names one."""
    output = placed(column(endpoint(1, zone="a"), endpoint(2, zone="b", priority=1)), prefer_zone=True)
    assert {cohort: tiers.priorities for cohort, tiers in output.cohorts.items()} == {EVERYONE: (0, 1)}
    (finding,) = output.findings
    assert (finding.code, finding.at) == ("LB413", "10.0.0.2:50051, priority 1")


def test_zones_beyond_the_limit_share_everyone_s_list() -> None:
    """The zones with most endpoints have a cohort; a warning says that others do not."""
    few = [endpoint(n, zone=f"z{n:02}") for n in range(locality.MAX_ZONES + 1)]
    output = placed(column(*few, endpoint(100, zone="z32")), prefer_zone=True)
    assert len(output.cohorts) == locality.MAX_ZONES + 1
    assert "zone=r1/z32" in output.cohorts
    assert "zone=r1/z31" not in output.cohorts
    assert [(each.code, each.severity) for each in output.findings] == [("LB416", Severity.WARNING)]


def test_operator_s_weight_replaces_the_source_s() -> None:
    """Where an operator said nothing the static weight counts; one for an unknown address waits."""
    endpoints = column(endpoint(1, weight=2), endpoint(2, weight=3))
    output = weighed(endpoints, overrides={address(1): 50, address(9): 7})
    assert output == WeightOutput({EVERYONE: (50, 3)})


@pytest.mark.parametrize("weight", [0, -1, MAX_WEIGHT_SUM + 1])
def test_operator_s_weight_is_checked(weight: int) -> None:
    """A weight that clients reject is refused with its address."""
    with pytest.raises(ValueError, match=r"the operator's weight of 10\.0\.0\.1:50051 is"):
        weighed(column(endpoint(1)), overrides={address(1): weight})


def test_weights_that_add_up_to_too_much_are_scaled() -> None:
    """The sum of a priority fits the limit of clients, small weights stay 1, shares stay the same."""
    huge = [MAX_WEIGHT_SUM, MAX_WEIGHT_SUM // 2, 1]
    output = weighed(column(*(endpoint(number, weight=weight) for number, weight in enumerate(huge))))
    found = output.weights[EVERYONE]
    assert sum(found) <= MAX_WEIGHT_SUM
    assert min(found) == 1
    assert found[0] / found[1] == pytest.approx(2.0, rel=1e-8)
    assert [(each.code, each.severity) for each in output.findings] == [("LB414", Severity.WARNING)]


def test_each_priority_has_its_own_limit() -> None:
    """Weights that fit within their priorities stay; who does not serve counts for nothing."""
    large = MAX_WEIGHT_SUM - 1
    states = [Health.SERVING, Health.DRAINING, Health.NOT_SERVING]
    endpoints = column(*(endpoint(n, weight=large, health=state) for n, state in enumerate(states)))
    apart = weighed(endpoints, {EVERYONE: [0, 1, 0], "zone=r1/a": [0, 0, 0]})
    assert apart.weights[EVERYONE] == (large, large, large)
    assert sum(apart.weights["zone=r1/a"][:2]) <= MAX_WEIGHT_SUM
    assert [each.code for each in apart.findings] == ["LB414"]
    assert weighed(endpoints, {EVERYONE: [0, 1, 0]}).findings == ()
