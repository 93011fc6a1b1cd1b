"""A first request is read as any other, whatever its bytes; what many clients say alike is read once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.engine.compile import kind_of
from lbcontrol.frontends.xds import introductions
from lbcontrol.frontends.xds.introductions import Introductions, split
from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.node import profile_of
from lbcontrol.frontends.xds.requests import Request, read_delta, read_sotw
from lbcontrol.model.errors import InvalidRequestError

LIMITS = XdsLimits(node_id_bytes=40)
KINDS: dict[str, tuple[Any, Any]] = {
    "sotw": (read_sotw, discovery_pb2.DiscoveryRequest),
    "delta": (read_delta, discovery_pb2.DeltaDiscoveryRequest),
}
KNOWN = partial(profile_of, kind_of=kind_of, limits=LIMITS)


def reader(variant: str, read: list[bytes] | None = None) -> Introductions:
    """Return what reads first requests, which notes in ``read`` what was taken apart."""
    plain, kind = KINDS[variant]

    def counting(raw: bytes) -> Request:
        if read is not None:
            read.append(raw)
        request: Request = plain(raw)
        return request

    return Introductions(counting, KNOWN, kind=kind, id_bytes=LIMITS.node_id_bytes)


def said(id_: str, variant: str = "sotw", **more: Any) -> bytes:
    """Return the first request of a client."""
    request = KINDS[variant][1](type_url="t", **more)
    request.node.id = id_
    request.node.user_agent_name, request.node.user_agent_version = "gRPC Go", "1.85.0"
    raw: bytes = request.SerializeToString()
    return raw


def meaning(read: Any, raw: bytes) -> Any:
    """Return what a way of reading makes of ``raw``: without the node, and with the words of an error."""
    try:
        request, profile = read(raw)
    except InvalidRequestError as error:
        return error.finding
    return (request.type_url, request.names, request.nonce, request.version, request.rejection), profile


@pytest.mark.parametrize("variant", KINDS)
def test_clients_that_differ_in_their_id_are_read_once(variant: str) -> None:
    """Of 100 clients the first is taken apart, and each one gets its own id and no node."""
    read: list[bytes] = []
    introduced = reader(variant, read)
    found = [introduced(said(f"client-{number}", variant)) for number in range(100)]
    assert len(read) == 1
    assert [profile.id for _, profile in found] == [f"client-{number}" for number in range(100)]
    assert {(profile.kind, profile.version) for _, profile in found} == {("grpc-go", "1.85.0")}
    assert {request.node for request, _ in found} == {None}


@pytest.mark.parametrize("variant", KINDS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_bytes_mean_what_protobuf_says(variant: str, data: st.DataObject) -> None:
    """Whatever was read before, and however bytes are cut, doubled or broken: no other meaning, no other error."""
    plain, kind = KINDS[variant]

    def whole(raw: bytes) -> Any:
        request = plain(raw)
        return request, KNOWN(request.node)

    introduced = reader(variant)
    pieces = [said(id_, variant) for id_ in ("a", "bb", "c\x1b", "x" * 50, "x" * 200)]
    pieces += [kind(node={"id": "again"}).SerializeToString(), kind(type_url="u").SerializeToString(), b"\xff"]
    for _ in range(data.draw(st.integers(1, 6))):
        raw = b"".join(data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=3)))
        spoiled = data.draw(st.one_of(st.none(), st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))))
        if spoiled is not None:
            raw = raw[: spoiled[0]] + bytes((spoiled[1],)) + raw[spoiled[0] + 1 :]
        assert meaning(introduced, raw) == meaning(whole, raw)


def test_id_that_comes_twice_is_never_kept() -> None:
    """The last one counts: who is read like the client before would be given the wrong name."""
    introduced = reader("sotw")
    twice = discovery_pb2.DiscoveryRequest(node={"id": "same"}).SerializeToString()
    for first in ("same", "other"):
        _, profile = introduced(said(first) + twice)
        assert profile.id == "same"


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, and long requests are not kept at all."""
    read: list[bytes] = []
    introduced = reader("sotw", read)
    monkeypatch.setattr(introductions, "KEPT", 2)
    for version in ("1", "2", "3", "2", "1"):
        introduced(said("a", version_info="", resource_names=[version]))
    assert len(read) == 4
    for _ in range(2):
        introduced(said("a", resource_names=["x" * introductions.KEPT_BYTES]))
    assert len(read) == 6


def test_only_a_node_that_stands_first_is_split_off() -> None:
    """Anything else is left to protobuf: too short, another field, a length of three bytes, an id beyond its node."""
    for raw in (
        b"",
        b"\x12\x03\x0a\x01a",
        b"\x0a\x01v\x12\x03\x0a\x01a",
        b"\x12\x80\x80\x01\x0a\x01a",
        b"\x12\x03\x0a\x03abcd",
    ):
        assert split(raw, 0x12) is None
    assert split(b"\x12\x83\x00\x0a\x01ab", 0x12) == (b"a", (0, b"b"))
