"""Header fields: decoded within bounds (RFC 7541), judged as a request (RFC 9113 section 8.3), encoded for answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.frames import Code
from lbcontrol.http2.limits import Limits

Fields = list[tuple[bytes, bytes]]
"""Names and values in the order they came."""

FIRST_BLOCKS = 256
FIRST_BYTES = 1_024
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|")
"""No NUL, CR or LF, no white space at the ends (section 8.2.1); further control characters are refused too."""
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_RESIZES, _RESIZE = 0xE0, 0x20
"""Bits of a block's first byte that say that the table gets another size (RFC 7541 section 6.3)."""
_Table = tuple[int, tuple[bytes, bytes] | None]
_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""Fields that belong to HTTP/1 connections (section 8.2.2)."""

TABLE_BYTES = 4_096
"""Size of a dynamic table until something else is said (RFC 7541 section 4.2)."""
NO_TABLE = b"\x20"
"""Dynamic table size update to 0 (RFC 7541 section 6.3)."""
IDENTITY = b"identity"
"""The one ``grpc-encoding`` whose messages are not compressed."""


class Judged(NamedTuple):
    """Fields that were found to be a request, and what a connection wants to know of them."""

    fields: Fields
    expected: int | None
    """Length that the request announces; None when it does not."""
    encoding: bytes
    """What ``grpc-encoding`` names."""


_NOTHING = Judged([], None, IDENTITY)


class FirstBlocks:
    """Blocks that connections began with, decoded once: clients of one kind all begin with the same.

    Bounds: ``FIRST_BLOCKS`` blocks of ``FIRST_BYTES``; the oldest goes first.
    """

    __slots__ = ("_kept", "judged")

    def __init__(self) -> None:
        """Begin empty."""
        self._kept: dict[bytes, tuple[bytes, Fields]] = {}
        self.judged = _NOTHING
        """What was found to be a request last, by whichever connection."""

    def known(self, block: bytes) -> tuple[bytes, Fields] | None:
        """Return the block as it is kept, and its fields, which nobody may change."""
        return self._kept.get(block)

    def keep(self, block: bytes, fields: Fields) -> None:
        """Keep a block that was decoded with an empty table, and is in order."""
        if len(block) <= FIRST_BYTES:
            if len(self._kept) >= FIRST_BLOCKS:
                del self._kept[next(iter(self._kept))]
            self._kept[block] = (block, fields)


_Last = tuple[bytes, _Table, Fields]
_NO_BLOCK: _Last = (b"", (0, None), [])
"""Before the first block; one for all connections, and nobody changes it."""


class Blocks:
    """The decoder of one connection, made when the connection has more than one block, or one that nobody had before.

    What a block means depends on the blocks before it, and on nothing else. Before the first the table is empty: equal
    first blocks have equal fields. When a second one comes, the first is decoded after all, so that the table is what
    the peer takes it to be.
    """

    __slots__ = ("_decoder", "_first", "_judged", "_last", "_limits", "_shared")

    def __init__(self, limits: Limits, shared: FirstBlocks | None = None) -> None:
        """Begin with an empty dynamic table of 4,096 bytes; ``shared`` is that of all connections with these limits."""
        self._decoder: Decoder | None = None
        self._first = b""
        """A block whose fields are known and which the decoder has not seen."""
        self._limits = limits
        self._last = _NO_BLOCK
        """The last block that left the table as it was, with what it says: peers repeat themselves, and floods do."""
        self._shared = shared or FirstBlocks()
        self._judged = _NOTHING
        """What was found to be a request last, on this connection."""

    def decode(self, block: bytes) -> Fields:
        """Return the fields of one block; they may be shared and must not be changed.

        Raises:
            ConnectionFaultError: the block is malformed or too large; the table cannot be trusted any more.
        """
        if self._decoder is not None:
            return self._repeated(self._decoder, block)
        known = None if self._first else self._shared.known(block)
        if known is not None:
            self._first, fields = known
            return fields
        decoder = self._decoder = Decoder(max_header_list_size=self._limits.header_list)
        if self._first:
            self._repeated(decoder, self._first)
            self._first = b""
            return self._repeated(decoder, block)
        fields = self._repeated(decoder, block)
        self._shared.keep(block, fields)
        return fields

    def judged(self, stream: int, fields: Fields) -> Judged:
        """Judge fields as a request; those found to be one last, which equal blocks share, are not judged anew.

        Raises:
            StreamFaultError: they are malformed (RFC 9113 section 8.1.1).
        """
        if fields is not self._judged.fields:
            if fields is not self._shared.judged.fields:
                check_request(stream, fields)
                encoding = next((value for name, value in fields if name == b"grpc-encoding"), IDENTITY)
                self._shared.judged = Judged(fields, content_length(stream, fields), encoding)
            self._judged = self._shared.judged
        return self._judged

    def _repeated(self, decoder: Decoder, block: bytes) -> Fields:
        """Decode, unless it is the last block once more and that left the table as it was."""
        entries = decoder.header_table.dynamic_entries
        size, newest = len(entries), entries[0] if entries else None
        last, (size_then, newest_then), known = self._last
        if last == block and size_then == size and newest_then is newest:
            return known
        found = self._decoded(decoder, block)
        # An entry that comes in is another object, even where it says the same as the newest before.
        same = len(entries) == size and (entries[0] if entries else None) is newest
        if same and block and block[0] & _RESIZES != _RESIZE:
            self._last = (block, (size, newest), found)
        return found

    def _decoded(self, decoder: Decoder, block: bytes) -> Fields:
        try:
            found = [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "header_list") from None
        except (HPACKError, ValueError, IndexError):
            raise ConnectionFaultError(Code.COMPRESSION_ERROR, "hpack") from None
        if len(found) > self._limits.fields:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "header_fields")
        if any(len(value) > self._limits.field_value for _, value in found):
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "header_value")
        return found


def _judge(fields: Fields, *, trailers: bool) -> str:
    """Return what is wrong with the names and values, empty for nothing."""
    regular = False
    seen: set[bytes] = set()
    for name, value in fields:
        if name.startswith(b":"):
            if trailers or regular or name not in _PSEUDO or name in seen:
                return "pseudo_field"
            seen.add(name)
        elif name in _CONNECTION or (name == b"te" and value != b"trailers"):
            return "connection_field"
        elif not _NAME.fullmatch(name):
            return "field_name"
        else:
            regular = True
        if not _VALUE.fullmatch(value):
            return "field_value"
    return "" if trailers else _judge_pseudo(fields)


def _judge_pseudo(fields: Fields) -> str:
    """Judge a request's pseudo fields as a whole; there is no tunnel to CONNECT to (section 8.5)."""
    found = dict(fields)
    if found.get(b":method", b"CONNECT") == b"CONNECT" or b":scheme" not in found or not found.get(b":path"):
        return "pseudo_field"
    hosts = [value for name, value in fields if name == b"host"]
    return "authority" if hosts and hosts != [found.get(b":authority", hosts[0])] else ""


def check_request(stream: int, fields: Fields) -> None:
    """Refuse fields that are no request.

    Raises:
        StreamFaultError: they are malformed (section 8.1.1).
    """
    wrong = _judge(fields, trailers=False)
    if wrong:
        raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason=wrong)


def check_trailers(stream: int, fields: Fields) -> None:
    """Refuse fields that may not follow a request's body.

    Raises:
        StreamFaultError: they are malformed.
    """
    wrong = _judge(fields, trailers=True)
    if wrong:
        raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason=wrong)


def content_length(stream: int, fields: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the length that the request announces; None when it does not.

    Raises:
        StreamFaultError: it announces two, or no number.
    """
    values = {value for name, value in fields if name == b"content-length"}
    if not values:
        return None
    if len(values) > 1 or not (text := values.pop()).isdigit() or len(text) > 18:
        raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason="content_length")
    return int(text)


def _integer(value: int, prefix: int, *, first: int) -> bytes:
    """Return an integer with an ``prefix``-bit prefix (RFC 7541 section 5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((first | value,))
    made = [first | most]
    value -= most
    while value >= 128:
        made.append(value % 128 + 128)
        value //= 128
    return bytes((*made, value))


def encode(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return fields as literals without indexing (RFC 7541 section 6.2.2): stateless, so that blocks can be shared."""
    parts = []
    for name, value in fields:
        parts += [b"\0", _integer(len(name), 7, first=0), name, _integer(len(value), 7, first=0), value]
    return b"".join(parts)
