"""Streams without sockets: a front end's stream handler, driven straight through its outlet."""

from __future__ import annotations

import asyncio

from lbcontrol.model.clients import Peer
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Status, StatusCode, StreamHandler
from tests.conformance.wire import StreamEndedError

PEER = Peer("127.0.0.1:40000")


class MachineWire:
    """One stream of a state machine; it is also the outlet, and like a real one takes one payload at a time."""

    def __init__(self, handler: StreamHandler) -> None:
        """Open the stream on ``handler``."""
        self._handler = handler
        self._sent: list[bytes] = []
        self._status: Status | None = None
        self._busy = False
        self._paused = False
        self._requests: list[bytes] = []
        self._changed = asyncio.Event()
        handler.opened(PEER, {}, self)

    def offer(self, payload: Payload) -> bool:
        """Take one payload; refuse further ones until the next turn of the loop."""
        if self._busy or self._status is not None:
            return False
        self._sent.append(payload.message)
        self._busy = True
        self._changed.set()
        asyncio.get_running_loop().call_soon(self._writable)
        return True

    def _writable(self) -> None:
        self._busy = False
        if self._status is None:
            self._handler.writable()

    def end(self, status: Status) -> None:
        """Note the status; it shows once what was sent is read."""
        if self._status is None:
            self._status = status
            self._changed.set()
            self._handler.closed("ended")

    def pause_reading(self) -> None:
        """Keep requests back."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand over what was kept back."""
        self._paused = False
        while self._requests and not self._paused and self._status is None:
            self._handler.received(self._requests.pop(0))

    async def send(self, message: bytes) -> None:
        """Hand one request to the handler, in order; after the end it is dropped."""
        self._requests.append(message)
        if not self._paused:
            self.resume_reading()

    async def receive(self) -> bytes:
        """Wait for one response."""
        while not self._sent:
            if self._status is not None:
                raise StreamEndedError(StatusCode(self._status.code).name, self._status.message)
            self._changed.clear()
            await self._changed.wait()
        return self._sent.pop(0)

    async def close(self) -> None:
        """Break the stream off."""
        if self._status is None:
            self._status = Status(StatusCode.CANCELLED)
            self._handler.closed("cancelled")
