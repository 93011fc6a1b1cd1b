"""Our own HTTP/2 over real sockets: limits of time and number, keepalive both ways, ends in good order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from lbcontrol.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    Code,
    Kind,
    Setting,
    frame,
    long_of,
    settings_frame,
)
from lbcontrol.http2.grpc import prefixed
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.collector import collector_paused
from lbcontrol.transport.http2.link import Http2Link
from lbcontrol.transport.http2.sockets import SocketTransport
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits
from tests.contract.serving import Served, chosen, dialled, served, stream
from tests.support.h2raw import STREAM, Raw, raw

BIG = b"x" * 1_000_000
PING = b"12345678"


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


async def _open(peer: Raw) -> None:
    """Open a stream that has had its first answer."""
    await peer.hello()
    await peer.send(peer.opening())
    await peer.say(b"one")
    await peer.wait_for(Kind.DATA)


def _refused(plane: Served, reason: str) -> float | None:
    return plane.sample("rejected_total", layer="transport", reason=reason)


async def test_silence_costs_the_connection() -> None:
    """Whoever says nothing is told nothing but why it is ended."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        ending = asyncio.ensure_future(peer.end())
        while not ending.done():
            await _pass(clock, 1)
        assert await ending == (Code.SETTINGS_TIMEOUT, "preface")


@pytest.mark.parametrize("said", [PREFACE[:10], PREFACE], ids=["half", "no settings"])
async def test_unfinished_preface_costs_the_connection(said: bytes) -> None:
    """Ten seconds for preface and SETTINGS, looked at every five; a slow hand buys no more."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.send(said)
        await peer.wait_for(Kind.SETTINGS)
        await _pass(clock, 9)
        assert _refused(plane, "preface") == 0.0
        await _pass(clock, 7)
        assert await peer.end() == (Code.SETTINGS_TIMEOUT, "preface")
        assert _refused(plane, "preface") == 1.0


async def test_time_in_which_we_did_not_listen_is_no_fault_of_the_peer() -> None:
    """A process that stood still for 20 s has not read what came meanwhile: nobody is judged by that time."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.send(PREFACE)
        await peer.wait_for(Kind.SETTINGS)
        clock._now += 20.0
        await _pass(clock, 8)
        assert _refused(plane, "preface") == 0.0
        await _pass(clock, 8)
        assert await peer.end() == (Code.SETTINGS_TIMEOUT, "preface")


async def test_idle_connection_is_asked_and_then_ended_in_peace() -> None:
    """Without a stream a connection lives for a minute, as long as its PINGs are answered."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await peer.hello()
        await peer.wait_for(Kind.SETTINGS, flags=ACK)
        await _pass(clock, 36)
        asked = await peer.wait_for(Kind.PING)
        await peer.send(frame(Kind.PING, ACK, payload=asked))
        await asyncio.sleep(0.01)
        await _pass(clock, 32)
        assert await peer.end() == (Code.NO_ERROR, "idle")


async def test_peer_that_does_not_answer_pings_is_gone() -> None:
    """After 30 s of silence we ask; 10 s later its streams are closed, whatever the socket says."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await _open(peer)
        await _pass(clock, 50)
        assert await peer.end() == (Code.NO_ERROR, "keepalive")
        await plane.handlers[0].over.wait()
        assert plane.handlers[0].closings == ["client"]


async def test_pings_of_the_client_are_answered_until_they_are_too_many() -> None:
    """One a second is too often for ever, yet never too often while we send."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await _open(peer)
        for _ in range(30):
            await peer.send(frame(Kind.PING, 0, payload=PING))
            assert await peer.wait_for(Kind.PING, flags=ACK) == PING
            plane.handlers[0].send(b"more")
            await peer.wait_for(Kind.DATA)
        await peer.send(frame(Kind.PING, 0, payload=PING) * 12)
        assert await peer.end() == (Code.ENHANCE_YOUR_CALM, "too_many_pings")


async def test_reader_that_never_reads_is_cut_after_a_minute() -> None:
    """What waits for it is one message; its handler is closed, its connection reset."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target, receive_bytes=4_096) as peer:
        await _open(peer)
        handler = plane.handlers[0]
        while not handler.refused:
            handler.send(BIG)
            await asyncio.sleep(0.001)
        await _pass(clock, 59)
        assert handler.closings == []
        await _pass(clock, 8)
        await asyncio.wait_for(handler.over.wait(), 2.0)
        assert _refused(plane, "stalled") == 1.0


async def test_message_that_dribbles_ends_its_call_with_words() -> None:
    """Each of several streams is judged at the same look; the connection goes on."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await _open(peer)
        for stream in (3, 5):
            await peer.send(peer.opening(stream) + frame(Kind.DATA, 0, stream=stream, payload=b"\0\0"))
        await peer.say(b"two")
        await peer.wait_for(Kind.DATA)
        await _pass(clock, 16)
        assert _refused(plane, "message_seconds") == 2.0
        assert [each.closings for each in plane.handlers] == [[], ["ended"], ["ended"]]
        await peer.say(b"three")
        await peer.wait_for(Kind.DATA)


async def test_messages_under_way_are_bounded_over_all_streams() -> None:
    """Beyond the bound a stream keeps its newest until there is room, and then that is what the client gets."""
    async with served(limits=StreamLimits(unsent=10_000)) as plane, raw(plane.target) as peer:
        await peer.send(PREFACE + settings_frame({Setting.INITIAL_WINDOW_SIZE: 0}))
        for stream in (1, 3, 5):
            await peer.send(peer.opening(stream))
        await peer.send(frame(Kind.PING, 0, payload=PING))
        await peer.wait_for(Kind.PING, flags=ACK)
        one, two, three = plane.handlers
        for handler in (one, two, three):
            handler.send(BIG[:9_000])
        three.send(b"newest")
        assert [each.refused for each in (one, two, three)] == [0, 0, 2]
        await peer.send(settings_frame({Setting.INITIAL_WINDOW_SIZE: 65_535}))
        got = [await peer.wait_for(Kind.DATA) for _ in range(3)]
        assert [len(each) for each in got] == [9_005, 9_005, 5 + len(b"newest")]


async def test_nothing_is_taken_while_memory_is_short() -> None:
    """A stream on an open connection is told so, a new connection is closed; both count as shed."""
    short = [False]
    async with served(limits=StreamLimits(is_short=lambda: short[0])) as plane, raw(plane.target) as peer:
        await _open(peer)
        short[0] = True
        await peer.send(peer.opening(3))
        assert b"LB509" in await peer.wait_for(Kind.HEADERS, flags=END_STREAM)
        async with raw(plane.target) as other:
            assert await other.end() is None
        assert plane.sample("streams_shed_total", reason="memory") == 2.0
        await peer.say(b"two")
        await peer.wait_for(Kind.DATA)


async def test_connections_are_counted_in_all_and_by_address() -> None:
    """One too many is closed at once; a seat that is given back can be taken again."""
    limits = StreamLimits(connections=3, connections_per_address=2)
    async with served(limits=limits) as plane:
        async with raw(plane.target) as one, raw(plane.target) as two:
            await _open(one)
            await _open(two)
            async with raw(plane.target) as three:
                assert await three.end() is None
        assert _refused(plane, "connections_per_address") == 1.0
        await asyncio.gather(*(each.over.wait() for each in plane.handlers))
        async with raw(plane.target) as again:
            await _open(again)


async def test_connections_over_the_limit_are_closed_whoever_they_are(tmp_path: Path) -> None:
    """A Unix socket has no address, and a place among all connections."""
    limits = StreamLimits(connections=2, connections_per_address=1)
    async with served(Listen(path=tmp_path / "s"), limits=limits) as plane:
        async with raw(plane.target) as one, raw(plane.target) as two, raw(plane.target) as three:
            await _open(one)
            await _open(two)
            assert await three.end() is None
        assert _refused(plane, "connections") == 1.0
        assert plane.handlers[0].peer.address == "unix:"


async def test_both_families_reach_the_unspecified_address() -> None:
    """[::] takes IPv4 as well, and such a peer is written as IPv4."""
    async with served(Listen("::", 0)) as plane:
        for host in ("127.0.0.1", "[::1]"):
            async with raw(f"{host}:{plane.server.listen.port}") as peer:
                await _open(peer)
        assert [each.peer.address.rpartition(":")[0] for each in plane.handlers] == ["127.0.0.1", "[::1]"]


PLAIN = ((":method", "POST"), (":scheme", "http"), (":path", STREAM), ("content-type", "text/plain"))
"""A request that is not gRPC."""


async def _plain(peer: Raw) -> None:
    """Begin a request that is no gRPC, and show that nothing answers it yet."""
    await peer.hello()
    await peer.send(frame(Kind.HEADERS, END_HEADERS, stream=1, payload=peer.encoder.encode(list(PLAIN))))
    await peer.send(frame(Kind.PING, 0, payload=PING))
    await peer.wait_for(Kind.PING, flags=ACK)
    assert not [kind for kind, _, on, _ in peer.frames if on == 1]


async def _status(peer: Raw) -> bytes:
    fields = peer.decoder.decode(await peer.wait_for(Kind.HEADERS), raw=True)
    return {field[0]: field[1] for field in fields}[b":status"]


@pytest.mark.parametrize("last", [(END_STREAM, b"hello"), (0, b"hello, world"), (0, b"\0\0\0\0\0")])
async def test_request_that_is_no_grpc_is_told_so_at_its_end_or_when_it_is_too_much(last: tuple[int, bytes]) -> None:
    """415 once the client has said all; what it says is not kept, and a body is not listened to for long."""
    async with served() as plane, raw(plane.target) as peer:
        await _plain(peer)
        await peer.send(frame(Kind.DATA, last[0], stream=1, payload=last[1]))
        assert await _status(peer) == b"415"
        assert b"this port speaks gRPC" in await peer.wait_for(Kind.DATA)
        await peer.wait_for(Kind.HEADERS, flags=END_STREAM)
        await peer.send(frame(Kind.DATA, 0, stream=1, payload=b"late") if not last[0] else b"")
        await peer.send(peer.opening(3))
        await peer.say(b"one", 3)
        assert await peer.wait_for(Kind.DATA) == prefixed(b"one")


async def test_many_requests_that_are_no_grpc_are_not_all_heard_out() -> None:
    """Four of a connection may take their time; the fifth is answered at once, and none takes the place of a call."""
    async with served(limits=StreamLimits(streams=1)) as plane, raw(plane.target) as peer:
        await _plain(peer)
        block = [
            frame(Kind.HEADERS, END_HEADERS, stream=n, payload=peer.encoder.encode(list(PLAIN))) for n in (3, 5, 7)
        ]
        await peer.send(b"".join(block) + frame(Kind.PING, 0, payload=PING))
        await peer.wait_for(Kind.PING, flags=ACK)
        assert not [kind for kind, _, on, _ in peer.frames if on]
        await peer.send(frame(Kind.HEADERS, END_HEADERS, stream=9, payload=peer.encoder.encode(list(PLAIN))))
        assert await _status(peer) == b"415"
        await peer.send(peer.opening(11))
        await peer.say(b"one", 11)
        await peer.wait_for(Kind.DATA)
        assert await peer.wait_for(Kind.DATA) == prefixed(b"one")


async def test_request_that_is_no_grpc_and_does_not_end_is_answered_by_time() -> None:
    """Ten seconds, looked at every five."""
    clock = FakeClock()
    async with served(clock=clock) as plane, raw(plane.target) as peer:
        await _plain(peer)
        await _pass(clock, 16)
        assert await _status(peer) == b"415"
        await peer.wait_for(Kind.RST_STREAM)


async def test_stop_says_goaway_first_and_ends_streams_with_their_status() -> None:
    """A stream that is opened after GOAWAY is refused as one that was never looked at."""
    async with served() as plane, raw(plane.target) as peer:
        await _open(peer)
        stopping = asyncio.create_task(plane.server.stop(0.3))
        assert long_of(await peer.wait_for(Kind.GOAWAY)) == 1
        await peer.send(peer.opening(3))
        assert long_of(await peer.wait_for(Kind.RST_STREAM)) in {Code.REFUSED_STREAM, Code.NO_ERROR}
        await stopping
        await peer.end()
        assert plane.handlers[0].closings == ["shutdown"]
        assert len(plane.handlers) == 1


async def test_connection_of_an_old_stream_is_left() -> None:
    """GOAWAY follows the end of an old stream, so that the client's next connection may reach another replica."""
    clock = FakeClock()
    limits = StreamLimits(max_age=20.0, age_jitter=0.0)
    async with served(clock=clock, limits=limits) as plane, raw(plane.target) as peer:
        await _open(peer)
        await _pass(clock, 28)
        code, words = await peer.end() or (None, None)
        assert (code, words) == (Code.NO_ERROR, "")
        assert plane.handlers[0].closings == ["max_age"]


async def test_stock_client_returns_by_itself_when_its_connection_is_left() -> None:
    """grpc.aio opens a new connection after GOAWAY, on the same channel."""
    clock = FakeClock()
    async with served(clock=clock, limits=StreamLimits(max_age=20.0)) as plane, dialled(plane.target) as channel:
        for _ in range(2):
            call = stream(channel)
            await call.write(b"one")
            assert await call.read() == b"one"
            await _pass(clock, 26)
            with pytest.raises(grpc.aio.AioRpcError):
                await call.read()
        ports = {each.peer.address for each in plane.handlers}
        assert len(ports) == 2


def _of(*kinds: type) -> int:
    """Return how many such objects there are."""
    return sum(isinstance(each, kinds) for each in gc.get_objects())


async def test_closed_connection_does_not_wait_for_the_collector() -> None:
    """Neither the connection nor its socket is in a cycle: thousands come and go between two full collections."""
    with collector_paused():
        async with served() as plane:
            before = _of(Http2Link, SocketTransport)
            async with raw(plane.target) as peer:
                await _open(peer)
                assert _of(Http2Link, SocketTransport) == before + 2
            await plane.handlers.pop().over.wait()
            for _ in range(3):
                await asyncio.sleep(0)  # The loop lets go of its own after it has told us.
            assert _of(Http2Link, SocketTransport) == before
