"""API objects, read: what counts, and what is left out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from lbcontrol.model.endpoints import Health
from lbcontrol.sources.kubernetes.objects import health_of, service_of, slice_of
from tests.support.kube_objects import at, service, slice_

GONE = None


@pytest.mark.parametrize(
    ("ready", "serving", "terminating", "means"),
    [
        (True, True, False, Health.SERVING),
        (True, None, None, Health.SERVING),
        (None, None, None, Health.SERVING),
        (True, False, False, Health.SERVING),  # publishNotReadyAddresses
        (False, True, True, Health.DRAINING),
        (True, True, True, Health.DRAINING),
        (True, None, True, Health.DRAINING),
        (None, None, True, Health.DRAINING),
        (False, False, True, GONE),
        (False, None, True, GONE),
        (True, False, True, GONE),
        (False, False, False, GONE),
        (False, True, False, GONE),
        (False, None, None, GONE),
    ],
)
def test_conditions_map_to_health(
    ready: bool | None, serving: bool | None, terminating: bool | None, means: Health | None
) -> None:
    """Each triple of the API means serving, draining or gone; what is not said has its default."""
    said = {"ready": ready, "serving": serving, "terminating": terminating}
    assert health_of({name: value for name, value in said.items() if value is not None}) is means
    assert health_of(said) is means  # null is not said


def test_every_triple_means_something() -> None:
    """All 27, by the sentences of EndpointConditions: unsaid is ready, as ready says, not terminating."""
    for ready, serving, terminating in itertools.product((None, False, True), repeat=3):
        takes_new_work = ready is not False
        still_serves = takes_new_work if serving is None else serving
        if terminating:
            expected = Health.DRAINING if still_serves else GONE
        else:
            expected = Health.SERVING if takes_new_work else GONE
        said = {"ready": ready, "serving": serving, "terminating": terminating}
        assert health_of(said) is expected, said


def test_slice_is_read() -> None:
    """Zone, node, pod and canonical address are kept; what is gone is not."""
    made = slice_(
        "echo-1",
        at("10.0.0.1") | {"zone": "a", "nodeName": "n1", "targetRef": {"kind": "Pod", "name": "echo-x"}},
        at("10.0.0.2", ready=False),
    )
    assert made.key == ("shop", "echo-1")
    assert (made.service, made.family, made.ports) == ("echo", "IPv4", {"grpc": 8080})
    (one,) = made.endpoints
    assert (one.host, one.zone, one.node, one.pod) == ("10.0.0.1", "a", "n1", "echo-x")


def test_ipv6_is_canonical() -> None:
    """Two spellings of one address are one endpoint."""
    (one,) = slice_("x", at("2001:DB8:0:0::1"), addressType="IPv6").endpoints
    assert one.host == "2001:db8::1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoints": None},
        {"endpoints": [{"addresses": [], "conditions": {}}]},
        {"endpoints": [{"addresses": ["not-an-address"]}]},
        {"endpoints": [{"addresses": [5]}]},
        {"endpoints": [{"addresses": [["10.0.0.1"]]}]},
        {"endpoints": [{"addresses": ["fe80::1%eth0"]}]},
        {"endpoints": [{}]},
        {"endpoints": [at("10.0.0.1")], "addressType": "FQDN"},
        {"endpoints": [at("10.0.0.1")], "addressType": ""},
    ],
)
def test_what_cannot_be_dialled_is_left_out(wrong: dict[str, Any]) -> None:
    """Nothing raises, and no endpoint comes of it."""
    assert slice_("x", **wrong).endpoints == ()


@pytest.mark.parametrize(
    "port", [{"port": None}, {"port": 0}, {"port": 70_000}, {"port": 53, "protocol": "UDP"}, {"name": "x"}]
)
def test_ports_that_are_none_are_left_out(port: dict[str, Any]) -> None:
    """A slice's port may be null (all ports), and of another protocol."""
    assert slice_("x", ports=[port]).ports == {}
    assert service("echo", port).ports == ()


def test_empty_objects_are_read() -> None:
    """A server of another version may leave anything out."""
    assert slice_of({}).endpoints == ()
    assert service_of({"metadata": None, "spec": {"ipFamilies": "IPv4"}}).family == ""


def test_only_our_annotations_are_kept() -> None:
    """Others change often and are none of our business."""
    made = service(enabled="true")
    assert made.annotations == (("lbcontrol.io/enabled", "true"),)
    assert (made.annotation("lbcontrol.io/enabled"), made.annotation("other.io/x")) == ("true", None)
