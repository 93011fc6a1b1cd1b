"""Cluster, route and listener forms."""

from __future__ import annotations

import dataclasses

import pytest

from lbcontrol.engine.compile import Capabilities, capabilities_for, forms
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM
from lbcontrol.model.rendering import Balancer, ClusterForm, ListenerForm, ResourceType, RouteForm
from lbcontrol.model.services import LoadBalancerType, PolicySpec, RouteRule
from tests.support.decisions import balanced, decided, split, weighted

GO = capabilities_for(ClientProfile(kind="grpc-go", version="1.85.0"))
NODE = capabilities_for(ClientProfile(kind="grpc-node", version="1.14.1"))
ENVOY = capabilities_for(ClientProfile(kind="envoy", version="1.40.0"))


def cluster(capabilities: Capabilities, policy: PolicySpec) -> ClusterForm:
    """Return the cluster such a client gets."""
    decision = decided(weighted(1, 2), policy)
    (form,) = forms(decision, ResourceType.CLUSTER, cohort=EVERYONE, capabilities=capabilities, previous=None)
    assert isinstance(form, ClusterForm)
    return form


def route(decision: Decision) -> RouteForm:
    """Return the routes of a decision."""
    (form,) = forms(decision, ResourceType.ROUTE, cohort=EVERYONE, capabilities=GO, previous=None)
    assert isinstance(form, RouteForm)
    return form


FALLBACK = Balancer.WRR_LOCALITY_ROUND_ROBIN


@pytest.mark.parametrize(
    ("asked", "go", "node", "envoy"),
    [
        ("RoundRobin", ["ROUND_ROBIN"], ["ROUND_ROBIN"], ["ROUND_ROBIN"]),
        ("RingHash", ["ring_hash", FALLBACK], ["ring_hash", FALLBACK], ["RING_HASH"]),
        ("LeastRequest", ["least_request", FALLBACK], ["ROUND_ROBIN"], ["LEAST_REQUEST"]),
        ("PickFirst", ["pick_first", FALLBACK], ["ROUND_ROBIN"], ["ROUND_ROBIN"]),
        (
            "ClientWeighted",
            ["wrr_locality[client_side_weighted_round_robin]", FALLBACK],
            ["ROUND_ROBIN"],
            ["wrr_locality[client_side_weighted_round_robin]"],
        ),
    ],
)
def test_policies_are_offered_as_the_kind_takes_them(
    asked: str, go: list[str], node: list[str], envoy: list[str]
) -> None:
    """A list with a fallback where it is read, an enum for Envoy, round robin for who lacks the policy."""
    policy = balanced(LoadBalancerType(asked))
    assert [list(cluster(one, policy).balancers) for one in (GO, NODE, ENVOY)] == [go, node, envoy]


def test_envoy_is_told_what_grpc_does_unasked() -> None:
    """HTTP/2, no panic, and locality weights only when they carry something and an enum reads them."""
    form = cluster(ENVOY, PolicySpec())
    assert (form.http2, form.no_panic, form.locality_weighted) == (True, True, False)
    by_locality = dataclasses.replace(ENVOY, carrier=GO.carrier)
    assert cluster(by_locality, PolicySpec()).locality_weighted
    assert not cluster(by_locality, balanced(LoadBalancerType.CLIENT_WEIGHTED)).locality_weighted
    plain = cluster(GO, PolicySpec())
    assert (plain.http2, plain.no_panic, plain.locality_weighted) == (False, False, False)


def test_limits_of_a_client_come_from_the_policy() -> None:
    """Requests at once and time to connect; Node is spared ring sizes."""
    form = cluster(NODE, PolicySpec(max_requests=7, connect_timeout=1.5))
    assert (form.max_requests, form.connect_timeout, form.ring_sizes) == (7, 1.5, False)
    assert cluster(GO, PolicySpec()).ring_sizes


@pytest.mark.parametrize(
    ("rules", "backends"),
    [
        ((), (("greeter", 1),)),
        (split(90, 10), (("v0", 90), ("v1", 10))),
        (split(0, 10), (("v1", 10),)),
        (split(0, 0), ()),
        ((RouteRule(split(1)[0].backends * 3), *split(5)), (("v0", 3),)),
    ],
)
def test_first_rule_splits_the_calls(rules: tuple[RouteRule, ...], backends: tuple[tuple[str, int], ...]) -> None:
    """Weight 0 is nobody, a name said twice is one backend, and without a rule the service serves itself."""
    assert route(decided(weighted(1), rules=rules)).backends == backends


def test_split_weights_stay_in_range() -> None:
    """Weights that add up to too much keep their proportion, and nobody who had some loses all."""
    found = dict(route(decided(weighted(1), rules=split(MAX_WEIGHT_SUM, 1, 0, MAX_WEIGHT_SUM))).backends)
    assert sum(found.values()) <= MAX_WEIGHT_SUM
    assert found["v0"] == found["v3"] > 2**31 - 10
    assert found["v1"] == 1
    assert "v2" not in found


def test_route_carries_timeout_and_hash_header() -> None:
    """The header is hashed on the route, and only when the policy is a ring."""
    ring = dataclasses.replace(balanced(LoadBalancerType.RING_HASH, "x-user"), timeout=3.0)
    assert (route(decided([], ring)).timeout, route(decided([], ring)).hash_header) == (3.0, "x-user")
    assert route(decided([], balanced(LoadBalancerType.ROUND_ROBIN, "x-user"))).hash_header == ""


def test_each_name_has_a_listener_with_the_routes_of_the_service() -> None:
    """Aliases lead to the same routes; Envoy gets no listener at all."""
    decision = decided(weighted(1), aliases=("b", "a", "greeter"))
    found = forms(decision, ResourceType.LISTENER, cohort=EVERYONE, capabilities=GO, previous=None)
    assert found == tuple(ListenerForm(name, "greeter") for name in ("greeter", "b", "a"))
    assert forms(decision, ResourceType.LISTENER, cohort=EVERYONE, capabilities=ENVOY, previous=None) == ()
