"""What a client would reject is found before it is sent."""

from __future__ import annotations

import pytest

from lbcontrol.engine.compile import limitations, problems
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Health, Locality
from lbcontrol.model.findings import Severity
from lbcontrol.model.rendering import (
    AssignmentForm,
    Balancer,
    ClusterForm,
    EndpointForm,
    EndpointsForm,
    Form,
    ListenerForm,
    LocalityForm,
    RouteForm,
)
from lbcontrol.model.services import Drop, LoadBalancerType, PolicySpec
from tests.support.decisions import balanced

ONE = EndpointForm(Address("10.0.0.1", 1), Health.SERVING)
TWO = EndpointForm(Address("10.0.0.2", 1), Health.SERVING, 0)
BIG = EndpointForm(Address("10.0.0.3", 1), Health.SERVING, MAX_WEIGHT_SUM)


def group(*endpoints: EndpointForm, zone: str = "a", priority: int = 0, weight: int = 1) -> LocalityForm:
    """Return a locality."""
    return LocalityForm(Locality("r", zone), priority, weight, endpoints)


def endpoints(*groups: LocalityForm, drops: tuple[Drop, ...] = ()) -> EndpointsForm:
    """Return a list."""
    return EndpointsForm("greeter", groups, drops)


WRR = Balancer.WRR_LOCALITY_ROUND_ROBIN
ENUM = Balancer.ROUND_ROBIN_ENUM


@pytest.mark.parametrize(
    ("form", "code", "text"),
    [
        (endpoints(group(ONE), group(ONE, zone="b")), "LB304", "address 10.0.0.1:1 is listed twice"),
        (endpoints(group(ONE), group(BIG)), "LB304", "locality r/a stands twice in priority 0"),
        (endpoints(group(ONE, priority=1)), "LB304", "priorities [1]; they count from 0"),
        (endpoints(group()), "LB304", "greeter, locality r/a: no endpoints"),
        (endpoints(group(TWO)), "LB303", "locality r/a: weight 0; a weight is at least 1"),
        (endpoints(group(ONE, weight=0)), "LB303", "priority 0: weight 0"),
        (endpoints(group(ONE), group(TWO, zone="b", weight=MAX_WEIGHT_SUM)), "LB303", "add up to 4294967296"),
        (endpoints(drops=(Drop("", 5.0),)), "LB305", 'drop "" of 5.0 %'),
        (endpoints(drops=(Drop("shed", 101.0),)), "LB305", 'drop "shed" of 101.0 %'),
        (ClusterForm("greeter", ()), "LB306", "policies []"),
        (ClusterForm("greeter", (WRR, ENUM)), "LB306", "a list or one enum"),
        (ClusterForm("greeter", (ENUM,), connect_timeout=0.0), "LB306", "connect timeout 0.0 s"),
        (ClusterForm("greeter", (ENUM,), max_requests=-1), "LB306", "-1 requests at most"),
        (RouteForm("greeter", (("a", 1), ("a", 2))), "LB306", "backend a is listed twice"),
        (RouteForm("greeter", (("a", 0), ("b", 2))), "LB303", "backends: weight 0"),
        (RouteForm("greeter", (), timeout=-1.0), "LB306", "timeout -1.0 s"),
        (RouteForm("greeter", (("", 1),)), "LB302", 'name "" has 0 bytes'),
        (ListenerForm("x" * 513, "greeter"), "LB302", "has 513 bytes; a name has 1 to 512"),
        (ListenerForm("greeter", "é" * 257), "LB302", "has 514 bytes"),
        (AssignmentForm("a", "a", 1, 1, endpoints(group())), "LB304", "no endpoints"),
    ],
)
def test_problem_is_named(form: Form, code: str, text: str) -> None:
    """Each way to be rejected has its number, and says which value is wrong."""
    found = problems(form)
    assert code in [one.code for one in found]
    assert any(text in one.what for one in found), found
    assert {one.severity for one in found} == {Severity.ERROR}


@pytest.mark.parametrize(
    "form",
    [
        endpoints(),
        endpoints(group(ONE), group(BIG, priority=1), drops=(Drop("shed", 100.0),)),
        ClusterForm("greeter", (ENUM,), connect_timeout=1.0, max_requests=0),
        RouteForm("greeter", ()),
        ListenerForm("x" * 512, "greeter"),
    ],
)
def test_good_forms_have_no_problems(form: Form) -> None:
    """Nothing is found where nothing is wrong, also at the edges."""
    assert problems(form) == ()


def test_round_robin_has_no_limitations() -> None:
    """Its weights reach every client."""
    assert limitations(PolicySpec()) == ()


@pytest.mark.parametrize(
    ("asked", "lacking"),
    [
        ("RingHash", "unknown"),
        ("LeastRequest", "grpc-cpp, grpc-node, unknown"),
        ("PickFirst", "grpc-node, envoy, unknown"),
        ("ClientWeighted", "grpc-node, unknown"),
    ],
)
def test_other_policies_say_what_is_lost(asked: str, lacking: str) -> None:
    """Central weights do not reach stock gRPC clients as they are, and some kinds lack the policy."""
    weights, kinds = limitations(balanced(LoadBalancerType(asked)), name="greeter")
    assert (weights.code, kinds.code) == ("LB307", "LB308")
    assert {weights.severity, kinds.severity} == {Severity.WARNING}
    assert "the weights of greeter" in weights.what
    assert weights.do
    assert f"of greeter: {lacking} run RoundRobin instead" in kinds.what
