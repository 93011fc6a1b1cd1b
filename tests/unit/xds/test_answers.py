"""When a stream answers, beyond the scenarios: warming, removals, wildcards, silence."""

from __future__ import annotations

from typing import Any

import pytest

from lbcontrol.frontends.status import OK
from lbcontrol.model.rendering import Payload, ResourceType
from tests.unit.xds.fakes import Bench, Stream


def climbed(bench: Bench, *names: str, node: str = "grpc") -> Stream:
    """Return a stream that holds all four types of some names."""
    stream = bench.open()
    for kind in ("LDS", "RDS", "CDS", "EDS"):
        stream.ask(kind, names, **({"node": node} if kind == "LDS" else {}))
        assert stream.told() == [(kind, sorted(names))]
        stream.ask(kind, names)
    assert stream.told() == []
    return stream


def test_warming_request_that_crosses_a_response_is_answered_with_the_next_ack() -> None:
    """A repeated EDS request with the nonce just replaced is stale, and yet the client gets what it waits for."""
    bench = Bench(a=[1], b=[1])
    stream = climbed(bench, "a", "b", node="unknown")
    old = stream.nonces["EDS"]
    bench.publish(c=[1])
    stream.ask("CDS", ["a", "b", "c"])
    assert stream.told() == [("CDS", ["a", "b", "c"])]
    bench.publish(b=[7])
    assert stream.told() == [("EDS", ["b"])]
    stream.ask("EDS", ["a", "b"], nonce=old)
    assert stream.told() == []
    stream.ask("EDS", ["a", "b"])
    assert stream.told() == [("EDS", ["a"])]
    stream.ask("EDS", ["a", "b"])
    assert stream.told() == []


def test_first_ack_after_a_cluster_was_sent_is_no_warming_request() -> None:
    """An ACK that arrives after its cluster was sent stays an ACK."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.ask("CDS", ["a"])
    assert stream.told() == [("EDS", ["a"]), ("CDS", ["a"])]
    stream.ask("EDS", ["a"])
    assert stream.told() == []


def test_endpoints_sent_after_their_cluster_need_no_warming() -> None:
    """Cluster first, endpoints second: a repeated ACK afterwards is not answered."""
    stream = climbed(Bench(a=[1]), "a")
    stream.ask("EDS", ["a"])
    assert stream.told() == []


def test_removed_cluster_goes_after_the_route_that_leads_there() -> None:
    """Of a removed service listener and route are replaced first; only then the cluster leaves the set."""
    bench = Bench(a=[1], b=[1])
    stream = climbed(bench, "a", "b")
    bench.publish(without="b")
    assert stream.told() == [("LDS", ["a", "b"]), ("RDS", ["b"]), ("CDS", ["a"])]


def test_changed_cluster_keeps_a_removed_one_until_routes_are_out() -> None:
    """Where another cluster is new at once, the first set still holds the removed one, and the last does not."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open()
    stream.ask("CDS", [], node="envoy")
    stream.ask("RDS", ["a", "b"])
    assert stream.told() == [("CDS", ["a", "b"]), ("RDS", ["a", "b"])]
    bench.publish(without="b", c=[1], timeout="9s")
    assert stream.told() == [("CDS", ["a", "b", "c"]), ("RDS", ["a"]), ("CDS", ["a", "c"])]


def test_delta_removes_a_cluster_after_the_route() -> None:
    """Delta names the removed cluster once the route's response is on its way."""
    bench = Bench(a=[1])
    stream = bench.open("delta")
    stream.ask("CDS", ["a"])
    stream.ask("RDS", ["a"])
    stream.news()
    bench.publish(without="a")
    first, second = stream.news()
    assert (first.kind, sorted(first.bodies), second.kind, second.removed) == ("RDS", ["a"], "CDS", ("a",))


def test_endpoints_that_return_are_sent_again() -> None:
    """A list that was gone for a while is sent on its return, equal as it is."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.news()
    bench.publish(without="a")
    assert stream.told() == []
    bench.publish(a=[1])
    assert stream.told() == [("EDS", ["a"])]


def test_unknown_endpoints_are_answered_empty_and_waiting_ones_not() -> None:
    """A first request is answered even if there is nothing; silence is for names that may still come."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["nobody"])
    assert stream.told() == [("EDS", [])]
    bench.publish(complete=False)
    other = bench.open()
    other.ask("EDS", ["nobody"])
    assert other.told() == []
    bench.publish(complete=True)
    assert other.told() == [("EDS", [])]


def test_wildcard_waits_for_the_sources_in_both_variants() -> None:
    """Before every source has synced a wildcard is silent, afterwards it is answered even if it covers nothing."""
    for variant in ("sotw", "delta"):
        bench = Bench()
        bench.publish(complete=False)
        stream = bench.open(variant)
        stream.ask("CDS", [], node="envoy")
        assert stream.told() == []
        bench.publish(complete=True)
        assert stream.told() == [("CDS", [])]


def test_wildcard_ends_when_star_is_left_out() -> None:
    """``*`` and a name, then the name alone: others are not sent any more."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open()
    stream.ask("CDS", ["*", "a"], node="envoy")
    assert stream.told() == [("CDS", ["a", "b"])]
    stream.ask("CDS", ["a"])
    bench.publish(c=[1])
    assert stream.told() == []
    stream.ask("CDS", ["a", "*"])
    assert stream.told() == [("CDS", ["a", "b", "c"])]


def test_star_is_no_wildcard_for_endpoints() -> None:
    """Only listeners and clusters have wildcards."""
    for variant in ("sotw", "delta"):
        bench = Bench(a=[1])
        stream = bench.open(variant)
        stream.ask("EDS", ["*"])
        assert [names for _, names in stream.told()] in ([[]], [])
        bench.publish(a=[2])
        assert stream.told() == []


def test_delta_name_given_up_under_a_wildcard_is_told_again() -> None:
    """Unsubscribing by name under ``*`` is answered with the state of the name: the client cannot know it."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open("delta")
    stream.ask("CDS", ["*", "a", "late"], node="envoy")
    stream.news()
    stream.ask("CDS", resource_names_unsubscribe=["a", "late"])
    (answer,) = stream.news()
    assert (sorted(answer.bodies), answer.removed) == (["a"], ("late",))


def test_delta_star_asked_again_sends_everything_again() -> None:
    """A new subscription is answered, ``*`` like any other."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open("delta")
    stream.ask("CDS", ["*"], node="envoy")
    stream.news()
    stream.ask("CDS", ["*"])
    assert stream.told() == [("CDS", ["a", "b"])]


def test_delta_wildcard_brings_versions_along() -> None:
    """After a reconnect a wildcard is told what changed and what is gone, and is answered if nothing did."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open("delta")
    stream.ask("CDS", [], node="envoy")
    held = dict(stream.news()[0].versions)
    again = bench.open("delta")
    again.ask("CDS", [], node="envoy", initial_resource_versions={**held, "gone": "1"})
    (answer,) = again.news()
    assert (answer.bodies, answer.removed) == ({}, ("gone",))
    third = bench.open("delta")
    third.ask("CDS", [], node="envoy", initial_resource_versions=held)
    assert third.told() == [("CDS", [])]


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_large_answers_are_sent_in_several_responses(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Endpoints beyond the size of one response follow in the next one, each name once."""
    monkeypatch.setattr("lbcontrol.frontends.xds.parts.MOST_BYTES", 100)
    names = [f"s{number}" for number in range(9)]
    bench = Bench()
    services: dict[str, Any] = {name: [1, 2, 3] for name in names}
    bench.publish(**services)
    stream = bench.open(variant)
    stream.ask("EDS", names)
    answers = [sent for _, sent in stream.told()]
    assert len(answers) > 2
    assert sorted(name for sent in answers for name in sent) == names


def test_half_closed_stream_ends_in_peace() -> None:
    """A client that will ask nothing more is let go with OK, and follows nothing any more."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("CDS", [], node="envoy")
    stream.ask("EDS", ["a"])
    stream.news()
    stream.handler.half_closed()
    assert stream.outlet.status is not None
    assert stream.outlet.status.code == 0
    assert bench.view("envoy").followers == {}
    stream.ask("EDS", ["a"])
    stream.handler.closed("ended")
    bench.publish(a=[5])
    assert stream.told() == []
    assert bench.count("streams", protocol="xds") == bench.count("clients", client_kind="envoy") == 0


def test_half_closed_stream_still_gets_its_answers() -> None:
    """Who asks once and closes its side (grpcurl) has its answer before the stream ends."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.outlet.full = True
    stream.ask("EDS", ["a"])
    stream.handler.half_closed()
    assert stream.outlet.status is None
    stream.outlet.full = False
    stream.handler.writable()
    assert stream.told() == [("EDS", ["a"])]
    assert stream.outlet.status == OK


def test_outlet_may_ask_for_more_from_within_an_offer() -> None:
    """``writable`` inside ``offer`` neither sends anything twice nor out of order."""
    bench = Bench(a=[1])
    stream = bench.open()
    plain = stream.outlet.offer

    def offer(payload: Payload) -> bool:
        accepted = plain(payload)
        stream.handler.writable()
        return accepted

    stream.outlet.offer = offer  # type: ignore[method-assign]  # what an eager transport does
    stream.ask("CDS", ["a"])
    stream.ask("EDS", ["a"])
    bench.publish(a=[2])
    assert stream.told() == [("CDS", ["a"]), ("EDS", ["a"]), ("EDS", ["a"])]


def test_change_before_the_first_request_is_nobodys() -> None:
    """A stream without a request follows nothing; it can be told, resumed and closed without harm."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.handler.changed([(ResourceType.CLUSTER, "a")])
    stream.handler.writable()
    assert bench.count("streams", protocol="xds") == 1
    stream.handler.closed("cancelled")
    stream.handler.closed("cancelled")
    assert bench.count("streams", protocol="xds") == 0
