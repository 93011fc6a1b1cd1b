"""One stream of grpc.aio as the outlet of a stream handler.

The handler's coroutine only waits for the end; reads and writes are stepped (``transport/stepping.py``), one of each at
a time. So a stream costs what grpc.aio makes of it, without a task or timer of ours, and the server can end it while a
read is under way without cancelling anything (a cancelled read leaks in grpc.aio).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Status, StatusCode, StreamHandler
from lbcontrol.transport.calls import Context, metadata_of, peer_of, set_status, too_large
from lbcontrol.transport.reasons import CLIENT, ENDED, FAILED, SLOW, TOO_LARGE
from lbcontrol.transport.stepping import Stepped
from lbcontrol.transport.supervised import INTERNAL, attempt


class Owner(Protocol):
    """The server a stream belongs to."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def ended(self, stream: GrpcStream, reason: str) -> None:
        """The stream is over; called once."""
        ...

    def refused(self, reason: str) -> None:
        """A limit refused something of the client's."""
        ...

    def caught(self, error: Exception) -> None:
        """A handler raised."""
        ...


class GrpcStream:
    """The outlet of one stream, and what moves its messages."""

    __slots__ = (
        "_context",
        "_end",
        "_ending",
        "_handler",
        "_max_bytes",
        "_owner",
        "_paused",
        "_reading",
        "_reason",
        "expires_at",
        "path",
        "writing_since",
    )

    def __init__(self, path: str, handler: StreamHandler, *, context: Context, owner: Owner, max_bytes: int) -> None:
        """Bind ``handler`` to a call that has begun; ``run`` serves it."""
        self.path = path
        self.expires_at = 0.0
        """Monotonic seconds; set by the server."""
        self.writing_since: float | None = None
        """When the message under way was offered; None while there is none."""
        self._handler = handler
        self._context = context
        self._owner = owner
        self._max_bytes = max_bytes
        self._paused = self._reading = False
        self._ending: Status | None = None
        self._reason = ENDED
        self._end: asyncio.Future[Status] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the stream to its end."""
        context = self._context
        peer, metadata = peer_of(context), metadata_of(context.invocation_metadata())
        if not attempt(self._owner.caught, self._handler.opened, peer, metadata, self):
            self._fail()
        self._read()
        try:
            status = await self._end
        except asyncio.CancelledError:
            self._close(CLIENT)
            raise
        self._close(self._reason)
        set_status(context, status)

    def offer(self, payload: Payload) -> bool:
        """Send ``payload`` unless a message is under way or the stream is ending."""
        if self.writing_since is not None or self._ending is not None:
            return False
        self.writing_since = self._owner.now()
        Stepped(self._context.write(payload.message), self._written, failed=self._call_over)
        return True

    def end(self, status: Status) -> None:
        """End the stream when the message under way, if any, is written."""
        self._finish(status, ENDED)

    def reap(self, status: Status, reason: str) -> None:
        """End the stream for the server's sake; a ``SLOW`` one without waiting for the message under way.

        grpc.aio cannot cancel a call from the server: until the client reads or its connection ends, core keeps that
        one message. All that the front end keeps of the stream is let go at once.
        """
        if reason == SLOW:
            self.writing_since = None
        self._finish(status, reason)

    def pause_reading(self) -> None:
        """Take no message after the one that is being read."""
        self._paused = True

    def resume_reading(self) -> None:
        """Read on."""
        self._paused = False
        self._read()

    def _finish(self, status: Status, reason: str) -> None:
        if self._ending is not None:
            return
        self._ending, self._reason = status, reason
        self._settle()

    def _settle(self) -> None:
        if self._ending is not None and self.writing_since is None and not self._end.done():
            self._end.set_result(self._ending)

    def _fail(self) -> None:
        self._finish(INTERNAL, FAILED)

    def _read(self) -> None:
        if self._reading or self._paused or self._ending is not None or self._end.done():
            return
        self._reading = True
        Stepped(self._context.read(), self._received, failed=self._call_over)

    def _call_over(self) -> None:
        """The call is over: grpc.aio cancels the coroutine of ``run`` or has let it return."""

    def _received(self, message: object) -> None:
        self._reading = False
        if self._ending is not None or self._end.done():
            return
        if not isinstance(message, bytes):  # grpc.aio.EOF
            self._reading = True  # For good: there is nothing more to read.
            if not attempt(self._owner.caught, self._handler.half_closed):
                self._fail()
            return
        if len(message) > self._max_bytes:
            self._owner.refused("message_bytes")
            self._finish(too_large(len(message), self._max_bytes), TOO_LARGE)
            return
        if not attempt(self._owner.caught, self._handler.received, message):
            self._fail()
        self._read()

    def _written(self, _: None) -> None:
        self.writing_since = None
        if self._ending is not None:
            self._settle()
        elif not self._end.done() and not attempt(self._owner.caught, self._handler.writable):
            self._fail()

    def _close(self, reason: str) -> None:
        self._ending = self._ending or Status(StatusCode.CANCELLED)
        attempt(self._owner.caught, self._handler.closed, reason)
        self._owner.ended(self, reason)
