"""Frames as bytes (RFC 9113 section 4.1): a 9-byte head, length and type and flags and stream id, then the payload."""

from __future__ import annotations

import enum
import functools
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""
HEAD_BYTES = 9
FRAME_BYTES = 16_384
"""Largest payload we accept, and send: the initial SETTINGS_MAX_FRAME_SIZE, never raised."""
WINDOW_BYTES = 65_535
"""Initial flow-control window of a stream and of the connection (section 6.9.2)."""
MAX_WINDOW = 2**31 - 1


class Kind(enum.IntEnum):
    """Frame types of RFC 9113 section 6."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20


class Setting(enum.IntEnum):
    """Parameters of section 6.5.2 (and RFC 8441's, which we do not offer)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(enum.IntEnum):
    """Error codes of section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


HEAD = struct.Struct(">HBBBL")
"""A frame's head: length in two parts, type, flags, stream."""
_LONG = struct.Struct(">L")
_SETTING = struct.Struct(">HL")


def frame(kind: int, flags: int, *, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame; the payload is at most ``FRAME_BYTES`` long."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def data_frames(stream: int, message: bytes) -> bytes:
    """Return a message as DATA frames, none of them the last of the stream."""
    if len(message) <= FRAME_BYTES:
        return frame(Kind.DATA, 0, stream=stream, payload=message)
    pieces = range(0, len(message), FRAME_BYTES)
    return b"".join(frame(Kind.DATA, 0, stream=stream, payload=message[at : at + FRAME_BYTES]) for at in pieces)


def header_frames(stream: int, block: bytes, *, end: bool) -> bytes:
    """Return a header block as HEADERS and, when it is long, CONTINUATION frames."""
    last = END_STREAM if end else 0
    if len(block) <= FRAME_BYTES:
        return frame(Kind.HEADERS, last | END_HEADERS, stream=stream, payload=block)
    made = [frame(Kind.HEADERS, last, stream=stream, payload=block[:FRAME_BYTES])]
    for at in range(FRAME_BYTES, len(block), FRAME_BYTES):
        flags = END_HEADERS if at + FRAME_BYTES >= len(block) else 0
        made.append(frame(Kind.CONTINUATION, flags, stream=stream, payload=block[at : at + FRAME_BYTES]))
    return b"".join(made)


def settings_frame(values: dict[Setting, int]) -> bytes:
    """Return our SETTINGS."""
    payload = b"".join(_SETTING.pack(key, value) for key, value in values.items())
    return frame(Kind.SETTINGS, 0, payload=payload)


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    """Return the (identifier, value) pairs of a SETTINGS payload, in order; its length is a multiple of 6."""
    return list(_SETTING.iter_unpack(payload))


def long_frame(kind: int, stream: int, *, value: int) -> bytes:
    """Return a WINDOW_UPDATE or RST_STREAM: one 32-bit value."""
    return frame(kind, 0, stream=stream, payload=_LONG.pack(value))


def long_of(payload: bytes) -> int:
    """Return the 32-bit value of a payload."""
    return int(_LONG.unpack_from(payload)[0])


def goaway_frame(last: int, code: int, *, debug: bytes = b"") -> bytes:
    """Return a GOAWAY: streams above ``last`` were not looked at."""
    return frame(Kind.GOAWAY, 0, payload=_LONG.pack(last) + _LONG.pack(code) + debug)


@functools.lru_cache(maxsize=16)
def greeting(*, streams: int, stream_window: int, header_list: int, window: int) -> bytes:
    """Return what we begin a connection with: SETTINGS, and the rest of the connection's window."""
    first = settings_frame(
        {
            Setting.MAX_CONCURRENT_STREAMS: streams,
            Setting.INITIAL_WINDOW_SIZE: stream_window,
            Setting.MAX_HEADER_LIST_SIZE: header_list,
        }
    )
    more = window - WINDOW_BYTES
    return first + (long_frame(Kind.WINDOW_UPDATE, 0, value=more) if more > 0 else b"")


SETTINGS_ACK = frame(Kind.SETTINGS, ACK)
