"""What operators see of xDS clients."""

from __future__ import annotations

import dataclasses

import pytest
from envoy.config.core.v3 import base_pb2

from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.node import profile_of
from lbcontrol.model.assignment import Mark
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm, ResourceType
from tests.conformance.fake_world import kind_of
from tests.unit.xds.fakes import Bench


def member(address: Address, weight: int | None = None) -> EndpointForm:
    """Return a serving endpoint of a list."""
    return EndpointForm(address, Health.SERVING, weight)


def test_client_view_shows_who_and_how_far() -> None:
    """Kind, version, carrier, age; for each service what was sent, acknowledged, and since when it is behind."""
    bench = Bench(a=[1, 2], b=[1])
    assert bench.open() is not None
    stream = bench.open()
    stream.hold("EDS", ["a", "b"])
    bench.publish(a=[2, 2])
    bench.clock.advance(7)
    (view,) = bench.front.client_views()
    assert (view.id, view.profile.kind, view.profile.version) == ("node-1", "grpc-go", "1.85.0")
    assert (view.protocol, view.carrier, view.stream_age) == ("xds", "locality", 7.0)
    a, b = view.subscriptions
    assert (a.service, a.sent, a.acknowledged, a.behind) == ("a", Mark(1, 2), Mark(1, 1), 7.0)
    assert (b.service, b.sent, b.acknowledged, b.behind) == ("b", Mark(1, 1), Mark(1, 1), None)


def test_revision_that_left_the_bytes_alone_counts_as_sent() -> None:
    """A client is not behind when a newer decision of its service has equal bytes for it."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.hold("CDS", ["a"])
    bench.publish(a=[5])
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert (a.sent, a.acknowledged, a.behind) == (Mark(1, 2), Mark(1, 2), None)


def test_rejection_is_shown_with_cause_effect_and_next_step() -> None:
    """A NACK appears as LB301 with kind, version, resource, revision, the client's words and what still works."""
    bench = Bench(a=[1])
    stream = bench.refusing("weight sum")
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert a.rejection is not None
    assert a.rejection.lines() == [
        'error LB301: grpc-go 1.85.0 client "node-1" rejected endpoints "a", revision 2',
        '  why:    client says "weight sum"',
        "  effect: it stays on 1; nothing more is sent to it for this resource until it changes",
        "  do:     change what the cause names, or see lbcontrol get a --as node-1",
    ]
    bench.publish(a=[3])
    stream.news()
    stream.ask("EDS", ["a"])
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert (a.rejection, a.behind) == (None, None)


def test_first_response_rejected_leaves_no_good_one() -> None:
    """Without an accepted version the effect says so."""
    bench = Bench(a=[1])
    stream = bench.open("delta")
    stream.ask("CDS", ["a"])
    stream.news()
    stream.ask("CDS", error="policy")
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert (a.acknowledged, a.behind) == (None, 0.0)
    assert a.rejection is not None
    assert a.rejection.effect.startswith("it has no good one yet")


def test_told_gives_the_very_bytes_and_each_share() -> None:
    """What a client was told: resources byte for byte, endpoints with weight, share, and what was left out."""
    bench = Bench(a=[1, 3, "drain"])
    stream = bench.open()
    stream.ask("CDS", ["a"])
    stream.ask("EDS", ["a"])
    cds, eds = stream.news()
    (view,) = bench.front.client_views()
    told = bench.front.told(view, "a")
    assert [(each.type, each.name, each.body) for each in told.resources] == [
        ("cluster", "a", cds.bodies["a"]),
        ("endpoints", "a", eds.bodies["a"]),
    ]
    rows = [(str(e.address), e.health, e.weight, e.share, e.sent_as) for e in told.endpoints]
    assert rows == [
        ("10.0.1.1:80", Health.SERVING, 1, 0.25, "locality sub_zone=0 1"),
        ("10.0.1.2:80", Health.SERVING, 3, 0.75, "locality sub_zone=1 3"),
        ("10.0.1.3:80", Health.DRAINING, 0, 0.0, "left out since 1"),
    ]


def test_told_of_nothing_is_an_error_with_a_next_step() -> None:
    """A service never asked for and a client that went are both not found; an unknown name has no endpoints."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a", "nobody"])
    (view,) = bench.front.client_views()
    assert bench.front.told(view, "nobody").endpoints == ()
    with pytest.raises(NotFoundError, match="LB338"):
        bench.front.told(view, "other")
    with pytest.raises(NotFoundError, match="LB338"):
        bench.front.told(dataclasses.replace(view, profile=ClientProfile("else")), "a")
    stream.handler.closed("cancelled")
    with pytest.raises(NotFoundError, match="not connected"):
        bench.front.told(view, "a")


def test_node_is_read_as_gRPC_and_Envoy_write_it() -> None:  # noqa: N802  (their names)
    """Kind, version (text or numbers), locality, features and our own metadata keys; everything else is left."""
    node = base_pb2.Node(id="n", user_agent_name="envoy", client_features=["f"])
    node.user_agent_build_version.version.major_number = 1
    node.user_agent_build_version.version.minor_number = 40
    node.locality.region, node.locality.zone, node.locality.sub_zone = "r", "z", "s"
    node.metadata.fields["lbcontrol.carrier"].string_value = "real"
    node.metadata.fields["lbcontrol.number"].number_value = 3
    node.metadata.fields["other"].string_value = "x"
    profile = profile_of(node, kind_of, limits=XdsLimits())
    assert profile == ClientProfile(
        "n", "envoy", "1.40.0", Locality("r", "z", "s"), frozenset({"f"}), {"lbcontrol.carrier": "real"}
    )
    assert profile_of(base_pb2.Node(), kind_of, limits=XdsLimits()).kind == "unknown"
    assert profile_of(None, kind_of, limits=XdsLimits()) == ClientProfile()


def test_client_back_at_its_good_version_is_not_behind() -> None:
    """A rejected change that is taken back leaves nothing to wait for and no rejection to show."""
    bench = Bench(a=[1])
    bench.refusing("no")
    bench.clock.advance(3)
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert a.behind == 3
    bench.publish(a=[1])
    ((a,),) = (view.subscriptions for view in bench.front.client_views())
    assert (a.behind, a.rejection, a.sent, a.acknowledged) == (None, None, Mark(1, 3), Mark(1, 3))


def test_shares_follow_weights_priorities_and_carriers() -> None:
    """Endpoint weights share within a locality, several endpoints share a class, later priorities get nothing yet."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    one, two, three = (Address("10.9.0.1", port) for port in (1, 2, 3))
    envoy = LocalityForm(Locality("r", "z"), 0, 1, (member(one, 1), member(two, 3)))
    classes = LocalityForm(Locality("r", "z", "c1"), 0, 4, (member(one), member(two)))
    later = LocalityForm(Locality("r", "y", "e3"), 1, 9, (member(three),))
    shown_by: dict[str, list[tuple[int, float, str]]] = {}
    for carrier, groups in {"endpoint": (envoy,), "classes": (classes, later)}.items():
        told = stream.handler.subscriptions[ResourceType.ENDPOINTS].entries["a"].told
        assert told is not None
        told.form = EndpointsForm("a", groups, carrier=carrier)
        (view,) = bench.front.client_views()
        rows = bench.front.told(view, "a").endpoints
        shown_by[carrier] = [(e.weight, e.share, e.sent_as) for e in rows if e.address.host == "10.9.0.1"]
    assert shown_by["endpoint"] == [
        (1, 0.25, "endpoint weight 1 in locality r/z"),
        (3, 0.75, "endpoint weight 3 in locality r/z"),
    ]
    assert shown_by["classes"] == [
        (1, 0.5, "one of 2 in locality sub_zone=c1 4"),
        (1, 0.5, "one of 2 in locality sub_zone=c1 4"),
        (9, 0.0, "locality sub_zone=e3 9"),
    ]


def test_node_cannot_call_itself_something_a_terminal_obeys() -> None:
    """What a client says of itself is shown to operators."""
    node = base_pb2.Node(id="a\x1b[2J", user_agent_name="gRPC Go", user_agent_version="1\n2")
    node.locality.zone = "z\u202e"
    profile = profile_of(node, kind_of, limits=XdsLimits())
    assert (profile.id, profile.version, profile.locality.zone) == ("a\\x1b[2J", "1\\n2", "z\\u202e")
