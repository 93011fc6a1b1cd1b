"""A header block on its way: the parts that HEADERS and CONTINUATION bring, and what they may cost (RFC 9113 6.10)."""

from __future__ import annotations

from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.fields import Fields, check_trailers
from lbcontrol.http2.frames import Code
from lbcontrol.http2.limits import Limits


class HeaderBlock:
    """A header block whose end has not come."""

    __slots__ = ("_continuations", "_empty", "_size", "began_at", "end", "itself", "parts", "stream")

    def __init__(self, stream: int, *, end: bool, itself: bool, now: float) -> None:
        """Begin at ``now`` (monotonic seconds) without a part.

        Args:
            stream: Whose block it is.
            end: The stream ends with it.
            itself: The stream depends on itself.
            now: Monotonic seconds.
        """
        self.stream = stream
        self.parts: list[bytes] = []
        self.end = end
        self.itself = itself
        self.began_at = now
        self._size = 0
        self._continuations = -1
        self._empty = 0

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self._size

    def add(self, part: bytes, limits: Limits) -> None:
        """Keep the next part; of the first may be nothing left, of those that follow few may be empty.

        Raises:
            ConnectionFaultError: the block is too long, or in too many parts.
        """
        self._empty += bool(self.parts) and not part
        self._continuations += 1
        self._size += len(part)
        self.parts.append(part)
        if self._size > limits.header_block:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "header_block_size")
        if self._continuations > limits.continuations or self._empty > limits.empty_continuations:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "continuations")

    def check_trailing(self, fields: Fields) -> None:
        """Refuse a block that may not follow a request's body.

        Raises:
            StreamFaultError: it does not end the stream, or is malformed.
        """
        if self.itself:
            raise StreamFaultError(self.stream, Code.PROTOCOL_ERROR, reason="self_dependency")
        if not self.end:
            raise StreamFaultError(self.stream, Code.PROTOCOL_ERROR, reason="headers_twice")
        check_trailers(self.stream, fields)
