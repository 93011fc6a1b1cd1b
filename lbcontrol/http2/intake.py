"""Bytes into frames: cuts the input, checks preface, size, stream number and the order that header blocks ask for."""

from __future__ import annotations

from collections.abc import Iterator

from lbcontrol.http2.errors import ConnectionFaultError
from lbcontrol.http2.frames import FRAME_BYTES, HEAD, HEAD_BYTES, PREFACE, Code, Kind

Frame = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""


class Intake:
    """What has been received and is not yet a whole frame; at most one frame long."""

    __slots__ = ("_kept", "_preface", "_settings", "is_between_frames")

    def __init__(self) -> None:
        """Wait for the preface."""
        self._kept = b""
        self._preface = len(PREFACE)
        self._settings = False
        self.is_between_frames = False
        """True when the connection is established and nothing unfinished is kept."""

    @property
    def established(self) -> bool:
        """True once preface and first SETTINGS are here."""
        return self._settings

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that ``data`` completes; nothing is kept when the reader stops at one of them.

        Raises:
            ConnectionFaultError: this is no HTTP/2, or a frame is too long.
        """
        data, self._kept = self._kept + data if self._kept else data, b""
        at = 0
        if self._preface:
            at = self._check_preface(data)
            if self._preface:
                self._kept = data
                return
        end = len(data)
        self.is_between_frames = False
        while end - at >= HEAD_BYTES:
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > FRAME_BYTES:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "frame_size")
            head = at + HEAD_BYTES
            if head + size > end:
                break
            if not self._settings:
                self._check_first(kind, flags)
            at = head + size
            yield kind, flags, stream & 0x7FFFFFFF, data[head:at]
        self._kept = data[at:]
        self.is_between_frames = self._settings and not self._kept

    def _check_preface(self, data: bytes) -> int:
        """Return where the frames begin."""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "preface")
        if len(data) >= len(PREFACE):
            self._preface = 0
        return len(PREFACE)

    def _check_first(self, kind: int, flags: int) -> None:
        if kind != Kind.SETTINGS or flags & 1:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "first_frame")
        self._settings = True


def unpadded(payload: bytes) -> bytes:
    """Return a payload without its padding (section 6.1).

    Raises:
        ConnectionFaultError: the padding is as long as the payload, or longer.
    """
    if not payload:
        raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "padding")
    padding = payload[0]
    if padding >= len(payload):
        raise ConnectionFaultError(Code.PROTOCOL_ERROR, "padding")
    return payload[1 : len(payload) - padding]
