"""A read that is one DATA frame with one message: nearly all that clients of a control plane send.

A change is acknowledged by thousands of clients with the very same bytes, one read after the other. The frame seen last
is therefore kept: equal bytes are not taken apart again, and give the same message object, whose hash is known by then.
"""

from __future__ import annotations

import struct

from lbcontrol.http2.frames import FRAME_BYTES, HEAD_BYTES
from lbcontrol.http2.grpc import PREFIX_BYTES

_WHOLE = struct.Struct(">HBHLBL")
"""Head of a DATA frame and its message's prefix: length in two parts, type and flags, stream; flag, length."""
LEAST, MOST = HEAD_BYTES + PREFIX_BYTES, HEAD_BYTES + FRAME_BYTES


class WholeFrames:
    """Takes such reads apart; shared by all connections of a listener."""

    __slots__ = ("_data", "_found")

    def __init__(self) -> None:
        """Begin without a frame."""
        self._data = b""
        self._found: tuple[int, bytes] | None = None

    def read(self, data: bytes) -> tuple[int, bytes] | None:
        """Return stream and message when ``data`` is such a frame: without flags, and its message not compressed."""
        if data == self._data:
            return self._found
        if not LEAST <= len(data) <= MOST:
            return None
        size = len(data) - HEAD_BYTES
        high, low, kind_and_flags, stream, compressed, length = _WHOLE.unpack_from(data)
        if kind_and_flags or compressed or (high << 8 | low) != size or length != size - PREFIX_BYTES:
            return None
        self._data, self._found = data, (stream, data[LEAST:])
        return self._found
