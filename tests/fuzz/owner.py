"""What acts on a connection's events as a server does; each request says by its path what is done with it."""

from __future__ import annotations

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, Closed, Event, HalfClosed, Message, Opened, PeerLeaves, Refused, Writable
from lbcontrol.http2.frames import Code, data_frames
from lbcontrol.http2.grpc import RESPONSE_HEADERS, prefixed, trailers, trailers_only
from tests.fuzz.inputs import FindingError

BIG = prefixed(bytes(70_000))
"""More than a window of the initial size."""


class Owner:
    """Answers; keeps the one rule of ``Sending.send``: one message under way per stream."""

    def __init__(self, connection: Connection) -> None:
        """Act on this connection."""
        self._connection = connection
        self._paths: dict[int, bytes] = {}
        self._busy: set[int] = set()
        self.direct = b""
        """Frames written past the connection's queue, as payloads are that streams share."""
        self.over = False

    def act(self, events: list[Event], now: float) -> None:
        """Do what the events ask for."""
        for event in events:
            match event:
                case PeerLeaves():
                    self._connection.leave()
                case Broken():
                    self.over = True
                case _:
                    self._one(event)
        late = self._connection.expired(now, message_seconds=10.0)
        if late:
            self._connection.reset(late, Code.CANCEL)

    def _one(self, event: Opened | Message | HalfClosed | Refused | Writable | Closed) -> None:
        match event:
            case Opened():
                self._opened(event)
            case Message():
                self._answer(event.stream, prefixed(event.body))
            case HalfClosed():
                self._connection.resume(event.stream)
                self._finish(event.stream, 0)
            case Refused():
                self._finish(event.stream, 8)
            case Writable():
                self._busy.discard(event.stream)
            case Closed():
                self._too_late(event.stream)

    def _too_late(self, stream: int) -> None:
        """Answer a stream that is gone: nothing may come of it."""
        connection, written = self._connection, self._connection.sending.take()
        self.direct += written
        connection.sending.begin(stream, RESPONSE_HEADERS)
        connection.pause(stream)
        connection.resume(stream)
        connection.reset(stream, Code.CANCEL)
        if connection.sending.admit(stream, 1) is not None or not connection.sending.send(stream, b"x"):
            raise FindingError("a message is taken for a stream that is gone")
        connection.sending.finish(stream, trailers(0))
        if connection.take():
            raise FindingError("something is written to a stream that is gone")
        self._paths.pop(stream, None)

    def _opened(self, event: Opened) -> None:
        stream, connection = event.stream, self._connection
        path = dict(event.fields)[b":path"]
        self._paths[stream] = path
        match path:
            case b"/echo" | b"/admit" | b"/pause":
                connection.sending.begin(stream, RESPONSE_HEADERS)
                if path == b"/pause":
                    connection.pause(stream)
            case b"/end":
                connection.sending.finish(stream, trailers_only(12, "no such method"))
            case b"/reset":
                connection.reset(stream, Code.CANCEL)
            case b"/big":
                connection.sending.begin(stream, RESPONSE_HEADERS)
                self._answer(stream, BIG)
                connection.sending.finish(stream, trailers(0))
            case _:
                self._whole_connection(path)

    def _whole_connection(self, path: bytes) -> None:
        match path:
            case b"/leave":
                self._connection.leave(debug=b"bye")
            case b"/ping":
                self._connection.ping(b"12345678")
            case b"/gone":
                self._connection.break_off(Code.NO_ERROR, "idle")
                self.over = True
            case _:
                pass

    def _answer(self, stream: int, message: bytes) -> None:
        path = self._paths.get(stream)
        if path not in (b"/echo", b"/admit", b"/pause", b"/big") or stream in self._busy:
            return
        sending = self._connection.sending
        first = sending.admit(stream, len(message)) if path == b"/admit" else None
        if first is not None:
            self.direct += sending.take() + first + data_frames(stream, message)
        elif not sending.send(stream, message):
            self._busy.add(stream)

    def _finish(self, stream: int, code: int) -> None:
        path = self._paths.get(stream)
        if path == b"/none":
            return
        found = self._connection.streams.get(stream)
        block = trailers(code) if found is not None and found.began else trailers_only(code)
        self._connection.sending.finish(stream, block)
