"""What goes out: control frames, header blocks, and messages as far as the two windows allow (RFC 9113 section 5.2)."""

from __future__ import annotations

from lbcontrol.http2.budget import Budget
from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.events import Event, Writable
from lbcontrol.http2.frames import (
    FRAME_BYTES,
    MAX_WINDOW,
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


class Sending:
    """The sending half of one connection."""

    __slots__ = ("_budget", "_events", "_streams", "_waiting", "initial_window", "out", "window")

    def __init__(self, streams: dict[int, Stream], *, budget: Budget, events: list[Event]) -> None:
        """Share the table of streams, the budgets and the list of events with the connection."""
        self._streams = streams
        self._budget = budget
        self._events = events
        self.out: list[bytes] = []
        """Frames that wait for ``take``."""
        self._waiting: dict[int, None] = {}
        """Streams with part of a message left, in the order they are served."""
        self.window = WINDOW_BYTES
        """Bytes that may be sent on all streams together."""
        self.initial_window = WINDOW_BYTES
        """Window of a stream to come."""

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
        if found is None or found.rest is not None or size > found.window or size > self.window or self._waiting:
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
        self.out.append(header_frames(stream, block, end=True))
        if found.remote_open:  # The answer is complete: the peer need not go on (section 8.1).
            self.out.append(long_frame(Kind.RST_STREAM, stream, value=Code.NO_ERROR))
        self.drop(stream)

    def drop(self, stream: int) -> None:
        """Forget a stream and what was left of its message."""
        self._streams.pop(stream, None)
        self._waiting.pop(stream, None)

    def apply(self, payload: bytes) -> None:
        """Take over the peer's SETTINGS, in order (section 6.5.3)."""
        for key, value in settings_of(payload):
            if key == Setting.ENABLE_PUSH and value > 1:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "enable_push")
            if key == Setting.MAX_FRAME_SIZE and not FRAME_BYTES <= value < 2**24:
                raise ConnectionFaultError(Code.PROTOCOL_ERROR, "max_frame_size")
            if key == Setting.INITIAL_WINDOW_SIZE:
                self._set_initial_window(value)

    def _set_initial_window(self, value: int) -> None:
        if value > MAX_WINDOW:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "initial_window")
        difference, self.initial_window = value - self.initial_window, value
        for stream in self._streams.values():
            stream.window += difference
            if stream.window > MAX_WINDOW:
                raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "stream_window")
        if difference > 0:
            self._pump_all()

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
        return header_frames(stream.id, block, end=False)
