"""The stream-handler seam over loopback, judged by stock grpc.aio clients."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from lbcontrol.model.errors import AccessError
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.ports import StatusCode
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits
from tests.contract.serving import MOST, SERVES, Call, Echo, chosen, dialled, served, stream, unary

BIG = b"x" * 2_000_000
DETAILS = "grpc-status-details-bin"


@pytest.fixture(autouse=True, params=sorted(SERVES))
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test runs on every binding."""
    token = chosen.set(request.param)
    yield request.param
    chosen.reset(token)


async def _end(call: Call) -> grpc.aio.AioRpcError:
    """Read a stream to its end, which is an error."""
    try:
        while await call.read() != grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the stream ended in peace")


async def test_stream_echoes_in_order_and_tells_peer_and_metadata() -> None:
    """Messages come back one by one; the handler sees address, text and binary metadata."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        for word in (b"one", b"two", b""):
            await call.write(word)
            assert await call.read() == word
        handler = plane.handlers[0]
        assert handler.peer.host == "127.0.0.1"
        assert handler.metadata["x-word"] == "hi"
        assert handler.metadata["x-raw-bin"] == b"\x00\xff"
        assert plane.sample("streams", protocol="native") == 1.0
        call.cancel()


async def test_half_close_ends_in_peace() -> None:
    """The handler hears of it, ends with OK, and is closed once."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"one")
        await call.done_writing()
        assert await call.read() == b"one"
        assert await call.read() == grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
        assert plane.handlers[0].half
        assert plane.handlers[0].closings == ["ended"]
        assert plane.sample("streams", protocol="native") == 0.0


async def _pass(clock: FakeClock, seconds: int) -> None:
    """Let virtual time pass in steps, so that keepalive PINGs are answered meanwhile."""
    for _ in range(seconds):
        clock.advance(1.0)
        await asyncio.sleep(0.002)


class Patient(Echo):
    """Goes on after a half close, which is what grpc.aio reports of a cancelled stream first, now and then."""

    def half_closed(self) -> None:
        """Wait."""


async def test_cancelled_stream_is_closed_once() -> None:
    """A client that goes away closes its handler, for good."""
    async with served(make=Patient) as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"one")
        await call.read()
        call.cancel()
        handler = plane.handlers[0]
        await handler.over.wait()
        assert handler.closings == ["client"]
        assert handler.outlet is not None
        handler.send(b"late")
        assert handler.refused == 1


async def test_ended_stream_carries_code_words_and_details() -> None:
    """A handler's status reaches the client whole, while a read was under way."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"end")
        error = await _end(call)
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "as asked")
        assert dict(error.trailing_metadata())[DETAILS] == b"\x08\x05"
        assert plane.handlers[0].closings == ["ended"]


async def test_slow_reader_gets_the_newest_only() -> None:
    """While a message cannot be taken, newer ones replace each other and none queues up."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"one")
        assert await call.read() == b"one"
        handler = plane.handlers[0]
        for number in range(50):
            handler.send(BIG + str(number).encode())
            await asyncio.sleep(0.005)  # each a chance to be written, if there were room
        read: list[bytes] = []
        while not read or not read[-1].endswith(b"49"):
            message = await call.read()
            assert isinstance(message, bytes)
            read.append(message[len(BIG) :])
        assert len(read) < 25
        assert read == sorted(read, key=int)
        assert handler.refused > 25
        call.cancel()


async def test_message_over_the_methods_limit_is_refused() -> None:
    """The length decides, per method; the listener's own limit is that of its largest method."""
    async with served() as plane, dialled(plane.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(channel, b"x" * (MOST + 1))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == f"LB507: a message of {MOST + 1} bytes; the limit is {MOST}"
        call = stream(channel)
        await call.write(b"x" * (10 * MOST + 1))
        assert (await _end(call)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await plane.handlers[0].over.wait()
        assert plane.handlers[0].got == []
        counted = plane.sample("rejected_total", layer="transport", reason="message_bytes")
        assert counted in (1.0, 2.0)  # grpc's core refuses the second before we see it.


async def test_unary_answers_or_refuses_with_details() -> None:
    """Bytes in, bytes out; StatusError becomes the call's status; any other error is INTERNAL without its text."""
    async with served() as plane, dialled(plane.target) as channel:
        assert await unary(channel, b"at ", "!") == b"at 127.0.0.1!"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(channel, b"refuse")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await unary(channel, b"raise")
        assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now")
        assert dict(refused.value.trailing_metadata())[DETAILS] == b"\x08\x09"
        assert failed.value.code() == grpc.StatusCode.INTERNAL
        assert "as asked" not in str(failed.value.details())


async def test_handler_that_raises_ends_only_its_own_stream() -> None:
    """The other stream of the same connection goes on."""
    async with served() as plane, dialled(plane.target) as channel:
        good = stream(channel)
        await good.write(b"one")
        assert await good.read() == b"one"
        bad = stream(channel)
        await bad.write(b"raise")
        assert (await _end(bad)).code() == grpc.StatusCode.INTERNAL
        await good.write(b"two")
        assert await good.read() == b"two"
        assert [each.closings for each in plane.handlers] == [[], ["failed"]]
        good.cancel()


async def test_paused_reading_holds_messages_back() -> None:
    """Nothing is received after the message that paused, until reading is resumed."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        for word in (b"one", b"pause", b"two"):
            await call.write(word)
        assert await call.read() == b"one"
        await asyncio.sleep(0.05)  # long enough for a message that was not held back
        handler = plane.handlers[0]
        assert handler.got == [b"one", b"pause"]
        assert handler.outlet is not None
        handler.outlet.resume_reading()
        assert await call.read() == b"two"
        call.cancel()


async def test_pause_holds_many_messages_and_the_half_close_in_order() -> None:
    """Two hundred small requests and the end of them wait for a paused stream, which is not cut for that."""
    async with served() as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"pause")
        words = [str(number).encode() for number in range(200)]
        for word in words:
            await call.write(word)
        await call.done_writing()
        await asyncio.sleep(0.05)  # long enough for what was not held back
        handler = plane.handlers[0]
        assert (handler.got, handler.half) == ([b"pause"], False)
        assert handler.outlet is not None
        handler.outlet.resume_reading()
        await handler.over.wait()
        assert handler.got[1:] == words
        assert handler.half
        while await call.read() != grpc.aio.EOF:
            pass


async def test_unknown_method_is_unimplemented() -> None:
    """A path that nobody serves has gRPC's own answer."""
    async with served() as plane, dialled(plane.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(channel, b"", path="/test.Echo/Nothing")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_two_hundred_first_streams_at_once_are_all_served() -> None:
    """A storm of clients, each with a connection of its own, loses nobody."""

    async def first(target: str) -> bytes:
        async with dialled(target) as channel:
            call = stream(channel)
            await call.write(b"one")
            answer = await call.read()
            call.cancel()
            assert await call.code() == grpc.StatusCode.CANCELLED
            assert isinstance(answer, bytes)
            return answer

    async with served(limits=StreamLimits(logins_per_address=200)) as plane:
        answers = await asyncio.gather(*(first(plane.target) for _ in range(200)))
        assert answers == [b"one"] * 200
        await asyncio.gather(*(each.over.wait() for each in plane.handlers))
        assert plane.sample("streams", protocol="native") == 0.0


async def test_stream_over_the_limit_is_refused_with_a_time_to_come_back() -> None:
    """The others are not touched, and the refusal is counted."""
    async with served(limits=StreamLimits(streams=1)) as plane, dialled(plane.target) as channel:
        kept = stream(channel)
        await kept.write(b"one")
        assert await kept.read() == b"one"
        error = await _end(stream(channel))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert 500 <= int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) < 1_000
        assert plane.sample("rejected_total", layer="transport", reason="streams") == 1.0
        kept.cancel()
        await plane.handlers[0].over.wait()


async def test_old_streams_are_ended_between_eighty_and_a_hundred_and_twenty_percent_of_their_age() -> None:
    """One sweep ends them, each at its own time."""
    clock = FakeClock()
    limits = StreamLimits(max_age=100.0, age_jitter=0.2)
    async with served(limits=limits, clock=clock) as plane, dialled(plane.target) as channel:
        calls = [stream(channel) for _ in range(20)]
        for call in calls:
            await call.write(b"one")
            await call.read()
        await _pass(clock, 79)
        assert all(not each.over.is_set() for each in plane.handlers)
        await _pass(clock, 42)
        errors = await asyncio.gather(*(_end(call) for call in calls))
        assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
        assert all(each.closings == ["max_age"] for each in plane.handlers)
        assert plane.sample("streams_reaped_total", reason="max_age") == 20.0


async def test_stalled_stream_is_let_go() -> None:
    """A message that cannot be written for a minute costs the stream, whose handler is closed at once."""
    clock = FakeClock()
    async with served(clock=clock) as plane, dialled(plane.target) as channel:
        call = stream(channel)
        await call.write(b"one")
        await call.read()
        handler = plane.handlers[0]
        stuck = 0
        while stuck < 40:  # One that is refused may still leave: until nothing has moved for a while.
            handler.send(BIG)
            await asyncio.sleep(0.005)
            stuck = stuck + 1 if handler.newest is not None else 0
        clock.advance(80.0)
        await handler.over.wait()
        assert handler.closings == ["slow"]
        assert plane.sample("streams_reaped_total", reason="slow") == 1.0
        call.cancel()


async def test_shutdown_refuses_new_calls_and_spreads_the_ends() -> None:
    """Open streams end with UNAVAILABLE one after the other; a second order ends the rest at once."""
    async with served() as plane, dialled(plane.target) as channel:
        calls = [stream(channel) for _ in range(3)]
        for call in calls:
            await call.write(b"one")
            await call.read()
        firsts = [asyncio.create_task(each.over.wait()) for each in plane.handlers]
        stopping = asyncio.create_task(plane.server.stop(30.0))
        done, _ = await asyncio.wait(firsts, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        await plane.server.stop(0.0)
        await stopping
        errors = [await _end(call) for call in calls]
        assert {(error.code(), error.details()) for error in errors} == {
            (grpc.StatusCode.UNAVAILABLE, "server is shutting down")
        }
        assert all(each.closings == ["shutdown"] for each in plane.handlers)


async def test_unix_socket_is_for_its_owner_alone_and_stale_ones_are_replaced(tmp_path: Path) -> None:
    """Directory 0700, socket 0600; what a crash left behind is in nobody's way, a live one is."""
    path = tmp_path / "run" / "admin.sock"
    listen = Listen.parse(f"unix:{path}")
    async with served(listen) as plane, dialled(plane.target) as channel:
        assert await unary(channel, b"by ") == b"by unix"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        with pytest.raises(AccessError, match="in use by pid"):
            async with served(listen):
                pass
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with served(listen) as plane, dialled(plane.target) as channel:
        assert await unary(channel, b"by ") == b"by unix"


async def test_taken_port_is_an_error_that_names_the_process() -> None:
    """LB501 says who has it."""
    async with served() as plane:
        with pytest.raises(AccessError) as caught:
            async with served(plane.server.listen):
                pass
    finding = caught.value.finding
    assert finding.code == "LB501"
    assert f"cannot listen on {plane.target}: in use by pid " in finding.what


async def test_ipv6_peer_has_its_brackets() -> None:
    """An IPv6 client is written as it is dialled."""
    async with served(Listen.parse("[::1]:0")) as plane, dialled(plane.target) as channel:
        assert await unary(channel, b"at ") == b"at ::1"


def test_status_codes_are_grpcs() -> None:
    """Our numbers and names are those of gRPC."""
    assert {code.name: code.value for code in StatusCode} == {code.name: code.value[0] for code in grpc.StatusCode}
