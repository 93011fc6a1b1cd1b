"""The hand-written wire format of endpoint lists is the official one, byte for byte."""

from __future__ import annotations

import ipaddress
from typing import Any

from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf.wrappers_pb2 import UInt32Value
from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.frontends.xds.encode import encode
from lbcontrol.frontends.xds.resources.endpoints import varint
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm
from lbcontrol.model.services import Drop

UINT32 = st.integers(0, 2**32 - 1)
HOSTS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ENDPOINTS = st.builds(
    EndpointForm,
    st.builds(Address, HOSTS, st.integers(1, 65535)),
    st.sampled_from(Health),
    st.none() | UINT32,
)
LOCALITIES = st.builds(
    LocalityForm,
    st.builds(Locality, TEXTS, TEXTS, TEXTS),
    st.integers(0, 200),
    UINT32,
    st.lists(ENDPOINTS, max_size=5).map(tuple),
)
DROPS = st.builds(Drop, TEXTS, st.floats(0, 100))
FORMS = st.builds(
    EndpointsForm,
    TEXTS,
    st.lists(LOCALITIES, max_size=5).map(tuple),
    st.lists(DROPS, max_size=3).map(tuple),
    no_spill=st.booleans(),
)
HEALTHS = {Health.UNKNOWN: 0, Health.SERVING: 1, Health.NOT_SERVING: 2, Health.DRAINING: 3}


def _endpoint(form: EndpointForm) -> Any:
    message = endpoint_components_pb2.LbEndpoint(health_status=HEALTHS[form.health])
    message.endpoint.address.socket_address.address = form.address.host
    message.endpoint.address.socket_address.port_value = form.address.port
    if form.weight is not None:
        message.load_balancing_weight.CopyFrom(UInt32Value(value=form.weight))
    return message


def official(form: EndpointsForm) -> bytes:
    """Return the list as the protobuf library serializes it."""
    message = endpoint_pb2.ClusterLoadAssignment(cluster_name=form.name)
    for one in form.localities:
        group = message.endpoints.add(lb_endpoints=map(_endpoint, one.endpoints), priority=one.priority)
        group.locality.SetInParent()
        group.locality.region, group.locality.zone = one.locality.region, one.locality.zone
        group.locality.sub_zone = one.locality.sub_zone
        group.load_balancing_weight.CopyFrom(UInt32Value(value=one.weight))
    for drop in form.drops:
        added = message.policy.drop_overloads.add(category=drop.category)
        added.drop_percentage.numerator = round(drop.percent * 10_000)
        added.drop_percentage.denominator = 2
    if form.no_spill:
        message.policy.overprovisioning_factor.CopyFrom(UInt32Value(value=10_000))
    body: bytes = message.SerializeToString(deterministic=True)
    return body


@given(FORMS)
def test_endpoint_lists_are_serialized_as_by_protobuf(form: EndpointsForm) -> None:
    """For any list whatever, also one that no client would accept."""
    assert encode(form) == official(form)


@given(st.integers(0, 2**64 - 1))
def test_varint_is_the_shortest_that_reads_back(number: int) -> None:
    """Seven bits a byte, least first, the last one below 128."""
    body = varint(number)
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(body)) == number
    assert [byte >= 0x80 for byte in body] == [True] * (len(body) - 1) + [False]
    assert len(body) == max(1, -(-number.bit_length() // 7))


@given(HOSTS)
def test_addresses_are_sent_as_they_are_written(host: str) -> None:
    """Clients reject host names; what we send is an IP in its canonical text."""
    one = EndpointForm(Address(host, 1), Health.SERVING)
    body = encode(EndpointsForm("x", (LocalityForm(Locality(), 0, 1, (one,)),)))
    sent = endpoint_pb2.ClusterLoadAssignment.FromString(body).endpoints[0].lb_endpoints[0].endpoint.address
    assert str(ipaddress.ip_address(sent.socket_address.address)) == host
