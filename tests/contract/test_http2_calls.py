"""Calls on our own HTTP/2 over real sockets as the gRPC protocol has them: deadlines, compression, ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hpack import Decoder

from lbcontrol.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    Code,
    Kind,
    Setting,
    frame,
    long_frame,
    long_of,
    settings_frame,
)
from lbcontrol.http2.grpc import prefixed
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.ports import StatusCode
from tests.contract.serving import UNARY, chosen, served
from tests.support.h2raw import Raw, raw, request

BIG = b"x" * 1_000_000


@pytest.fixture(autouse=True)
def on_http2() -> Iterator[None]:
    """Everything here runs on our own transport."""
    token = chosen.set("http2")
    yield
    chosen.reset(token)


async def _pass(clock: FakeClock, seconds: int) -> None:
    """Let virtual time pass, with turns for what it sets going."""
    for _ in range(seconds):
        clock.advance(1.0)
        await asyncio.sleep(0.001)


def opening(peer: Raw, *more: tuple[str, str], path: str = "/test.Echo/Stream", stream: int = 1) -> bytes:
    """Return HEADERS with further fields."""
    block = peer.encoder.encode([*request(path), *more])
    return frame(Kind.HEADERS, END_HEADERS, stream=stream, payload=block)


def fields_of(block: bytes) -> dict[str, str]:
    """Read a header block: each of ours stands for itself."""
    return {name.decode(): value.decode() for name, value in Decoder().decode(block, raw=True)}


async def status(peer: Raw) -> int:
    """Wait for the header block that ends a stream; return its grpc-status."""
    return int(fields_of(await peer.wait_for(Kind.HEADERS, flags=END_STREAM))["grpc-status"])


async def test_near_deadline_is_kept_to_the_moment() -> None:
    """The server ends a call of 300 ms itself, however seldom its connection is looked at."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, ("grpc-timeout", "300m")))
        await peer.say(b"one")
        await peer.wait_for(Kind.DATA)
        clock.advance(0.29)
        await peer.say(b"two")
        await peer.wait_for(Kind.DATA)
        clock.advance(0.02)
        assert await status(peer) == StatusCode.DEADLINE_EXCEEDED
        assert plane.handlers[0].closings == ["client"]


async def test_far_deadline_is_kept_as_well() -> None:
    """Within five seconds, by the timer that all connections share."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, ("grpc-timeout", "70S")))
        await peer.say(b"one")
        await peer.wait_for(Kind.DATA)
        for _ in range(4):
            await _pass(clock, 19)
            await peer.say(b"still here")
        assert await status(peer) == StatusCode.DEADLINE_EXCEEDED


async def test_call_that_ends_before_its_deadline_leaves_no_timer() -> None:
    """Nothing is heard of a deadline once its call is over."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, ("grpc-timeout", "1S"), path=UNARY))
        await peer.send(frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"at ")))
        assert await status(peer) == StatusCode.OK
        clock.advance(2.0)
        await peer.send(opening(peer, stream=3))
        await peer.say(b"end", 3)
        assert await status(peer) == StatusCode.NOT_FOUND


@pytest.mark.parametrize("text", ["1", "S", "123456789S", "1x", "-1S", "1 S"])
async def test_malformed_timeout_is_refused(text: str) -> None:
    """A deadline that cannot be read is not taken for none."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, ("grpc-timeout", text)))
        assert await status(peer) == StatusCode.INVALID_ARGUMENT
        assert plane.handlers == []


@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ((("grpc-encoding", "gzip"),), StatusCode.UNIMPLEMENTED),
        ((("grpc-encoding", "identity"),), StatusCode.INTERNAL),
        ((), StatusCode.INTERNAL),
    ],
    ids=["gzip", "identity", "none"],
)
async def test_compressed_message_is_refused_by_the_letter(
    encoding: Sequence[tuple[str, str]], code: StatusCode
) -> None:
    """UNIMPLEMENTED with what is taken, or INTERNAL where no encoding was named (grpc/doc/compression.md)."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, *encoding))
        await peer.send(frame(Kind.DATA, 0, stream=1, payload=b"\1\0\0\0\1x"))
        fields = fields_of(await peer.wait_for(Kind.HEADERS, flags=END_STREAM))
        assert (int(fields["grpc-status"]), fields["grpc-accept-encoding"]) == (code, "identity")


async def test_plain_message_of_a_call_that_could_compress_is_taken() -> None:
    """Naming an encoding is no offence: each message says whether it is compressed."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.send(opening(peer, ("grpc-encoding", "gzip")))
        await peer.say(b"plain")
        assert await peer.wait_for(Kind.DATA) == prefixed(b"plain")


async def test_call_that_ends_within_a_message_fails() -> None:
    """Both kinds of call say so, instead of serving half a request."""
    async with served() as plane, raw(plane.target) as peer:
        await peer.hello()
        for stream, path in ((1, UNARY), (3, "/test.Echo/Stream")):
            await peer.send(opening(peer, path=path, stream=stream))
            await peer.send(frame(Kind.DATA, END_STREAM, stream=stream, payload=prefixed(b"half")[:-1]))
            assert await status(peer) == StatusCode.INTERNAL
        assert plane.sample("rejected_total", layer="transport", reason="unfinished") == 2.0


async def _hello_without_windows(peer: Raw) -> None:
    await peer.send(PREFACE + settings_frame({Setting.INITIAL_WINDOW_SIZE: 0}))
    await peer.wait_for(Kind.SETTINGS)


async def test_last_bytes_that_nobody_takes_are_given_up_after_a_minute() -> None:
    """A call that has ended but for its message does not hold its stream, and its bytes, for good."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await _hello_without_windows(peer)
        await peer.send(opening(peer, path=UNARY))
        await peer.send(frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"at ")))
        await peer.wait_for(Kind.HEADERS)
        for _ in range(3):
            await _pass(clock, 20)
            await peer.send(frame(Kind.PING, ACK, payload=bytes(8)))
        await _pass(clock, 10)
        assert long_of(await peer.wait_for(Kind.RST_STREAM)) == Code.CANCEL
        assert plane.sample("rejected_total", layer="transport", reason="stalled") == 1.0


async def test_stop_lets_an_answer_leave() -> None:
    """Within the grace period a unary call ends in peace, and its connection closes with it."""
    async with served() as plane, raw(plane.target) as peer:
        await _hello_without_windows(peer)
        await peer.send(opening(peer, path=UNARY))
        await peer.send(frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"at ")))
        await peer.wait_for(Kind.HEADERS)
        stopping = asyncio.create_task(plane.server.stop(20.0))
        await peer.wait_for(Kind.GOAWAY)
        await peer.send(long_frame(Kind.WINDOW_UPDATE, 1, value=1_000))
        assert await status(peer) == StatusCode.OK
        await asyncio.wait_for(stopping, 5.0)


async def test_second_stop_waits_for_no_answer() -> None:
    """Who is in a hurry leaves a stuck call behind."""
    async with served() as plane, raw(plane.target) as peer:
        await _hello_without_windows(peer)
        await peer.send(opening(peer, path=UNARY))
        await peer.send(frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"at ")))
        await peer.wait_for(Kind.HEADERS)
        stopping = asyncio.create_task(plane.server.stop(20.0))
        await peer.wait_for(Kind.GOAWAY)
        await plane.server.stop(0.0)
        await asyncio.wait_for(stopping, 5.0)


async def test_reader_that_is_slow_is_not_taken_for_dead() -> None:
    """While the socket takes nothing we do not read either: an answer to a PING that waits unread is no silence."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target, receive_bytes=4_096) as peer:
        await peer.hello()
        await peer.send(opening(peer))
        await peer.say(b"one")
        await peer.wait_for(Kind.DATA)
        handler = plane.handlers[0]
        while not handler.refused:
            handler.send(BIG)
            await asyncio.sleep(0.001)
        await _pass(clock, 55)
        peer.frames.clear()
        while handler.newest is not None:
            await peer.receive()
        await _pass(clock, 12)
        assert handler.closings == []
        assert plane.sample("rejected_total", layer="transport", reason="keepalive") == 0.0
