"""Endpoint lists (EDS), written to the wire by hand, because lists are long and change often.

Arithmetic: building 10,000 endpoints as protobuf objects takes some 60 ms and would hold the loop. Here an address is
encoded once, a locality once for as long as the compiler hands over the same object, and a list is their concatenation:
in protobuf, a message is its fields one after another. A property test holds every byte equal to the official
deterministic serialization.
"""

from __future__ import annotations

import functools
import weakref

from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from lbcontrol.frontends.xds.resources.common import serialized
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm

OVERPROVISIONED = 10_000
"""Per cent, for Envoy: a priority counts as whole while 1 % of it serves."""
_MILLION = percent_pb2.FractionalPercent.MILLION

HEALTHS = {
    Health.UNKNOWN: b"",  # Field 2, HealthStatus: 0 is not written.
    Health.SERVING: b"\x10\x01",
    Health.NOT_SERVING: b"\x10\x02",
    Health.DRAINING: b"\x10\x03",
}
"""``LbEndpoint.health_status`` on the wire."""


def varint(number: int) -> bytes:
    """Return a number in base 128, least first (protobuf encoding, "Base 128 Varints")."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, body: bytes) -> bytes:
    """Return a message or text as field ``number`` (1-15) of another: tag, length, bytes."""
    return bytes((number << 3 | 2,)) + varint(len(body)) + body


def text(number: int, value: str) -> bytes:
    """Return a text field; an empty one is not written."""
    return field(number, value.encode()) if value else b""


def _address(address: Address) -> bytes:
    """``LbEndpoint.endpoint``: Endpoint(1) > Address(1) > SocketAddress(1): address is 2, port_value 3.

    An IP address has at most 45 characters, so that each length is one byte.
    """
    host, port = address.host.encode(), b"\x18" + varint(address.port)
    size = 2 + len(host) + len(port)
    return bytes((0x0A, size + 4, 0x0A, size + 2, 0x0A, size, 0x12, len(host))) + host + port


@functools.lru_cache(maxsize=4096)
def _wrapped(number: int, weight: int | None) -> bytes:
    """A weight as ``UInt32Value`` in field ``number``; nothing for None."""
    if weight is None:
        return b""
    return field(number, b"\x08" + varint(weight) if weight else b"")


def _endpoint(form: EndpointForm) -> bytes:
    """``LocalityLbEndpoints.lb_endpoints`` (2): endpoint is 1, health_status 2, load_balancing_weight 4."""
    return field(2, _address(form.address) + HEALTHS[form.health] + _wrapped(4, form.weight))


def _place(locality: Locality) -> bytes:
    return text(1, locality.region) + text(2, locality.zone) + text(3, locality.sub_zone)


def encode_locality(form: LocalityForm) -> bytes:
    """``ClusterLoadAssignment.endpoints`` (2): locality is 1, lb_endpoints 2, load_balancing_weight 3, priority 5."""
    parts = [field(1, _place(form.locality)), *map(_endpoint, form.endpoints), _wrapped(3, form.weight)]
    if form.priority:
        parts.append(b"\x28" + varint(form.priority))
    return field(2, b"".join(parts))


class _Encoded(weakref.ref[LocalityForm]):
    """The bytes of a locality, and a reference that does not keep it."""

    __slots__ = ("body", "key")
    body: bytes
    key: int
    """Its identity, which no other object has before it is gone."""


class EncodedLocalities:
    """Keeps the bytes of each locality by identity, for as long as somebody else keeps the locality.

    The compiler hands over the same object while nothing changed. Big services are encoded in the worker thread, small
    ones on the loop's: at worst, both encode the same.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._kept: dict[int, _Encoded] = {}

    def __len__(self) -> int:
        """Return of how many localities the bytes are kept."""
        return len(self._kept)

    def encoded(self, form: LocalityForm) -> bytes:
        """Return the bytes of a locality, made now or before."""
        kept = self._kept.get(id(form))
        if kept is None:
            kept = _Encoded(form, self._forget)
            kept.key, kept.body = id(form), encode_locality(form)
            self._kept[kept.key] = kept
        return kept.body

    def _forget(self, kept: _Encoded) -> None:
        del self._kept[kept.key]


LOCALITIES = EncodedLocalities()
"""Shared by all lists of this process."""


def _policy(form: EndpointsForm) -> bytes:
    """``ClusterLoadAssignment.policy`` (4): drops and, for Envoy, overprovisioning; rare, so by the official way."""
    policy = endpoint_pb2.ClusterLoadAssignment.Policy()
    for drop in form.drops:
        share = percent_pb2.FractionalPercent(numerator=round(drop.percent * 10_000), denominator=_MILLION)
        policy.drop_overloads.add(category=drop.category, drop_percentage=share)
    if form.no_spill:
        policy.overprovisioning_factor.CopyFrom(UInt32Value(value=OVERPROVISIONED))
    body = serialized(policy)
    return field(4, body) if body else b""


def encode_endpoints(form: EndpointsForm) -> bytes:
    """Return the ``envoy.config.endpoint.v3.ClusterLoadAssignment`` of a form."""
    return b"".join([text(1, form.name), *map(LOCALITIES.encoded, form.localities), _policy(form)])
