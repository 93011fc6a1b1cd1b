"""ServicePolicies in the picture of a cluster: what snapshots say, and what people are told."""

from __future__ import annotations

from lbcontrol.sources.kubernetes.objects import Service
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import MOST_FINDINGS, Picture
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.verdicts import Presence
from tests.support.kube_objects import policy, service

MOST = 100
PORTS = ({"name": "grpc", "port": 50051}, {"name": "admin", "port": 9090})


def picture(*items: Service | Policy) -> Picture:
    """Return a picture of these, nothing told yet."""
    made = Picture("cluster", KubernetesOptions())
    for each in items:
        if isinstance(each, Service):
            made.put_service(each)
        else:
            made.put_policy(each)
    return made


def test_snapshots_of_all_ports_carry_the_policies() -> None:
    """The one in force first; the engine sees them all, and shows the conflict."""
    made = picture(policy("young", timeout="1s"), service("echo", *PORTS, enabled="true"), policy("old", age=5))
    told = {each.service: [claim.origin for claim in each.policies] for each in made.take(MOST).changed}
    both = ["ServicePolicy shop/old", "ServicePolicy shop/young"]
    assert told == {"echo.shop": both, "echo.shop:9090": both}
    assert made.told(("shop", "echo")) == ("echo.shop", "echo.shop:9090")


def test_status_that_comes_back_is_no_news_for_clients() -> None:
    """The mark of a snapshot knows generations, not versions."""
    made = picture(service(enabled="true"), policy(timeout="1s"))
    (before,) = made.take(MOST).changed
    made.put_policy(policy(timeout="1s", mark="2", ancestors=[{"a": 1}]))
    assert not made.is_stirred
    made.put_policy(policy(timeout="2s", mark="3", generation=2))
    (after,) = made.take(MOST).changed
    assert after.mark != before.mark
    made.drop_policy(("shop", "p"))
    (bare,) = made.take(MOST).changed
    assert bare.policies == ()


def test_policy_of_an_unknown_service_waits() -> None:
    """It is in the first snapshot of the Service."""
    made = picture(policy())
    assert not made.is_stirred
    assert [each.code for each in made.findings()] == ["LB124"]
    made.put_service(service(enabled="true"))
    assert made.take(MOST).changed[0].policies
    assert list(made.findings()) == []
    made.drop_service(("shop", "echo"))
    assert [each.code for each in made.findings()] == ["LB124"]


def test_faults_that_no_snapshot_carries_are_told_by_the_source() -> None:
    """Malformed policies and annotations of Services that are not balanced; those of others stand in the snapshot."""
    made = picture(
        service("off", enabled="ja"), service("on", enabled="true", port="x"), policy("p", "on", timeout="x")
    )
    assert [each.code for each in made.findings()] == ["LB230", "LB119"]
    assert [each.code for each in made.take(MOST).changed[0].findings] == ["LB230"]
    assert sorted(made.faulty_services()) == [("shop", "off"), ("shop", "on")]
    made.drop_service(("shop", "off"))
    made.drop_policy(("shop", "p"))
    assert list(made.findings()) == []


def test_findings_are_bounded() -> None:
    """A tenant with a thousand wrong policies fills no screen."""
    made = picture(*(policy(f"p{n}", "gone") for n in range(MOST_FINDINGS + 5)))
    assert len(list(made.findings())) == MOST_FINDINGS


def test_presence_is_how_a_service_is_there() -> None:
    """Missing, not balanced, without a port that clients can use, balanced."""
    made = picture(
        service("on", enabled="true"), service("off"), service("udp", {"port": 5, "protocol": "UDP"}, enabled="true")
    )
    assert [made.presence(("shop", name)) for name in ("gone", "off", "udp", "on")] == [
        Presence.MISSING,
        Presence.NOT_BALANCED,
        Presence.PORTLESS,
        Presence.BALANCED,
    ]


def test_what_moved_is_told_once() -> None:
    """A Service moves its policies along."""
    made = picture(policy("p", "echo"), policy("q", "chat"))
    assert made.take_moved() == ([("shop", "p"), ("shop", "q")], [])
    made.put_service(service(enabled="true"))
    assert made.take_moved() == ([("shop", "p")], [("shop", "echo")])
    assert made.take_moved() == ([], [])
