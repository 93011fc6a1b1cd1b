"""Header blocks: fields of requests, proper and odd, in every representation of RFC 7541, and damaged ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from tests.fuzz.mutation import damaged

Field = tuple[bytes, bytes]
ACTIONS = (b"/none", b"/echo", b"/admit", b"/end", b"/reset", b"/pause", b"/big", b"/leave", b"/ping", b"/gone")
"""Paths by which a request says what the owner of the connection does with it (owner.py)."""
PSEUDO = (b":method", b":scheme", b":path", b":authority")
ODD: Sequence[Field] = (
    (b"te", b"gzip"),
    (b"te", b"trailers"),
    (b"Upper", b"x"),
    (b"connection", b"close"),
    (b"keep-alive", b"1"),
    (b"proxy-connection", b"x"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
    (b"x", b" first"),
    (b"x", b"last\t"),
    (b"x", b"a\r\nb"),
    (b"x", b"\0"),
    (b"x", b"\x01"),
    (b"x", b"\x7f"),
    (b"x", b"\xff\xfe"),
    (b"x", b""),
    (b"", b"x"),
    (b"a b", b"x"),
    (b"a:b", b"x"),
    (b"a\xff", b"x"),
    (b":path", b"/again"),
    (b":path", b""),
    (b":method", b"CONNECT"),
    (b":method", b"post"),
    (b":unknown", b"x"),
    (b":status", b"200"),
    (b":protocol", b"websocket"),
    (b":", b""),
    (b":authority", b"a"),
    (b"host", b"a"),
    (b"host", b"b"),
    (b"content-length", b"8"),
    (b"content-length", b"0"),
    (b"content-length", b"08"),
    (b"content-length", b"-1"),
    (b"content-length", b"x"),
    (b"content-length", b"9" * 19),
    (b"cookie", b"a=1"),
    (b"grpc-timeout", b"1S"),
    (b"x-bin", b"AAE"),
    (b"x", b"v" * 61),
    (b"long", b"v" * 700),
    (b"longer", b"v" * 8_193),
)
STATIC = {b":authority": 1, b":method": 2, b":path": 4, b":scheme": 6, b"content-length": 28, b"host": 38, b"te": 0}
_HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@cache
def huffman(data: bytes) -> bytes:
    """Return a string in Huffman's code (RFC 7541 section 5.2)."""
    return bytes(_HUFFMAN.encode(data))


def integer(value: int, prefix: int, *, first: int = 0) -> bytes:
    """Return an integer with a prefix (section 5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((first | value,))
    made = bytearray((first | most,))
    value -= most
    while value >= 128:
        made.append(128 | value & 127)
        value >>= 7
    made.append(value)
    return bytes(made)


def string(data: bytes, *, coded: bool) -> bytes:
    """Return a string with its length, in Huffman's code or as it is."""
    if coded:
        data = huffman(data)
    return integer(len(data), 7, first=0x80 if coded else 0) + data


def represented(rng: Random, field: Field) -> bytes:
    """Return one field: with or without indexing, never indexed, its name by number or as text."""
    name, value = field
    kind = rng.random()
    first, prefix = (0x40, 6) if kind < 0.4 else (0x10, 4) if kind < 0.5 else (0, 4)
    coded = kind * 10 % 1 < 0.3 and len(value) < 100
    number = STATIC.get(name, 0)
    if number and kind * 100 % 1 < 0.6:
        return integer(number, prefix, first=first) + string(value, coded=coded)
    return bytes((first,)) + string(name, coded=coded) + string(value, coded=coded)


_HOSTILE = (
    b"\x80",  # Index 0.
    b"\xbe",  # The newest field of the dynamic table.
    b"\xbf",
    b"\xff\x00",
    b"\xff\xff\xff\xff\xff\xff\x01",  # An integer of too many bytes.
    b"\x3f\xe1\x1f",  # The table gets 4,096 bytes, as it has.
    b"\x3f\xe2\x1f",  # One more than is allowed.
    b"\x20",  # The table gets none.
    b"\x00\xff\xff\xff\xff\x07",  # A name of 2^31 bytes.
    b"\x40\x01x\xff\x80\x80\x80\x80\x80\x00",
    b"\x40\x82\xff\xff\x00",  # Huffman's code with the end-of-string symbol's beginning as padding.
    b"\x40\x84\xff\xff\xff\xff\x00",
    b"\x7f",
    b"\x0f\xff\xff",
    b"\xbe" * 100,  # Many fields for a byte each.
    b"\x82\x86\x84\x41\x00",
)


def fields_of_request(rng: Random) -> list[Field]:
    """Return the fields of a request; every third has something odd about it."""
    path = ACTIONS[int(rng.random() * len(ACTIONS))]
    found = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"a")]
    found.append((b"content-type", b"application/grpc"))
    if rng.random() < 0.35:
        found.insert(int(rng.random() ** 0.3 * (len(found) + 1)), ODD[int(rng.random() * len(ODD))])
        if rng.random() < 0.3:
            del found[int(rng.random() * len(found))]
        if rng.random() < 0.02:
            found *= 1 + int(rng.random() * 20)
    return found


def fields_of_trailers(rng: Random) -> list[Field]:
    """Return the fields of a request's trailers; half of them are odd."""
    return [ODD[int(rng.random() * len(ODD))]] if rng.random() < 0.5 else [(b"x", b"y")]


def block_of(rng: Random, fields: Sequence[Field]) -> bytes:
    """Return a block with these fields, sometimes with something hostile in it."""
    parts = [represented(rng, field) for field in fields]
    chance = rng.random()
    if chance < 0.06:
        parts.insert(int(rng.random() * (len(parts) + 1)), _HOSTILE[int(rng.random() * len(_HOSTILE))])
    elif chance < 0.08:
        return damaged(rng, b"".join(parts))
    return b"".join(parts)
