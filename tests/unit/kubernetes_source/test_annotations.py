"""Annotations of ours on Services."""

from __future__ import annotations

from lbcontrol.sources.kubernetes.annotations import MOST_UNKNOWN, kept
from tests.support.kube_objects import service


def test_right_ones_are_kept_without_a_word() -> None:
    """Those of others are nobody's business here."""
    given = service(enabled="true", port="grpc")
    assert kept(given, None) == (given, ())


def test_malformed_one_is_as_it_was() -> None:
    """The last good value; of a new Service none."""
    before = service(enabled="true")
    now, (finding,) = kept(service(enabled="ja"), before)
    assert now.annotation("lbcontrol.io/enabled") == "true"
    assert (finding.code, finding.why) == ("LB230", "accepted: true, false")
    assert kept(service(enabled="ja"), None)[0].annotations == ()


def test_port_of_a_service_without_ports_can_only_go() -> None:
    """Nothing is accepted."""
    given = service("echo", {"name": "dns", "port": 53, "protocol": "UDP"}, port="dns")
    _, (finding,) = kept(given, None)
    assert finding.why == "accepted: nothing, it has no TCP port"
    assert finding.do.endswith("echo lbcontrol.io/port-")


def test_unknown_one_is_told_with_a_guess() -> None:
    """A typing error would otherwise look like an annotation without effect."""
    now, (finding,) = kept(service(enable="true"), None)
    assert now.annotation("lbcontrol.io/enable") == "true"
    assert finding.what == "Service shop/echo has the unknown annotation lbcontrol.io/enable"
    assert finding.why == "accepted: lbcontrol.io/enabled (did you mean this?), lbcontrol.io/port"
    many = {f"a{n}": "x" for n in range(50)}
    assert len(kept(service(**many), None)[1]) == MOST_UNKNOWN
