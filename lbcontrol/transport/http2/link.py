"""One connection: what asyncio read goes into ``http2.Connection``, its events become calls, its frames are written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, Closed, Event, HalfClosed, Message, Opened, PeerLeaves, Refused, Writable
from lbcontrol.http2.fields import Fields, encode
from lbcontrol.http2.frames import Code
from lbcontrol.http2.grpc import RESPONSE_HEADERS, is_grpc, metadata_of, timeout_of
from lbcontrol.model.clients import Peer
from lbcontrol.runtime.ports import Method, Status, StatusCode
from lbcontrol.transport.http2.calls import LATE, StreamCall, UnaryCall, status_block
from lbcontrol.transport.reasons import CLIENT, MAX_AGE, SLOW, TOO_LARGE

if TYPE_CHECKING:
    from lbcontrol.transport.http2.server import Shared

NOT_GRPC = encode([(b":status", b"415"), (b"content-type", b"text/plain; charset=utf-8")])
NOT_GRPC_BODY = b"this port speaks gRPC: content-type application/grpc\n"
NO_TRAILERS = encode([(b"x-reason", b"not-grpc")])
IDENTITY = ((b"grpc-accept-encoding", b"identity"),)
PREFACE_SECONDS = 10.0
"""From TCP accept to preface and SETTINGS."""
IDLE_SECONDS = 60.0
"""A connection may be without a stream for so long."""
PING_SECONDS = 30.0
"""Silence after which we ask whether the peer is there."""
PING_ANSWER_SECONDS = 10.0
MESSAGE_SECONDS = 10.0
"""From the first byte of a message to its last."""
WRITE_SECONDS = 60.0
"""A socket may take nothing for so long while something waits."""
HIGH_WATER = 65_536
"""Unsent bytes above which nothing more is offered, and nothing more is read."""
PING_DATA = b"lbctrl\0\0"
OVERDUE = {"preface": Code.SETTINGS_TIMEOUT, "header_block": Code.ENHANCE_YOUR_CALM}
"""What GOAWAY says of a peer that let a time pass; of the others that nothing is wrong."""
MAPPED = "::ffff:"
"""How an IPv6 socket writes an IPv4 address."""


def message_limit(methods: Mapping[str, Method], fields: Fields) -> int:
    """Return how long a message of this request may be; what nobody serves takes none."""
    path = next((value for name, value in fields if name == b":path"), b"")
    method = methods.get(path.decode("latin-1"))
    return method.max_message_bytes if method else 0


class Http2Link(asyncio.BufferedProtocol):
    """A connection and its calls."""

    __slots__ = (
        "_blocked_at",
        "_calls",
        "_leaving",
        "_opened_at",
        "_peer",
        "_pinged_at",
        "_read_at",
        "_shared",
        "_transport",
        "_used_at",
        "address",
        "blocked",
        "connection",
    )

    def __init__(self, shared: Shared, address: str) -> None:
        """Wait for the socket; everything that all connections share is in ``shared``."""
        self._shared = shared
        self.address = address
        """Whose seat this connection has."""
        self.connection = Connection(
            shared.limits, message_limit=shared.message_limit, whole=shared.whole, first_blocks=shared.first_blocks
        )
        self.blocked = False
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, StreamCall | UnaryCall] = {}
        self._peer = Peer("")
        self._opened_at = self._read_at = self._used_at = shared.now()
        self._blocked_at = 0.0
        self._pinged_at: float | None = None
        self._leaving = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready: our SETTINGS leave with the first answer, or at once if there is nothing to answer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._peer = _peer(transport.get_extra_info("peername"))
        self._shared.joined(self)
        asyncio.get_running_loop().call_soon(self.flush)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer that all connections share: what is read is copied out before anybody else reads."""
        del sizehint
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in what was read."""
        now = self._shared.now()
        self._read_at = now
        self._pinged_at = None
        data = bytes(self._shared.buffer[:nbytes])
        whole = self.connection.whole_message(data)
        if whole is None:
            self._take(self.connection.receive(data, now=now), now)
            return
        stream, message = whole
        call = self._calls.get(stream)
        if call is not None:
            call.received(message)
        if self.connection.sending.out:
            self.flush()

    def eof_received(self) -> bool:
        """The peer sends nothing more: a connection cut in half is of no use."""
        return False

    def pause_writing(self) -> None:
        """The socket takes nothing more: offer nothing, and read nothing that would have to be answered."""
        self.blocked = True
        self._blocked_at = self._shared.now()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """There is room again: the newest of each stream that was refused goes out."""
        self.blocked = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        for call in list(self._calls.values()):
            if self.blocked:
                return
            if isinstance(call, StreamCall) and call.is_owed:
                call.writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, and with it every call."""
        del exc
        self._transport = None
        self.blocked = True
        for call in list(self._calls.values()):
            call.closed(CLIENT)
        self._shared.left(self)

    # What calls ask for.

    def write(self, frames: bytes) -> None:
        """Write frames after what the connection has queued."""
        transport = self._transport
        if transport is not None:
            transport.write(self.connection.take() + frames if self.connection.sending.out else frames)

    def flush(self) -> None:
        """Write what the connection has queued."""
        if self.connection.sending.out:
            waiting = self.connection.take()
            if self._transport is not None:
                self._transport.write(waiting)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._shared.now()

    def over(self, call: StreamCall | UnaryCall, reason: str) -> None:
        """Forget a call."""
        if self._calls.pop(call.id, None) is not None:
            self._used_at = self._shared.now()
            self._shared.ended(call, reason)
            if reason == MAX_AGE and not self._leaving:
                self.leave()  # So that the client's next connection may reach another replica.

    def caught(self, error: Exception) -> None:
        """Log and count what a front end's code raised."""
        self._shared.caught(error)

    # What happened on the connection.

    def _take(self, events: list[Event], now: float) -> None:
        for event in events:
            call = None if isinstance(event, Opened | Broken | PeerLeaves) else self._calls.get(event.stream)
            match event:
                case Message():
                    if call is not None:
                        call.received(event.body)
                case Opened():
                    self._open(event, now)
                case Broken():
                    self._shared.refused(event.reason)
                    self._leave()
                case _ if call is not None:
                    self._tell(call, event)
                case _:
                    pass
        self.flush()

    def _tell(self, call: StreamCall | UnaryCall, event: Event) -> None:
        match event:
            case HalfClosed():
                call.half_closed()
            case Writable():
                call.written()
            case Refused():
                self._refuse(call, event)
            case Closed():
                if event.ours:
                    self._shared.refused(event.reason)
                call.closed(CLIENT)
            case _:
                pass

    def _refuse(self, call: StreamCall | UnaryCall, event: Refused) -> None:
        if event.limit:
            what = f"LB507: a message of {event.size} bytes; the limit is {event.limit}"
            self._shared.refused("message_bytes")
            call.reap(Status(StatusCode.RESOURCE_EXHAUSTED, what), TOO_LARGE)
        else:
            self._shared.refused("compressed")
            call.reap(Status(StatusCode.UNIMPLEMENTED, "compressed messages are not taken"), TOO_LARGE)

    def _open(self, event: Opened, now: float) -> None:
        fields = dict(event.fields)
        if fields[b":method"] != b"POST" or not is_grpc(fields.get(b"content-type", b"")):
            self._answer_plainly(event.stream)
            return
        method = self._shared.methods.get(fields[b":path"].decode("latin-1"))
        if method is None:
            self._end(event.stream, Status(StatusCode.UNIMPLEMENTED, "no such method"))
            return
        refusal = self._shared.admit()
        if refusal is not None:
            pushback = (b"grpc-retry-pushback-ms", self._shared.pushback().encode())
            self._end(event.stream, refusal, extra=(pushback,))
            return
        self._begin(event, method, deadline=_deadline(fields, now))

    def _begin(self, event: Opened, method: Method, *, deadline: float | None) -> None:
        try:
            metadata = metadata_of(event.fields)
        except ValueError as error:
            self._end(event.stream, Status(StatusCode.INVALID_ARGUMENT, str(error)))
            return
        self.connection.sending.begin(event.stream, RESPONSE_HEADERS)
        if method.stream is None:
            unary = UnaryCall(event.stream, method, link=self, peer=self._peer, metadata=metadata)
            unary.deadline = deadline
            self._calls[event.stream] = unary
            self._shared.begun(unary)
            return
        call = StreamCall(event.stream, method.path, handler=method.stream(), link=self)
        call.deadline = deadline
        self._calls[event.stream] = call
        self._shared.begun(call)
        call.opened(self._peer, metadata)

    def _end(self, stream: int, status: Status, *, extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.connection.sending.finish(stream, status_block(status, began=False, extra=(*IDENTITY, *extra)))

    def _answer_plainly(self, stream: int) -> None:
        """Tell a client that does not speak gRPC what this is (HTTP 415)."""
        sending = self.connection.sending
        sending.begin(stream, NOT_GRPC)
        sending.send(stream, NOT_GRPC_BODY)
        sending.finish(stream, NO_TRAILERS)

    # Time.

    def look(self, now: float) -> None:
        """Judge deadlines; called for each connection every few seconds."""
        for call in [each for each in self._calls.values() if each.deadline is not None and each.deadline <= now]:
            call.reap(LATE, CLIENT)
        reason = self._overdue(now)
        if reason:
            self._shared.refused(reason)
            self.connection.break_off(OVERDUE.get(reason, Code.NO_ERROR), reason)
            self._leave()
        elif self._leaving and not self._calls:
            self._leave()
        elif now - self._read_at > PING_SECONDS and self._pinged_at is None:
            self._pinged_at = now
            self.connection.ping(PING_DATA)
        self.flush()

    def _overdue(self, now: float) -> str:
        """Return why the connection is to be ended, empty for no reason."""
        if self.blocked and now - self._blocked_at > WRITE_SECONDS:
            self._abort()
            return "stalled"
        if not self.connection.established and now - self._opened_at > PREFACE_SECONDS:
            return "preface"
        if not self._calls and now - max(self._used_at, self._opened_at) > IDLE_SECONDS:
            return "idle"
        if self._pinged_at is not None and now - self._pinged_at > PING_ANSWER_SECONDS:
            return "keepalive"
        return self._late_input(now)

    def _late_input(self, now: float) -> str:
        stream = self.connection.expired(now, message_seconds=MESSAGE_SECONDS)
        if stream == 0:
            return "header_block"
        call = None if stream is None else self._calls.get(stream)
        if call is not None:
            self._shared.refused("message_seconds")
            call.reap(Status(StatusCode.DEADLINE_EXCEEDED, "a message took too long to arrive"), SLOW)
        return ""

    def leave(self) -> None:
        """Say that no further calls are taken here."""
        self._leaving = True
        self.connection.leave()
        self.flush()

    def close(self) -> None:
        """Write what is left, then close."""
        self._leave()

    def _leave(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _deadline(fields: dict[bytes, bytes], now: float) -> float | None:
    text = fields.get(b"grpc-timeout")
    seconds = None if text is None else timeout_of(text)
    return None if seconds is None else now + seconds


def _peer(name: object) -> Peer:
    """Return the peer of a socket: an IPv4 or IPv6 address with port, or a Unix socket."""
    if isinstance(name, tuple):
        host = str(name[0]).removeprefix(MAPPED)
        return Peer(f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}")
    return Peer("unix:")
