"""What goes out: control frames, header blocks, and messages as far as the two windows allow (RFC 9113 section 5.2)."""

from __future__ import annotations

from lbcontrol.http2.budget import Budget
from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.events import Event, Writable
from lbcontrol.http2.fields import NO_TABLE, TABLE_BYTES
from lbcontrol.http2.frames import (
    FRAME_BYTES,
    MAX_WINDOW,
    SETTINGS_ACK,
    WINDOW_BYTES,
    Code,
    Kind,
    Setting,
    data_frames,
    frame,
    header_frames,
    long_frame,
    settings_of,
)
from lbcontrol.http2.streams import Stream

_HEADER_TABLE_SIZE, _ENABLE_PUSH = int(Setting.HEADER_TABLE_SIZE), int(Setting.ENABLE_PUSH)
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = int(Setting.INITIAL_WINDOW_SIZE), int(Setting.MAX_FRAME_SIZE)
FORGOTTEN = 512
"""Streams we reset of which late frames are still taken in silence (section 5.1, closed)."""


class Sending:
    """The sending half of one connection."""

    __slots__ = (
        "_budget",
        "_events",
        "_fast_path",
        "_resize",
        "_resized",
        "_streams",
        "_waiting",
        "forgotten",
        "initial_window",
        "out",
        "window",
    )

    def __init__(
        self, streams: dict[int, Stream], *, budget: Budget, events: list[Event], fast_path: bool = True
    ) -> None:
        """Share the table of streams, the budgets and the list of events with the connection.

        Without ``fast_path`` nothing is admitted: every message leaves by ``send``.
        """
        self._fast_path = fast_path
        self._streams = streams
        self._budget = budget
        self._events = events
        self.out: list[bytes] = []
        """Frames that wait for ``take``."""
        self._waiting: dict[int, None] = {}
        """Streams with part of a message left, in the order they are served."""
        self.forgotten: dict[int, int | None] = {}
        """Streams we reset, oldest first: their peer may not have seen that yet; and what they still announce."""
        self.window = WINDOW_BYTES
        """Bytes that may be sent on all streams together."""
        self.initial_window = WINDOW_BYTES
        """Window of a stream to come."""
        self._resize = b""
        """What the next header block begins with."""
        self._resized = False

    def take(self) -> bytes:
        """Return what waits to be written, and forget it."""
        if not self.out:
            return b""
        joined = b"".join(self.out)
        self.out.clear()
        return joined

    def control(self, frames: bytes) -> None:
        """Queue frames that no window holds back."""
        self.out.append(frames)

    @property
    def unsent(self) -> int:
        """Bytes of messages under way that no window has let out yet."""
        return sum(len(self._streams[stream].rest or b"") for stream in self._waiting)

    def begin(self, stream: int, block: bytes) -> None:
        """Keep the header block that goes before the first message; a stream that is gone is left alone."""
        if stream in self._streams:
            self._streams[stream].headers = block

    def admit(self, stream: int, size: int) -> bytes | None:
        """Let a message of ``size`` bytes leave as frames that the owner has ready, if it fits both windows whole.

        Returns:
            What must be written before these frames (our HEADERS, or nothing), or None: use ``send``.
        """
        found = self._streams.get(stream)
        if found is None or found.rest is not None or self._waiting or not self._fast_path:
            return None
        if size > found.window or size > self.window:
            return None
        found.window -= size
        self.window -= size
        self._budget.frames += 1 + size // FRAME_BYTES
        return b"" if found.began else self._head(found)

    def send(self, stream: int, message: bytes) -> bool:
        """Send a message, with its prefix; True when all of it has left, else ``Writable`` will come.

        Only one message is under way per stream: call again after ``Writable``. What is sent on a stream that is gone
        is dropped: its ``Closed`` is on the way to the owner.
        """
        found = self._streams.get(stream)
        if found is None:
            return True
        self.out.append(self._head(found))
        found.rest = memoryview(message)
        if self._pump(found):
            return True
        self._waiting[stream] = None
        return False

    def finish(self, stream: int, block: bytes) -> None:
        """End the stream with a trailer block once the message under way has left; one that is gone is left alone."""
        found = self._streams.get(stream)
        if found is None:
            return
        if found.rest is not None:
            found.ending = block
            return
        self.out.append(self._headers(stream, block, end=True))
        self._budget.frames += 1
        if found.remote_open:  # The answer is complete: the peer need not go on (section 8.1).
            self.out.append(long_frame(Kind.RST_STREAM, stream, value=Code.NO_ERROR))
            self.forget(stream)
        self.drop(stream)

    def drop(self, stream: int) -> None:
        """Forget a stream and what was left of its message."""
        self._streams.pop(stream, None)
        self._waiting.pop(stream, None)

    def forget(self, stream: int) -> None:
        """Drop a stream that we reset, and remember that we did."""
        found = self._streams.get(stream)
        announced = None if found is None or found.expected is None else found.expected - found.received
        self.drop(stream)
        self.forgotten[stream] = announced
        if len(self.forgotten) > FORGOTTEN:
            del self.forgotten[next(iter(self.forgotten))]

    def apply(self, payload: bytes) -> None:
        """Take over the peer's SETTINGS, in order, and say so before anything that they allow (section 6.5.3)."""
        before = self.initial_window
        for key, value in settings_of(payload):
            if key == _INITIAL_WINDOW_SIZE:
                self._set_initial_window(value)
            elif key == _HEADER_TABLE_SIZE and value < TABLE_BYTES:
                self._shrink_table()
            elif key == _ENABLE_PUSH and value > 1:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "enable_push")
            elif key == _MAX_FRAME_SIZE and not FRAME_BYTES <= value < 2**24:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "max_frame_size")
        self.control(SETTINGS_ACK)
        if self.initial_window > before:
            self._pump_all()

    def _shrink_table(self) -> None:
        """Say in the next header block that our table, which we never use, is empty for good (RFC 7541 section 4.2)."""
        if not self._resized:
            self._resize, self._resized = NO_TABLE, True

    def _headers(self, stream: int, block: bytes, *, end: bool) -> bytes:
        if self._resize:
            block, self._resize = self._resize + block, b""
        return header_frames(stream, block, end=end)

    def _set_initial_window(self, value: int) -> None:
        if value > MAX_WINDOW:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "initial_window")
        difference, self.initial_window = value - self.initial_window, value
        for stream in self._streams.values():
            stream.window += difference
            if stream.window > MAX_WINDOW:
                raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "stream_window")

    def widen(self, stream: int, amount: int) -> None:
        """Open a window by ``amount``; stream 0 is the connection's."""
        if not stream:
            self._widen_connection(amount)
            return
        found = self._streams.get(stream)
        if not amount:
            raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason="window_update_0")
        if found is None:
            return  # It ended meanwhile.
        found.window += amount
        if found.window > MAX_WINDOW:
            raise StreamFaultError(stream, Code.FLOW_CONTROL_ERROR, reason="stream_window")
        if stream in self._waiting:
            self._advance(found)

    def _widen_connection(self, amount: int) -> None:
        if not amount:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "window_update_0")
        self.window += amount
        if self.window > MAX_WINDOW:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "connection_window")
        self._pump_all()

    def _pump_all(self) -> None:
        for stream in list(self._waiting):
            if self.window <= 0:
                return
            self._advance(self._streams[stream])

    def _advance(self, stream: Stream) -> None:
        """Send more of a message; one that is then still unfinished goes to the end of the line."""
        done = self._pump(stream)
        del self._waiting[stream.id]
        if not done:
            self._waiting[stream.id] = None
        elif stream.ending is not None:
            self.finish(stream.id, stream.ending)
        else:
            self._events.append(Writable(stream.id))

    def _pump(self, stream: Stream) -> bool:
        """Send what the windows allow; True when the message has left."""
        rest = stream.rest
        assert rest is not None  # noqa: S101  for the type checker
        size = min(len(rest), max(0, stream.window), max(0, self.window))
        if size:
            self.out.append(data_frames(stream.id, bytes(rest[:size])))
            self._budget.frames += 1 + size // FRAME_BYTES
            stream.window -= size
            self.window -= size
        elif not rest:
            self.out.append(frame(Kind.DATA, 0, stream=stream.id))
        stream.rest = rest[size:] if size < len(rest) else None
        return stream.rest is None

    def _head(self, stream: Stream) -> bytes:
        if stream.began:
            return b""
        stream.began = True
        block, stream.headers = stream.headers or b"", None
        return self._headers(stream.id, block, end=False)
