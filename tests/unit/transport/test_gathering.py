"""Answers to what came with one read leave with one write, unless they are many or long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hpack import Encoder

from lbcontrol.http2.frames import END_HEADERS, PREFACE, Kind, data_frames, frame, settings_frame
from lbcontrol.http2.grpc import prefixed
from lbcontrol.http2.limits import Limits
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Metadata, Method, Outlet
from lbcontrol.transport.binding import Offer
from lbcontrol.transport.http2.link import GATHERED, GATHERED_BYTES, Http2Link
from lbcontrol.transport.http2.seats import Seats
from lbcontrol.transport.http2.server import Shared

PATH = "/test.Echo/Echo"
FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", PATH), ("content-type", "application/grpc")]
HELLO = PREFACE + settings_frame({}) + frame(Kind.HEADERS, END_HEADERS, stream=1, payload=Encoder().encode(FIELDS))


class Echo:
    """A stream handler that sends each message back."""

    def opened(self, peer: object, metadata: Metadata, outlet: Outlet) -> None:
        """Keep the outlet."""
        del peer, metadata
        self._outlet = outlet

    def received(self, message: bytes) -> None:
        """Send it back."""
        assert self._outlet.offer(Payload(message))

    def half_closed(self) -> None:
        """Nothing follows."""

    def writable(self) -> None:
        """Nothing waits."""

    def closed(self, reason: str) -> None:
        """Nothing is kept."""


class Written(asyncio.Transport):
    """Keeps what is written, one entry for each write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.writes: list[bytes] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any."""

    def write(self, data: Any) -> None:
        """Keep it."""
        self.writes.append(bytes(data))


def answered(*messages: bytes) -> list[bytes]:
    """Return the writes in which a new connection is answered that sent all at once."""
    scheduler = LoopScheduler(asyncio.get_running_loop())
    offer = Offer([Method(PATH, stream=Echo)], scheduler, Metrics())
    seats = Seats(1, per_address=1)
    shared = Shared(offer.methods, offer.streams(), scheduler=scheduler, limits=Limits(), seats=seats)
    seats.take("")
    link, transport = Http2Link(shared, ""), Written()
    link.connection_made(transport)
    data = HELLO + b"".join(data_frames(1, prefixed(message)) for message in messages)
    shared.buffer[: len(data)] = data
    link.buffer_updated(len(data))
    link.connection_lost(None)
    shared.stop()
    return transport.writes


async def test_few_small_answers_leave_together() -> None:
    """SETTINGS, the stream's HEADERS and four answers are one write."""
    writes = answered(b"a", b"b", b"c", b"d")
    assert len(writes) == 1
    assert writes[0].endswith(b"".join(data_frames(1, prefixed(each)) for each in (b"a", b"b", b"c", b"d")))


async def test_many_answers_do_not_pile_up() -> None:
    """After so many pieces they are written, so that a full socket is noticed before more is made."""
    writes = answered(*[b"x"] * (3 * GATHERED))
    assert len(writes) == 3
    assert b"".join(writes).count(data_frames(1, prefixed(b"x"))) == 3 * GATHERED


@pytest.mark.parametrize(("size", "expected"), [(GATHERED_BYTES // 2, 1), (GATHERED_BYTES, 2)])
async def test_long_answer_is_not_copied_to_wait_for_others(size: int, expected: int) -> None:
    """It takes along what waited before it; what follows is a write of its own."""
    assert len(answered(b"a", b"x" * size, b"b")) == expected


async def test_order_stays() -> None:
    """Whatever leaves when, the bytes are those of one answer after the other."""
    sizes = (1, GATHERED_BYTES, 10, 20, GATHERED_BYTES + 1, 5)
    written = b"".join(answered(*[bytes([65 + at]) * size for at, size in enumerate(sizes)]))
    frames = b"".join(data_frames(1, prefixed(bytes([65 + at]) * size)) for at, size in enumerate(sizes))
    assert written.endswith(frames)
