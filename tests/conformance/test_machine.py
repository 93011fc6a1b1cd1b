"""The wire without sockets keeps the promises that an outlet gives a stream handler."""

from __future__ import annotations

import asyncio

import pytest

from lbcontrol.model.clients import Peer
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Metadata, Outlet, Status, StatusCode
from tests.conformance.machine import MachineWire
from tests.conformance.wire import StreamEndedError


class Echo:
    """A stream handler that answers each request with itself; ``end`` ends the stream, ``pause`` stops reading."""

    def __init__(self) -> None:
        """Nothing waits yet."""
        self.outlet: Outlet
        self.waiting: list[bytes] = []
        self.reasons: list[str] = []

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Keep the outlet."""
        self.outlet = outlet

    def received(self, message: bytes) -> None:
        """Answer, or do what the message says."""
        if message == b"end":
            self.outlet.end(Status(StatusCode.INVALID_ARGUMENT, "as asked"))
        elif message == b"pause":
            self.outlet.pause_reading()
        else:
            self.waiting.append(message)
            self.writable()

    def half_closed(self) -> None:
        """Unused."""

    def writable(self) -> None:
        """Send the oldest answer that waits, as long as the outlet takes it."""
        while self.waiting and self.outlet.offer(Payload(self.waiting[0])):
            self.waiting.pop(0)

    def closed(self, reason: str) -> None:
        """Note why."""
        self.reasons.append(reason)


def test_machine_wire_hands_over_one_payload_at_a_time_in_order() -> None:
    """Three answers at once leave one under way and two with the handler, and arrive in order."""

    async def run() -> None:
        handler = Echo()
        wire = MachineWire(handler)
        for message in (b"1", b"2", b"3"):
            await wire.send(message)
        assert handler.waiting == [b"2", b"3"]
        assert [await wire.receive() for _ in range(3)] == [b"1", b"2", b"3"]

    asyncio.run(run())


def test_machine_wire_shows_status_after_what_was_sent() -> None:
    """The end comes after the last answer, with its code, and the handler is closed once."""

    async def run() -> None:
        handler = Echo()
        wire = MachineWire(handler)
        await wire.send(b"1")
        await wire.send(b"end")
        assert await wire.receive() == b"1"
        with pytest.raises(StreamEndedError, match="INVALID_ARGUMENT: as asked"):
            await wire.receive()
        await wire.close()
        assert handler.reasons == ["ended"]

    asyncio.run(run())


def test_machine_wire_keeps_requests_back_while_paused() -> None:
    """What is sent during a pause reaches the handler on resuming."""

    async def run() -> None:
        handler = Echo()
        wire = MachineWire(handler)
        await wire.send(b"pause")
        await wire.send(b"1")
        assert handler.waiting == []
        wire.resume_reading()
        assert await wire.receive() == b"1"

    asyncio.run(run())
