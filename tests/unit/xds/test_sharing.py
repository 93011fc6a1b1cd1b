"""Responses are put together once, acknowledgements read once, and nonces never repeat on a stream."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.frontends.xds import requests, responses, wire
from lbcontrol.frontends.xds.nonces import FOREIGN, NONE, Nonces, parse_nonce
from lbcontrol.frontends.xds.requests import Reader, Request, read_sotw
from lbcontrol.frontends.xds.responses import Content, Responses, encode_delta, encode_sotw
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.clock import FakeClock
from tests.unit.xds.fakes import Bench


def resource(name: str, body: bytes = b"body", service: str = "a") -> Resource:
    """Return a resource of some bytes."""
    return Resource(ResourceType.LISTENER, name, version="v-" + body.hex(), body=body, form=None, service=service)


def test_thousand_streams_share_one_body() -> None:
    """A first answer and a change are put together once each for 1,000 streams, and share body and nonce."""
    bench = Bench(a=[1])
    streams = [bench.open() for _ in range(1_000)]
    for stream in streams:
        stream.ask("EDS", ["a"])
    first = [stream.payloads() for stream in streams]
    bench.publish(a=[2])
    second = [stream.payloads() for stream in streams]
    assert bench.front.responses.assembled == 2
    for sent in (first, second):
        assert {len(payloads) for payloads in sent} == {1}
        assert len({id(payloads[0]) for payloads in sent}) == 1
    assert bench.count("pushes_total", protocol="xds", type="endpoints") == 2_000


def test_stream_that_had_the_nonce_shares_the_body_under_another_one() -> None:
    """Sent again on request, a response keeps its body and takes the next nonce."""
    bench = Bench(a=[1])
    stream = bench.open("delta")
    stream.ask("EDS", ["a"])
    stream.ask("EDS", ["a"])
    first, second = stream.payloads()
    assert first.body is second.body
    assert first.tail != second.tail


@settings(max_examples=60, deadline=None)
@given(states=st.lists(st.integers(1, 3), min_size=2, max_size=12), variant=st.sampled_from(["sotw", "delta"]))
def test_versions_are_equal_exactly_where_bytes_are_and_nonces_never_repeat(states: list[int], variant: str) -> None:
    """Whatever the sequence, A to B to A included: equal versions if and only if equal bytes, a fresh nonce each."""
    bench = Bench(a=[9])
    stream = bench.open(variant)
    stream.ask("EDS", ["a"])
    sent = stream.news()
    for state in states:
        bench.publish(a=[state])
        sent += stream.news()
    pairs = {(each.version or each.versions["a"], each.bodies["a"]) for each in sent}
    assert len({version for version, _ in pairs}) == len({body for _, body in pairs}) == len(pairs)
    nonces = [each.nonce for each in sent]
    assert len(set(nonces)) == len(nonces)


def test_hand_made_responses_read_as_protobuf_has_them() -> None:
    """Every field of both variants arrives where the generated classes look for it."""
    content = Content(ResourceType.LISTENER, (resource("a", b"x" * 200), resource("b")), ("gone",), ("b", "gone"))
    tail = wire.text(5, "7")
    sotw = discovery_pb2.DiscoveryResponse.FromString(encode_sotw(content) + tail)
    delta = discovery_pb2.DeltaDiscoveryResponse.FromString(encode_delta(content) + tail)
    url = "type.googleapis.com/envoy.config.listener.v3.Listener"
    assert (sotw.nonce, sotw.type_url, len(sotw.version_info)) == ("7", url, 16)
    assert [(each.type_url, each.value) for each in sotw.resources] == [(url, b"x" * 200), (url, b"body")]
    assert (delta.nonce, delta.type_url, list(delta.removed_resources)) == ("7", url, ["gone"])
    assert [(each.name, each.version) for each in delta.resources] == [("a", "v-" + "78" * 200), ("b", "v-626f6479")]
    assert delta.resources[0].resource.value == b"x" * 200
    for message in (sotw, delta):
        error = message.resource_errors[0]
        assert (error.resource_name.name, error.error_detail.code) == ("b", 5)
        assert error.error_detail.message.startswith('LB310: nobody serves "b"')


def test_version_depends_on_names_and_versions_alone() -> None:
    """Order does not count; a name and a version do not run into each other."""
    one, two = resource("a"), resource("b", b"other")
    assert responses.version_of([one, two]) == responses.version_of([two, one])
    assert responses.version_of([one]) != responses.version_of([two])
    assert responses.version_of([]) != responses.version_of([one])


def test_kept_responses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one longest unused goes first, by number, by bytes and by time; what is used again stays."""
    clock = FakeClock()
    monkeypatch.setattr(responses, "MOST_KEPT", 2)
    kept = Responses(Nonces(), clock)
    contents = [Content(ResourceType.LISTENER, (resource(name),)) for name in "abc"]
    for content in (contents[0], contents[1], contents[0], contents[2], contents[0]):
        kept.payload(encode_sotw, content, after=0)
    assert kept.assembled == 3
    kept.payload(encode_sotw, contents[1], after=0)
    assert kept.assembled == 4
    big = Content(ResourceType.LISTENER, (resource("big", b"x" * (responses.MOST_BYTES + 1)),))
    kept.payload(encode_sotw, big, after=0)
    kept.payload(encode_sotw, big, after=0)
    assert kept.assembled == 6
    for content in (contents[0], contents[1], contents[0]):
        clock.advance(responses.KEPT_SECONDS + 1.0)
        kept.payload(encode_sotw, content, after=0)
    assert kept.assembled == 9


def test_identical_requests_are_read_once() -> None:
    """Requests with no node, and no nonce but one of ours, are kept by their bytes, up to a bound; others are not."""
    read: list[bytes] = []

    def counting(raw: bytes) -> Request:
        read.append(raw)
        return read_sotw(raw)

    reader = Reader(counting, lambda _: None)
    ack = discovery_pb2.DiscoveryRequest(type_url="t", response_nonce="1", resource_names=["a"]).SerializeToString()
    first = discovery_pb2.DiscoveryRequest(type_url="t", resource_names=["a"]).SerializeToString()
    assert reader(ack) is reader(ack)
    assert reader(first) is reader(first)
    foreign = discovery_pb2.DiscoveryRequest(type_url="t", response_nonce="x").SerializeToString()
    assert reader(foreign) is not reader(foreign)
    assert read == [ack, first, foreign, foreign]
    for number in range(2, requests.KEPT + 2):
        reader(discovery_pb2.DiscoveryRequest(response_nonce=str(number)).SerializeToString())
    reader(ack)
    assert read[-1] == ack


def test_nonces_are_ours_or_foreign() -> None:
    """Only the very text of one of our numbers is one of our nonces."""
    texts = {"": NONE, "17": 17, "017": FOREIGN, "-3": FOREIGN, "abc": FOREIGN, "٣": FOREIGN, "9" * 30: FOREIGN}
    assert {text: parse_nonce(text) for text in texts} == texts
