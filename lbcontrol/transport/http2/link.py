"""One connection: what asyncio read goes into ``http2.Connection``, its events become calls, its frames are written."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, Closed, Event, HalfClosed, Message, Opened, PeerLeaves, Refused, Writable
from lbcontrol.http2.fields import IDENTITY
from lbcontrol.http2.frames import Code
from lbcontrol.http2.grpc import RESPONSE_HEADERS
from lbcontrol.model.clients import Identity, Peer
from lbcontrol.runtime.ports import Method, Status, StatusCode, Timer
from lbcontrol.transport.http2.asked import Asked
from lbcontrol.transport.http2.calls import LATE, Call, PlainCall, StreamCall, UnaryCall, status_block
from lbcontrol.transport.http2.sockets import host_of
from lbcontrol.transport.reasons import CLIENT, ENDED, MAX_AGE, TOO_LARGE, UNTRUSTED

if TYPE_CHECKING:
    from lbcontrol.transport.http2.server import Shared

CLOSE_SECONDS = 10.0
"""A socket that is closed may take so long over its last bytes."""
PLAIN_REQUESTS = 4
"""Requests of one connection that are no gRPC and whose end is waited for."""
HIGH_WATER = 65_536
"""Unsent bytes above which nothing more is offered, and nothing more is read."""
GATHERED = 16
"""Pieces of output that wait for further answers to what was read with one call."""
GATHERED_BYTES = 8_192
"""Longest of them; a longer one takes those before it along."""
PING_DATA = b"lbctrl\0\0"
OVERTIME = Status(StatusCode.DEADLINE_EXCEEDED, "a message took too long to arrive")
COMPRESSED = Status(StatusCode.UNIMPLEMENTED, "compressed messages are not taken; this server takes identity")
ODD_FLAG = Status(StatusCode.INTERNAL, "a message is flagged as compressed in a call without grpc-encoding")
CUT = Status(StatusCode.INTERNAL, "the client's side ended within a message")
PRECISE_SECONDS = 60.0
"""A deadline this near has a timer of its own; others are judged whenever their connection is looked at."""
OVERDUE = {"preface": Code.SETTINGS_TIMEOUT, "header_block": Code.ENHANCE_YOUR_CALM}
"""What GOAWAY says of a peer that let a time pass; of the others that nothing is wrong."""
ANYBODY = Identity()
"""Who is there without TLS, and without a certificate of the client's."""


class Http2Link(asyncio.BufferedProtocol):
    """A connection and its calls."""

    __slots__ = (
        "_blocked_at",
        "_calls",
        "_closing_at",
        "_ending",
        "_gathers",
        "_leaving",
        "_lingering",
        "_opened_at",
        "_peer",
        "_pinged_at",
        "_read_at",
        "_shared",
        "_timers",
        "_transport",
        "_used_at",
        "address",
        "blocked",
        "connection",
        "unsent",
    )

    def __init__(self, shared: Shared, address: str, *, opened_at: float | None = None) -> None:
        """Wait for the socket; everything that all connections share is in ``shared``.

        Args:
            shared: What all connections share.
            address: IP address of the peer, whose seat this connection has; empty on a Unix socket.
            opened_at: Monotonic seconds of its TCP accept; now when left out.
        """
        self._shared = shared
        self.address = address
        """Whose seat this connection has."""
        self.connection = Connection(
            shared.limits,
            message_limit=shared.requests.limit,
            fast_path=shared.fast_path,
            whole=shared.whole,
            first_blocks=shared.first_blocks,
        )
        self.blocked = False
        self.unsent = shared.times.unsent
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, Call] = {}
        self._peer = Peer("")
        self._read_at = self._used_at = shared.now()
        self._opened_at = self._read_at if opened_at is None else opened_at
        self._blocked_at = 0.0
        self._pinged_at: float | None = None
        self._closing_at: float | None = None
        """When the socket was closed; the peer may still have to take the last bytes."""
        self._leaving = self._ending = False
        self._gathers = False
        """More answers may follow in this turn: what is small waits for them."""
        self._timers: dict[int, Timer] | None = None
        """Of calls whose deadline is near; made when needed."""
        self._lingering: dict[int, float] | None = None
        """Streams whose last bytes wait for the peer's window, and when each was first seen so; made when needed."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready. Our SETTINGS wait for the client's preface: HTTP/1 could not read them."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._peer = _peer(transport.get_extra_info("peername"), transport.get_extra_info("identity") or ANYBODY)
        self._shared.joined(self)

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
        self._read_at, self._pinged_at = self._shared.now(), None  # We have not listened meanwhile.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._offer_again()

    def _offer_again(self) -> None:
        """Let the streams that were refused offer their newest."""
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
        """Write frames after what the connection has queued; a few answers to one read leave together."""
        transport, out = self._transport, self.connection.sending.out
        if self._gathers and len(frames) <= GATHERED_BYTES and len(out) < GATHERED:
            out.append(frames)
        elif transport is not None:
            transport.write(self.connection.take() + frames if out else frames)

    def flush(self) -> None:
        """Write what the connection has queued."""
        if self.connection.sending.out:
            waiting = self.connection.take()
            if self._transport is not None:
                self._transport.write(waiting)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._shared.now()

    def over(self, call: Call, reason: str) -> None:
        """Forget a call."""
        if self._calls.pop(call.id, None) is not None:
            self._used_at = self._shared.now()
            if self._timers and call.id in self._timers:
                self._timers.pop(call.id).cancel()
            self._shared.ended(call, reason)
            if reason == MAX_AGE and not self._leaving:
                self.leave()  # So that the client's next connection may reach another replica.
            self._settle()

    def caught(self, error: Exception) -> None:
        """Log and count what a front end's code raised."""
        self._shared.caught(error)

    # What happened on the connection.

    def _take(self, events: list[Event], now: float) -> None:
        self._gathers = len(events) > 1
        for event in events:
            if type(event) is Message:  # As nearly all are.
                if (call := self._calls.get(event.stream)) is not None:
                    call.received(event.body)
                continue
            call = None if isinstance(event, Opened | Broken | PeerLeaves) else self._calls.get(event.stream)
            match event:
                case Opened():
                    self._open(event, now)
                case Broken():
                    self._shared.refused(event.reason)
                    self._leave()
                case Closed():
                    self._closed(event, call)
                case _ if call is not None:
                    self._tell(call, event)
                case _:
                    pass
        self._gathers = False
        self.flush()
        self._settle()

    def _tell(self, call: Call, event: Event) -> None:
        match event:
            case HalfClosed():
                call.half_closed()
            case Writable():
                call.written()
                self._offer_again()
            case Refused():
                self._refuse(call, event)
            case _:
                pass

    def _closed(self, event: Closed, call: Call | None) -> None:
        if event.ours:
            self._shared.refused(event.reason)
        if call is not None:
            call.closed(CLIENT)

    def _refuse(self, call: Call, event: Refused) -> None:
        if event.limit:
            what = f"LB507: a message of {event.size} bytes; the limit is {event.limit}"
            self._shared.refused("message_bytes")
            call.reap(Status(StatusCode.RESOURCE_EXHAUSTED, what), TOO_LARGE)
        elif event.cut:
            self._shared.refused("unfinished")
            call.reap(CUT, CLIENT)
        else:
            self._shared.refused("compressed")
            stream = self.connection.streams.get(event.stream)
            is_odd = stream is None or stream.encoding == IDENTITY
            call.reap(ODD_FLAG if is_odd else COMPRESSED, TOO_LARGE)

    def _open(self, event: Opened, now: float) -> None:
        asked = self._shared.requests(event.fields)
        if not asked.is_grpc:
            self._open_plain(event.stream, now)
            return
        if asked.method is None:
            self._end(event.stream, Status(StatusCode.UNIMPLEMENTED, "no such method"))
            return
        refusal = self._shared.admit()
        if refusal is not None:
            pushback = (b"grpc-retry-pushback-ms", self._shared.pushback().encode())
            self._end(event.stream, refusal, extra=(pushback,))
        elif asked.fault:
            self._end(event.stream, Status(StatusCode.INVALID_ARGUMENT, asked.fault))
        else:
            self._begin(event.stream, asked, asked.method, now=now)

    def _open_plain(self, stream: int, now: float) -> None:
        """Hear out a request that is no gRPC; of many at once all but a few are answered before their end."""
        waiting = sum(isinstance(call, PlainCall) for call in self._calls.values())
        plain = self._calls[stream] = PlainCall(stream, link=self, deadline=now + self._shared.times.message)
        if waiting >= PLAIN_REQUESTS:
            plain.half_closed()

    def _begin(self, stream: int, asked: Asked, method: Method, *, now: float) -> None:
        deadline = None if asked.timeout is None else now + asked.timeout
        self.connection.sending.begin(stream, RESPONSE_HEADERS)
        if method.stream is None:
            unary = UnaryCall(stream, method, link=self, peer=self._peer, metadata=asked.metadata)
            self._keep(unary, deadline=deadline, now=now)
            return
        call = StreamCall(stream, method.path, handler=method.stream(), link=self)
        self._keep(call, deadline=deadline, now=now)
        call.opened(self._peer, asked.metadata)

    def _keep(self, call: StreamCall | UnaryCall, *, deadline: float | None, now: float) -> None:
        call.deadline = deadline
        if deadline is not None and deadline - now <= PRECISE_SECONDS:
            self._timers = self._timers or {}
            self._timers[call.id] = self._shared.call_later(deadline - now, partial(call.reap, LATE, CLIENT))
        self._calls[call.id] = call
        self._shared.begun(call)

    def _end(self, stream: int, status: Status, *, extra: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.connection.sending.finish(stream, status_block(status, began=False, extra=extra))

    # Time.

    def look(self, now: float) -> None:
        """Judge deadlines; called for each connection every few seconds."""
        for call in [each for each in self._calls.values() if each.deadline is not None and each.deadline <= now]:
            call.reap(LATE, CLIENT)
        self._cut_lingering(now)
        reason = self._overdue(now)
        if self._closing_at is not None:
            if now - self._closing_at > CLOSE_SECONDS:
                self._abort()
        elif reason:
            self._shared.refused(reason)
            self.connection.break_off(OVERDUE.get(reason, Code.NO_ERROR), reason)
            self._leave()
        elif self._leaving and not self.connection.streams:
            self._leave()
        elif now - self._read_at > self._shared.times.keepalive and self._pinged_at is None and not self.blocked:
            self._pinged_at = now
            self.connection.ping(PING_DATA)
        self.flush()

    def excuse(self, seconds: float) -> None:
        """Give the peer the time in which this process did not listen (stopped, or busy with others)."""
        self._opened_at += seconds
        self._read_at += seconds
        if self._pinged_at is not None:
            self._pinged_at += seconds

    def _cut_lingering(self, now: float) -> None:
        """Reset streams that have ended but for bytes that their peer leaves no window for."""
        lingering = [each for each in self.connection.streams if each not in self._calls]
        before, self._lingering = self._lingering or {}, None
        for stream in lingering:
            since = before.get(stream, now)
            if now - since > self._shared.times.stall:
                self._shared.refused("stalled")
                self.connection.reset(stream, Code.CANCEL)
            else:
                self._lingering = self._lingering or {}
                self._lingering[stream] = since

    def _overdue(self, now: float) -> str:
        """Return why the connection is to be ended, empty for no reason."""
        times = self._shared.times
        if self.blocked and now - self._blocked_at > times.stall:
            self._abort()
            return "stalled"
        if not self.connection.established and now - self._opened_at > times.preface:
            return "preface"
        if not self.connection.streams and now - max(self._used_at, self._opened_at) > times.idle:
            return "idle"
        if self._pinged_at is not None and not self.blocked and now - self._pinged_at > times.keepalive_answer:
            return "keepalive"
        return self._late_input(now)

    def _late_input(self, now: float) -> str:
        while (stream := self.connection.expired(now, message_seconds=self._shared.times.message)) is not None:
            if stream == 0:
                return "header_block"
            self._shared.refused("message_seconds")
            call = self._calls.get(stream)
            if call is not None:
                call.reap(OVERTIME, ENDED)
            self.connection.reset(stream, Code.CANCEL)  # Where a message of ours is still under way.
        return ""

    def leave(self) -> None:
        """Say that no further calls are taken here."""
        self._leaving = True
        self.connection.leave()
        self.flush()

    def close_when_done(self) -> None:
        """Close once every call has ended and its last bytes have left."""
        self._ending = True
        self._settle()

    def _settle(self) -> None:
        if self._ending and not self.connection.streams and self._closing_at is None:
            self._leave()

    def close(self) -> None:
        """Write what is left, then close."""
        self._leave()

    def expel(self, words: str) -> None:
        """End every call, then close: who is there is believed no longer."""
        for call in list(self._calls.values()):
            call.reap(Status(StatusCode.UNAUTHENTICATED, words), UNTRUSTED)
        self.leave()
        self._leave()

    def _leave(self) -> None:
        self.flush()
        if self._transport is not None:
            self._closing_at = self._closing_at or self._shared.now()
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _peer(name: object, identity: Identity) -> Peer:
    """Return the peer of a socket: an IPv4 or IPv6 address with port, or a Unix socket."""
    if isinstance(name, tuple):
        host = host_of(name)
        return Peer(f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}", identity)
    return Peer("unix:", identity)
