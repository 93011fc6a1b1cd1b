"""Attacks over real sockets beside 100 honest streams of stock clients, which miss nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from lbcontrol.http2.frames import END_HEADERS, Code, Kind, Setting, frame, long_frame, settings_frame
from tests.contract.serving import Call, Served, chosen, dialled, served, stream
from tests.support.h2raw import Raw, raw

HONEST = 100
CHANNELS = 4
ROUNDS = 5


@pytest.fixture(autouse=True)
def on_http2() -> Iterator[None]:
    """Everything here runs on our own transport."""
    token = chosen.set("http2")
    yield
    chosen.reset(token)


def rapid_reset(peer: Raw) -> bytes:
    """Open a stream and take it back, again and again (CVE-2023-44487)."""
    return b"".join(
        peer.opening(number) + long_frame(Kind.RST_STREAM, number, value=Code.CANCEL) for number in range(1, 2_001, 2)
    )


def made_you_reset(peer: Raw) -> bytes:
    """Open streams and make the server reset each (CVE-2025-8671)."""
    return b"".join(
        peer.opening(number) + frame(Kind.PRIORITY, 0, stream=number, payload=b"bad") for number in range(1, 2_001, 2)
    )


def continuations(peer: Raw) -> bytes:
    """Go on with a header block without end (CVE-2024-27316)."""
    return frame(Kind.HEADERS, 0, stream=1, payload=b"") + frame(Kind.CONTINUATION, 0, stream=1, payload=b"x") * 5_000


def pings(peer: Raw) -> bytes:
    """Ask for answers (CVE-2019-9512)."""
    return frame(Kind.PING, 0, payload=b"12345678") * 5_000


def settings(peer: Raw) -> bytes:
    """Change settings for ever (CVE-2019-9515)."""
    return settings_frame({Setting.INITIAL_WINDOW_SIZE: 1}) * 5_000


def empty_data(peer: Raw) -> bytes:
    """Send frames with nothing in them (CVE-2019-9518)."""
    return peer.opening() + frame(Kind.DATA, 0, stream=1) * 5_000


def window_updates(peer: Raw) -> bytes:
    """Open the window byte by byte."""
    return peer.opening() + long_frame(Kind.WINDOW_UPDATE, 1, value=1) * 5_000


def bomb(peer: Raw) -> bytes:
    """Put a long value into the table once and refer to it thousands of times."""
    literal = b"\x40\x01x" + b"\x7f\x81\x1e" + b"y" * 4_000
    return frame(Kind.HEADERS, END_HEADERS, stream=1, payload=literal + b"\xbe" * 8_000)


ATTACKS: dict[Callable[[Raw], bytes], str] = {
    rapid_reset: "resets",
    made_you_reset: "resets",
    continuations: "continuations",
    pings: "too_many_pings",
    settings: "settings",
    empty_data: "empty_data",
    window_updates: "window_updates",
    bomb: "header_list",
}
"""Attack, and the word it is refused by."""


@contextlib.asynccontextmanager
async def honest(target: str) -> AsyncIterator[list[Call]]:
    """Stock clients with 100 streams, each of which has had its first answer."""
    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(dialled(target)) for _ in range(CHANNELS)]
        calls = [stream(channels[number % CHANNELS]) for number in range(HONEST)]
        for call in calls:
            await call.write(b"one")
            assert await call.read() == b"one"
        yield calls
        for call in calls:
            call.cancel()


async def _push(plane: Served, calls: list[Call]) -> None:
    """Send rounds of messages to every honest stream and see that none is missing."""
    for number in range(ROUNDS):
        word = f"round {number}".encode()
        for handler in plane.handlers[:HONEST]:
            handler.send(word)
        assert set(await asyncio.gather(*(call.read() for call in calls))) == {word}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_attacker_is_ended_while_honest_streams_miss_nothing(attack: Callable[[Raw], bytes]) -> None:
    """The flood ends in GOAWAY with its word, is counted by it, and costs the attacker alone."""
    async with served() as plane, honest(plane.target) as calls, raw(plane.target) as peer:
        await peer.hello()
        flood = asyncio.create_task(peer.send(attack(peer)))
        await _push(plane, calls)
        ended = await peer.end()
        await flood
        await _push(plane, calls)
        if ended is not None:  # What arrives after our close may cost the attacker our last words.
            assert ended == (Code.ENHANCE_YOUR_CALM, ATTACKS[attack])
        assert plane.sample("rejected_total", layer="transport", reason=ATTACKS[attack]) == 1.0
        assert plane.sample("streams", protocol="native") == HONEST


async def test_slow_hands_hold_nothing_up() -> None:
    """Fifty connections that send a byte now and then, and fifty that never read, cost honest streams nothing."""
    async with served() as plane, honest(plane.target) as calls, contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(raw(plane.target, receive_bytes=4_096)) for _ in range(100)]
        for number, peer in enumerate(slow):
            await peer.send(b"PRI" if number % 2 else b"")
            if not number % 2:
                await peer.hello()
                await peer.send(peer.opening())
        for byte in b" * H":
            for peer in slow[1::2]:
                await peer.send(bytes((byte,)))
            for handler in plane.handlers[HONEST:]:
                handler.send(b"x" * 100_000)
            await _push(plane, calls)
