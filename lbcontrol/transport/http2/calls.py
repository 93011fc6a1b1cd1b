"""The gRPC calls of one connection: streams as outlets of their handlers, unary calls as one task each."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.fields import encode
from lbcontrol.http2.frames import Code
from lbcontrol.http2.grpc import PREFIX_BYTES, prefixed, trailers, trailers_only
from lbcontrol.model.clients import Peer
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Metadata, Method, Status, StatusCode, StreamHandler, UnaryHandler
from lbcontrol.transport.http2.payloads import frames_of
from lbcontrol.transport.reasons import CLIENT, ENDED, FAILED, SLOW
from lbcontrol.transport.supervised import INTERNAL, answer, attempt, hand_over

LATE = Status(StatusCode.DEADLINE_EXCEEDED, "the call's deadline has passed")
NOT_GRPC = encode([(b":status", b"415"), (b"content-type", b"text/plain; charset=utf-8")])
NOT_GRPC_BODY = b"this port speaks gRPC: content-type application/grpc\n"
NO_TRAILERS = encode([(b"x-reason", b"not-grpc")])


class Link(Protocol):
    """The connection a call belongs to."""

    connection: Connection
    blocked: bool
    """True while the socket takes nothing more."""
    unsent: int
    """Bytes of messages that may be under way on the connection, besides the last."""

    def write(self, frames: bytes) -> None:
        """Write frames after what the connection has queued."""
        ...

    def flush(self) -> None:
        """Write what the connection has queued."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def over(self, call: Call, reason: str) -> None:
        """The call is over; called once."""
        ...

    def caught(self, error: Exception) -> None:
        """A front end's code raised; log and count it."""
        ...


def status_block(status: Status, *, began: bool, extra: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """Return the header block that ends a call with ``status``."""
    make = trailers if began else trailers_only
    return make(int(status.code), status.message, details=status.details, extra=extra)


class StreamCall:
    """One stream: the outlet of its handler. An ``OpenStream`` by its shape: as a subclass it had a dict, too."""

    __slots__ = (
        "_held",
        "_link",
        "_paused",
        "_wanted",
        "deadline",
        "expires_at",
        "handler",
        "id",
        "path",
        "writing_since",
    )

    def __init__(self, id: int, path: str, *, handler: StreamHandler, link: Link) -> None:  # noqa: A002  (field's term)
        """Bind a handler to an open stream."""
        self.id = id
        self.path = path
        self.handler: StreamHandler | None = handler
        """None once the call is over."""
        self.expires_at = 0.0
        self.deadline: float | None = None
        """Monotonic seconds at which the client gives up."""
        self.writing_since: float | None = None
        self._link = link
        self._paused = False
        self._wanted = False
        """True when an offer was refused, so that ``writable`` is owed."""
        self._held: deque[bytes | None] | None = None
        """Messages that came while paused, and None for the client's half close; made when needed."""

    def opened(self, peer: Peer, metadata: Metadata) -> None:
        """Tell the handler that its stream is there."""
        if self.handler is not None and not attempt(self._link.caught, self.handler.opened, peer, metadata, self):
            self._finish(INTERNAL, FAILED)

    def offer(self, payload: Payload) -> bool:
        """Send now what fits the windows, as frames that are shared; else keep this one message under way."""
        link = self._link
        if self.handler is None or self.writing_since is not None or link.blocked:
            self._wanted = True
            return False
        head = link.connection.sending.admit(self.id, payload.size + PREFIX_BYTES)
        if head is None:
            return self._send_parts(payload)
        frames = payload.frames.get(self.id) or frames_of(payload, self.id)
        link.write(head + frames if head else frames)
        return True

    def _send_parts(self, payload: Payload) -> bool:
        """Send what the windows let through, the rest is under way; False when too much is already."""
        link, sending = self._link, self._link.connection.sending
        if sending.unsent >= link.unsent:
            self._wanted = True
            return False
        if not sending.send(self.id, prefixed(payload.message)):
            self.writing_since = link.now()
        link.flush()
        return True

    def end(self, status: Status) -> None:
        """End the stream when the message under way, if any, has left."""
        self._finish(status, ENDED)

    def reap(self, status: Status, reason: str) -> None:
        """End the stream for the server's sake; a slow one is cut."""
        if reason == SLOW:
            self._link.connection.reset(self.id, Code.CANCEL)
            self._link.flush()
            self.closed(reason)
        else:
            self._finish(status, reason)

    def pause_reading(self) -> None:
        """Hand over no further message; the peer is stopped once its window is full."""
        self._paused = True
        self._link.connection.pause(self.id)

    def resume_reading(self) -> None:
        """Hand over what was held back, then read on."""
        self._paused = False
        while self._held and not self._paused:
            self._hand_over(self._held.popleft())
        if not self._paused:
            self._held = None
            self._link.connection.resume(self.id)
            self._link.flush()

    def received(self, message: bytes) -> None:
        """A message of the client's."""
        handler = self.handler
        if self._paused or handler is None:
            self._take(message)
        elif not hand_over(self._link.caught, handler.received, message=message):
            self._finish(INTERNAL, FAILED)

    def half_closed(self) -> None:
        """The client sends nothing more."""
        self._take(None)

    def _take(self, item: bytes | None) -> None:
        """Hand over, or hold while paused: bounded by the stream's window, which is not opened again meanwhile."""
        if self._paused:
            if self._held is None:
                self._held = deque()
            self._held.append(item)
        else:
            self._hand_over(item)

    def _hand_over(self, item: bytes | None) -> None:
        handler = self.handler
        if handler is None:
            return
        caught = self._link.caught
        done = attempt(caught, handler.half_closed) if item is None else attempt(caught, handler.received, item)
        if not done:
            self._finish(INTERNAL, FAILED)

    def written(self) -> None:
        """The message under way has left."""
        self.writing_since = None
        self.writable()

    def writable(self) -> None:
        """The next message can be taken, if one was refused or kept waiting."""
        self._wanted = False
        if self.handler is not None and not attempt(self._link.caught, self.handler.writable):
            self._finish(INTERNAL, FAILED)

    @property
    def is_owed(self) -> bool:
        """True when the handler waits for room that only the socket withholds."""
        return self._wanted and self.writing_since is None

    def closed(self, reason: str = CLIENT) -> None:
        """Let go of the handler, once."""
        handler, self.handler = self.handler, None
        if handler is not None:
            attempt(self._link.caught, handler.closed, reason)
            self._link.over(self, reason)

    def _finish(self, status: Status, reason: str) -> None:
        if self.handler is None:
            return
        stream = self._link.connection.streams.get(self.id)
        block = status_block(status, began=stream is not None and stream.began)
        self._link.connection.sending.finish(self.id, block)
        self._link.flush()
        self.closed(reason)


class UnaryCall:
    """One unary call: its request, then a task that answers it."""

    __slots__ = ("_link", "_metadata", "_method", "_peer", "_request", "_task", "deadline", "id", "path")

    def __init__(self, id: int, method: Method, *, link: Link, peer: Peer, metadata: Metadata) -> None:  # noqa: A002
        """Wait for the request."""
        self.id = id
        self.path = method.path
        self.deadline: float | None = None
        self._method = method
        self._link = link
        self._peer = peer
        self._metadata = metadata
        self._request: bytes | None = None
        self._task: asyncio.Task[None] | None = None

    def received(self, message: bytes) -> None:
        """The request; a second one is a client's mistake."""
        if self._request is not None:
            self.finish(Status(StatusCode.INTERNAL, "a unary call has one request"))
        else:
            self._request = message

    def half_closed(self) -> None:
        """The request is whole: answer it."""
        if self._request is None:
            self.finish(Status(StatusCode.INTERNAL, "a unary call needs a request"))
        elif self._method.unary is not None:
            self._task = asyncio.get_running_loop().create_task(self._answer(self._method.unary, self._request))

    async def _answer(self, handler: UnaryHandler, request: bytes) -> None:
        answered = await answer(
            handler, request=request, peer=self._peer, metadata=self._metadata, caught=self._link.caught
        )
        self._task = None
        if isinstance(answered, Status):
            self.finish(answered)
            return
        self._link.connection.sending.send(self.id, prefixed(answered))
        self.finish(Status(StatusCode.OK), began=True)

    def finish(self, status: Status, *, began: bool = False) -> None:
        """End the call."""
        self._link.connection.sending.finish(self.id, status_block(status, began=began))
        self._link.flush()
        self.closed(ENDED)

    def reap(self, status: Status, reason: str) -> None:
        """End the call for the server's sake."""
        del reason
        self.finish(status)

    def written(self) -> None:
        """The answer has left; its trailers follow by themselves."""

    def closed(self, reason: str = CLIENT) -> None:
        """Break off what is still being done."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._link.over(self, reason)


class PlainCall:
    """A request that is not gRPC: it is told so (HTTP 415) when it is whole, too long or too slow.

    Nothing of it is kept. An answer before its end would cut off what the peer is still saying (RFC 9113 section 8.1).
    """

    __slots__ = ("_link", "deadline", "id", "path")

    def __init__(self, id: int, *, link: Link, deadline: float) -> None:  # noqa: A002  (field's term)
        """Wait for the request's end, at most until ``deadline`` (monotonic seconds)."""
        self.id = id
        self.path = ""
        self.deadline: float | None = deadline
        self._link = link
        link.connection.sending.begin(id, NOT_GRPC)

    def received(self, message: bytes) -> None:
        """Part of its body was like a gRPC message: no need to read on."""
        del message
        self._answer()

    def half_closed(self) -> None:
        """The request is whole."""
        self._answer()

    def reap(self, status: Status, reason: str) -> None:
        """The request is too long or too slow."""
        del status, reason
        self._answer()

    def written(self) -> None:
        """The answer has left; its trailers follow by themselves."""

    def closed(self, reason: str = CLIENT) -> None:
        """Forget it."""
        self._link.over(self, reason)

    def _answer(self) -> None:
        sending = self._link.connection.sending
        sending.send(self.id, NOT_GRPC_BODY)
        sending.finish(self.id, NO_TRAILERS)
        self._link.flush()
        self.closed(ENDED)


Call = StreamCall | UnaryCall | PlainCall
"""What a stream of HTTP/2 is to us."""
