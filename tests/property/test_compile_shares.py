"""Whatever the weights: every client sends each endpoint the share that the assignment says, and rejects nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.engine.compile import capabilities_for, forms, problems
from lbcontrol.engine.compile.weight_classes import class_of
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Health
from lbcontrol.model.rendering import EndpointsForm, ResourceType
from lbcontrol.model.services import LoadBalancerType
from tests.support.client_rules import endpoints_rejected, shares
from tests.support.decisions import assigned, balanced, decided

GRPC = ClientProfile(kind="grpc-go", version="1.85.0")
ENVOY = ClientProfile(kind="envoy")
SMALL = st.integers(1, 10**6)
WEIGHTS = st.one_of(SMALL, st.integers(1, MAX_WEIGHT_SUM))
USED = st.sampled_from([Health.SERVING, Health.UNKNOWN, Health.DRAINING])


@st.composite
def endpoints(draw: st.DrawFn, weights: st.SearchStrategy[int] = SMALL, *, most: int = 12) -> list[AssignedEndpoint]:
    """Draw endpoints of unique addresses in a few zones and priorities."""
    count = draw(st.integers(0, most))
    numbers = [draw(st.tuples(weights, st.integers(0, 5), st.sampled_from([0, 1, 4]), USED)) for _ in range(count)]
    return [
        assigned(number, weight, zone=zone, priority=priority, health=health)
        for number, (weight, zone, priority, health) in enumerate(numbers)
    ]


def told(
    ends: Sequence[AssignedEndpoint],
    profile: ClientProfile,
    asked: LoadBalancerType = LoadBalancerType.ROUND_ROBIN,
    *,
    previous: EndpointsForm | None = None,
) -> EndpointsForm:
    """Return the endpoint list such a client gets."""
    decision = decided(ends, balanced(asked))
    capabilities = capabilities_for(profile)
    (form,) = forms(decision, ResourceType.ENDPOINTS, cohort=EVERYONE, capabilities=capabilities, previous=previous)
    assert isinstance(form, EndpointsForm)
    return form


def due(ends: Sequence[AssignedEndpoint]) -> dict[str, Fraction]:
    """Return the share of each endpoint within its priority."""
    working = [one for one in ends if one.health.takes_new_work]
    sums: Counter[int] = Counter()
    for one in working:
        sums[one.priority] += one.weight
    return {str(one.address): Fraction(one.weight, sums[one.priority]) for one in working}


@given(endpoints())
def test_shares_are_exact_on_localities_and_on_endpoints(ends: list[AssignedEndpoint]) -> None:
    """A locality per endpoint and endpoint weights both lose nothing."""
    for profile, rule in ((GRPC, "locality"), (ENVOY, "endpoint")):
        found = shares(encode(told(ends, profile)), rule)
        assert {address: share for address, (_, share) in found.items()} == due(ends)


@given(endpoints())
def test_who_comes_first_stays_first(ends: list[AssignedEndpoint]) -> None:
    """Priorities are renumbered, never reordered."""
    order = {str(one.address): one.priority for one in ends}
    found = shares(encode(told(ends, GRPC)), "locality")
    pairs = sorted({(order[address], priority) for address, (priority, _) in found.items()})
    assert pairs == [(before, rank) for rank, before in enumerate(sorted({before for before, _ in pairs}))]


@given(endpoints(st.integers(1, 1000)))
def test_ring_shares_are_right_under_both_rules(ends: list[AssignedEndpoint]) -> None:
    """Clients that multiply weights as they are and clients that multiply shares come to the same, within 3 %.

    A locality has at least 1 of 1,984 parts and an endpoint 1 of 2^20: only a locality whose share is below 4 % may be
    further off, because its parts are rounded.
    """
    body = encode(told(ends, GRPC, LoadBalancerType.RING_HASH))
    wanted = due(ends)
    for rule in ("product", "normalized"):
        for address, (_, share) in shares(body, rule).items():
            assert abs(share - wanted[address]) <= max(wanted[address] * Fraction(3, 100), Fraction(1, 1900))


@given(endpoints(WEIGHTS), st.sampled_from([GRPC, ENVOY]), st.sampled_from(LoadBalancerType))
def test_nothing_is_rejected_for_any_weights(
    ends: list[AssignedEndpoint], profile: ClientProfile, asked: LoadBalancerType
) -> None:
    """Weights up to 32 bits, sums beyond: scaled down, never to 0, proportions kept."""
    form = told(ends, profile, asked)
    assert problems(form) == ()
    assert list(endpoints_rejected(profile.kind, encode(form))) == []


@given(endpoints(st.integers(2**30, MAX_WEIGHT_SUM)))
def test_shares_survive_scaling(ends: list[AssignedEndpoint]) -> None:
    """Weights that add up to too much are told smaller, and their shares differ by less than one in a million."""
    wanted = due(ends)
    for address, (_, share) in shares(encode(told(ends, GRPC)), "locality").items():
        assert abs(share - wanted[address]) < Fraction(1, 10**6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([3, 100, 10**4, 10**9]))
def test_class_shares_are_right_within_their_width(seed: int, most: int) -> None:
    """Above 500 endpoints a share is off by at most one class width, with damping by at most two."""
    rng = random.Random(seed)
    ends = [assigned(number, rng.randint(1, most), zone=number) for number in range(520)]
    before = told(ends, GRPC)
    drift = [
        assigned(number, max(1, round(one.weight * rng.uniform(0.8, 1.25))), zone=number)
        for number, one in enumerate(ends)
    ]
    for form, now, widths in ((before, ends, 1), (told(drift, GRPC, previous=before), drift, 2)):
        parts = class_of(form.localities[0].locality.sub_zone)
        assert parts is not None
        width = 2 ** (widths / parts[0])
        wanted = due(now)
        for address, (_, share) in shares(encode(form), "locality").items():
            assert 1 / width <= share / wanted[address] <= width
