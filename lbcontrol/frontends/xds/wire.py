"""Protobuf on the wire, as far as responses need it: lengths and length-delimited fields.

Responses are put together by hand, because their resources are bytes already: the generated classes would copy each
resource twice, and could not leave the nonce for last.
"""

from __future__ import annotations

_LENGTH_DELIMITED = 2
_VARINT = 0


def varint(value: int) -> bytes:
    """Return a non-negative number in base 128, low bits first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def head(number: int, size: int) -> bytes:
    """Return what stands before a length-delimited field of ``size`` bytes."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(size)


def field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field: bytes, a message or UTF-8 text."""
    return head(number, len(content)) + content


def text(number: int, content: str) -> bytes:
    """Return a string field; nothing for the empty text, as proto3 has it."""
    return field(number, content.encode()) if content else b""


def number_field(number: int, value: int) -> bytes:
    """Return a non-negative integer field."""
    return varint(number << 3 | _VARINT) + varint(value)
