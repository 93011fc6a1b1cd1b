"""Both flow-control windows and the life of each stream as the peer sees them: a model beside the connection.

It reads the frames of both sides and nothing else. RFC 9113 sections 5.1, 5.2, 6.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.http2.events import Opened
from lbcontrol.http2.frames import HEAD_BYTES, MAX_WINDOW, WINDOW_BYTES, Code, Kind, Setting
from tests.fuzz.inputs import FindingError

Parsed = tuple[int, int, int, bytes]
"""Type, flags, stream, payload."""


def parsed(data: bytes) -> list[Parsed]:
    """Return the frames of bytes that hold whole frames only."""
    found, at = [], 0
    while at < len(data):
        start = at + HEAD_BYTES
        stop = start + int.from_bytes(data[at : at + 3])
        if stop > len(data):
            raise FindingError("output ends within a frame")
        found.append((data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : start]), data[start:stop]))
        at = stop
    return found


@dataclass(slots=True)
class _Account:
    receive: int
    send: int
    began: bool = False


class Ledger:
    """The windows, as far as both sides may know them."""

    def __init__(self, stream_window: int) -> None:
        """Begin with the windows of section 6.9.2; our SETTINGS say ``stream_window``."""
        self._stream_window = stream_window
        self._initial = WINDOW_BYTES
        self._all = _Account(WINDOW_BYTES, WINDOW_BYTES)
        self._streams: dict[int, _Account] = {}
        self._ended: set[int] = set()

    def opened(self, event: Opened) -> None:
        """The peer opened a stream."""
        self._streams[event.stream] = _Account(self._stream_window, self._initial)

    def theirs(self, kind: int, flags: int, *, stream: int, payload: bytes) -> bool:
        """Take in the peer's frame; True when it oversteps a window, so that it must be refused."""
        account = self._streams.get(stream)
        if kind == Kind.DATA and stream:
            self._all.receive -= len(payload)
            if account is not None:
                account.receive -= len(payload)
            return self._all.receive < 0 or (account is not None and account.receive < 0)
        if kind == Kind.WINDOW_UPDATE and len(payload) == 4:
            found = account if stream else self._all
            if found is not None:
                found.send += int.from_bytes(payload) & MAX_WINDOW
                return found.send > MAX_WINDOW
        if kind == Kind.SETTINGS and not flags & 1 and not stream:
            return self._settings(payload)
        return False

    def _settings(self, payload: bytes) -> bool:
        for at in range(0, len(payload) - 5, 6):
            value = int.from_bytes(payload[at + 2 : at + 6])
            if int.from_bytes(payload[at : at + 2]) == Setting.INITIAL_WINDOW_SIZE:
                for account in self._streams.values():
                    account.send += value - self._initial
                self._initial = value
                if value > MAX_WINDOW or any(account.send > MAX_WINDOW for account in self._streams.values()):
                    return True
        return False

    def gone(self, stream: int) -> None:
        """The peer reset the stream."""
        self._streams.pop(stream, None)
        self._ended.add(stream)

    def ours(self, kind: int, flags: int, *, stream: int, payload: bytes) -> None:
        """Judge a frame that we wrote.

        Raises:
            FindingError: a client would have to refuse it.
        """
        if kind == Kind.WINDOW_UPDATE:
            self._opened_window(stream, int.from_bytes(payload))
        elif kind == Kind.RST_STREAM:
            self.gone(stream)
        elif kind in (Kind.HEADERS, Kind.DATA):
            self._answered(kind, flags, stream=stream, size=len(payload))

    def _opened_window(self, stream: int, amount: int) -> None:
        account = self._streams.get(stream) if stream else self._all
        if account is None or not amount:
            raise FindingError(f"WINDOW_UPDATE of {amount} on stream {stream}")
        account.receive += amount

    def _answered(self, kind: int, flags: int, *, stream: int, size: int) -> None:
        account = self._streams.get(stream)
        if account is None:
            raise FindingError(f"frame of type {kind} on stream {stream}, which is not open")
        if kind == Kind.HEADERS:
            account.began = True
        else:
            account.send -= size
            self._all.send -= size
            if not account.began or (size and min(account.send, self._all.send) < 0):
                raise FindingError(f"DATA on stream {stream} before HEADERS or beyond a window")
        if flags & 1:
            self.gone(stream)


def resets(frames: list[Parsed]) -> list[tuple[int, int]]:
    """Return stream and code of each RST_STREAM that is no polite end of an answered stream."""
    found = [(stream, int.from_bytes(payload)) for kind, _, stream, payload in frames if kind == Kind.RST_STREAM]
    return [(stream, code) for stream, code in found if code != Code.NO_ERROR]
