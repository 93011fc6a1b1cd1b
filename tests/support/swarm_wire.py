"""What the swarm speaks of HTTP/2, gRPC and xDS, byte by byte; nothing here is shared with the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

HEAD_BYTES = 9
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WIDE = (1 << 30).to_bytes(4, "big")
PATH = b"/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
TYPE_URL = b"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
MOST_CHANGES = 1 << 16
_MARK = re.compile(rb"10\.1(\d\d)\.(\d+)\.(\d+)")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Return a field that enters no table; both parts are shorter than 127 bytes."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


BLOCK = b"\x83\x86" + b"".join(  # :method POST, :scheme http
    _literal(name, value)
    for name, value in (
        (b":path", PATH),
        (b":authority", b"swarm"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)
GREETING = PREFACE + frame(SETTINGS, 0, 0, b"\0\2\0\0\0\0\0\4" + WIDE) + frame(WINDOW_UPDATE, 0, 0, WIDE)
"""Preface, SETTINGS without push and with wide windows."""


def _field(number: int, value: bytes) -> bytes:
    """Return a length-delimited protobuf field; ``number`` is below 16."""
    size, length = len(value), []
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + value


def opening(stream: int, names: Sequence[bytes], node: bytes) -> bytes:
    """Return HEADERS and the first DiscoveryRequest of a stream."""
    first = _field(2, _field(1, node) + _field(6, b"gRPC Go")) + subscription(names)
    return frame(HEADERS, END_HEADERS, stream, BLOCK) + said(stream, first)


def subscription(names: Sequence[bytes]) -> bytes:
    """Return the part of a request that is always the same: names and type."""
    return b"".join(_field(3, name) for name in names) + _field(4, TYPE_URL)


def said(stream: int, message: bytes) -> bytes:
    """Return a message as a DATA frame."""
    return frame(DATA, 0, stream, b"\0" + len(message).to_bytes(4, "big") + message)


def acknowledgement(stream: int, same: bytes, response: bytes) -> bytes:
    """Return the ACK of a DiscoveryResponse; ``same`` is the stream's ``subscription``."""
    version = nonce = b""
    for number, value in _fields(response):
        if number == 1:
            version = value
        elif number == 5:
            nonce = value
    return said(stream, _field(1, version) + same + _field(5, nonce))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the length-delimited fields of a message that has no others."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        size, at = _varint(message, at)
        yield tag >> 3, message[at : at + size]
        at += size


def mark(service: int, change: int) -> str:
    """Return the address that says which change of which service (0 to 99) this is."""
    return f"10.{100 + service}.{change >> 8}.{change & 255}"


def marks(message: bytes) -> dict[int, int]:
    """Return the highest change that a message shows of each service."""
    found: dict[int, int] = {}
    for service, high, low in _MARK.findall(message):
        change = int(high) << 8 | int(low)
        if change >= found.get(int(service), -1):
            found[int(service)] = change
    return found
