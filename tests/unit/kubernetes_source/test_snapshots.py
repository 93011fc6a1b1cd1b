"""A Service and its slices, made into snapshots."""

from __future__ import annotations

import pytest

from lbcontrol.model.endpoints import Health
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.kubernetes.objects import Service, Slice
from lbcontrol.sources.kubernetes.snapshots import Names, snapshots
from tests.support.kube_objects import at, service, slice_

NAMES = Names("default", "cluster.local")


def made(of: Service, *slices: Slice) -> dict[str, ServiceSnapshot]:
    """Return the snapshots by name."""
    return {each.service: each for each in snapshots(of, slices, source="cluster", names=NAMES)}


def test_all_slices_together_are_the_service() -> None:
    """Zones and health are the endpoints' own, the port is the slice's, and people see where it stands."""
    two = slice_("b", at("10.0.0.2", ready=False, serving=True, terminating=True) | {"zone": "z", "nodeName": "n"})
    (snapshot,) = made(service(), two, slice_("a", at("10.0.0.1"))).values()
    assert [(str(each.address), each.health) for each in snapshot.endpoints] == [
        ("10.0.0.1:8080", Health.SERVING),
        ("10.0.0.2:8080", Health.DRAINING),
    ]
    assert snapshot.endpoints[1].locality.zone == "z"
    assert snapshot.endpoints[1].origin == "EndpointSlice shop/b, node n"
    assert (snapshot.service, snapshot.source, snapshot.origin) == ("echo.shop", "cluster", "Service shop/echo")


def test_order_of_slices_does_not_count() -> None:
    """The API server promises none."""
    one, two = slice_("a", at("10.0.0.1")), slice_("b", at("10.0.0.2"))
    assert made(service(), one, two) == made(service(), two, one)


def test_every_form_of_the_name_is_known() -> None:
    """With and without port, by number and by name; in the default namespace without namespace too."""
    (snapshot,) = made(service()).values()
    forms = ["echo.shop", "echo.shop.svc", "echo.shop.svc.cluster.local"]
    assert [snapshot.service, *snapshot.aliases] == [form + port for port in ("", ":50051", ":grpc") for form in forms]
    (here,) = snapshots(service(), [], source="cluster", names=Names("shop", "example.org"))
    assert {"echo", "echo:50051", "echo:grpc", "echo.shop.svc.example.org"} <= set(here.aliases)


def test_each_port_is_a_service() -> None:
    """Names without a port mean the one that says gRPC; the others are asked for with their port."""
    two = service("echo", {"name": "admin", "port": 9000}, {"name": "main", "port": 50051, "appProtocol": "grpc"})
    slice_two = slice_("a", at("10.0.0.1"), ports=[{"name": "main", "port": 8080}, {"name": "admin", "port": 9001}])
    found = made(two, slice_two)
    assert {name: [str(each.address) for each in snapshot.endpoints] for name, snapshot in found.items()} == {
        "echo.shop": ["10.0.0.1:8080"],
        "echo.shop:9000": ["10.0.0.1:9001"],
    }
    assert "echo.shop.svc:admin" in found["echo.shop:9000"].aliases
    assert found["echo.shop"].findings == ()


@pytest.mark.parametrize(("said", "default"), [("admin", 9000), ("50051", 50051)])
def test_annotation_chooses_the_default_port(said: str, default: int) -> None:
    """By name or by number, whatever else the ports say."""
    two = service("echo", {"name": "admin", "port": 9000}, {"name": "grpc", "port": 50051}, port=said)
    assert f"echo.shop:{default}" in made(two)["echo.shop"].aliases


def test_several_ports_without_a_hint_are_found() -> None:
    """The first one is the default, and the finding says how to choose."""
    two = service("echo", {"name": "a", "port": 1}, {"name": "b", "port": 2})
    (finding,) = made(two)["echo.shop"].findings
    assert finding.code == "LB233"
    assert "lbcontrol.io/port=1" in finding.do


def test_unnamed_port_matches_the_unnamed_port_of_the_slice() -> None:
    """A single port need not have a name; its slices say null or "" then."""
    one = service("echo", {"port": 80})
    (snapshot,) = made(one, slice_("a", at("10.0.0.1"), ports=[{"name": None, "port": 8080}])).values()
    assert [str(each.address) for each in snapshot.endpoints] == ["10.0.0.1:8080"]
    assert snapshot.aliases[-1].endswith(":80")


def test_other_family_is_left_out() -> None:
    """A dual-stack pod is one backend: its address of the Service's first family is served."""
    six = slice_("six", at("2001:db8::1"), addressType="IPv6")
    (snapshot,) = made(service(), six, slice_("four", at("10.0.0.1"))).values()
    assert [str(each.address) for each in snapshot.endpoints] == ["10.0.0.1:8080"]


def test_host_names_are_found() -> None:
    """Nothing of such a slice is served, and it is said."""
    (snapshot,) = made(service(), slice_("names", at("example.org"), addressType="FQDN")).values()
    assert (snapshot.endpoints, [each.code for each in snapshot.findings]) == ((), ["LB232"])


def test_service_without_port_is_none() -> None:
    """A headless Service may have none; there is nothing to serve."""
    assert made(service("echo", {"port": 53, "protocol": "UDP"})) == {}


def test_mark_says_when_anything_changed() -> None:
    """It is made of the versions of the Service and of every slice."""
    (one,) = made(service(mark="1"), slice_("a")).values()
    (two,) = made(service(mark="2"), slice_("a")).values()
    (three,) = made(service(mark="1"), slice_("a"), slice_("b")).values()
    assert len({one.mark, two.mark, three.mark}) == 3


def test_address_in_two_slices_is_one_endpoint_that_takes_work() -> None:
    """While it moves, or when a new pod has the address of one that ends: whichever slice is read first."""
    ending = at("10.0.0.1", ready=False, serving=True, terminating=True)
    for names in ("ab", "ba"):
        (snapshot,) = made(service(), slice_(names[0], ending), slice_(names[1], at("10.0.0.1"))).values()
        assert [(str(each.address), each.health) for each in snapshot.endpoints] == [("10.0.0.1:8080", Health.SERVING)]


def pod(host: str, name: str) -> dict[str, object]:
    """Return the endpoint of a pod."""
    return at(host) | {"targetRef": {"kind": "Pod", "name": name}}


def test_pod_without_an_address_of_the_first_family_is_served_by_its_other() -> None:
    """A pod of both families is one backend; one of a node with a single family is not lost."""
    four = slice_("four", pod("10.0.0.1", "one"), pod("10.0.0.2", "two"))
    six = slice_("six", pod("2001:db8::1", "one"), pod("2001:db8::3", "three"), addressType="IPv6")
    (snapshot,) = made(service(), six, four).values()
    assert [each.address.host for each in snapshot.endpoints] == ["10.0.0.1", "10.0.0.2", "2001:db8::3"]


def test_slices_of_another_family_alone_are_served() -> None:
    """Whoever writes slices by hand may have addresses of one family only, and no pods."""
    (snapshot,) = made(service(), slice_("six", at("2001:db8::1"), addressType="IPv6")).values()
    assert [each.address.host for each in snapshot.endpoints] == ["2001:db8::1"]
