"""The fast path is only faster: with it and without it every connection is sent the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lbcontrol.engine.compile import kind_of
from lbcontrol.frontends.xds.broadcast import Broadcast
from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.frontends.xds.stream import AdsStream
from lbcontrol.http2.connection import Connection
from lbcontrol.http2.sending import Sending
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.transport.binding import Offer
from lbcontrol.transport.http2.server import serve
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits
from tests.conformance.product import AllowsAll
from tests.conformance.recording import Recorded
from tests.conformance.runner import Client, World
from tests.conformance.scenario import Scenario
from tests.conformance.spine import Spine

SIZES = {"big": 1_700, "a": 1, "b": 4, "c": 9}
"""Endpoints by service; the message of ``big`` is longer than both windows."""
SERVICES = tuple(SIZES)
ROUNDS = 20
CONNECTIONS = ("sotw", "sotw", "delta"), ("delta", "sotw"), ("sotw",)
"""The streams of each connection."""
SHARE_OF_NACKS = 0.15


class StandingStill(LoopScheduler):
    """A clock by which everybody is told in one go, however slow the machine: a break would change the order."""

    def now(self) -> float:
        """Return the same instant each time."""
        return 1_000.0


@dataclass
class Spied:
    """How often the five short ways were taken."""

    received: int = 0
    sent: int = 0
    told: int = 0
    confirmed: int = 0
    answered: int = 0


@dataclass
class Line:
    """One stream as a scripted client, and the services it follows."""

    client: Client
    connection: Recorded
    services: tuple[str, ...]
    is_spoken_to: Callable[[], bool]
    """Says whether a message is here or under way."""


def scenario(variant: str) -> Scenario:
    """Return what a scripted client needs to know; its steps are made by chance here."""
    return Scenario("recording", variant, "", "", (), {}, True, "RDS", "", 0, 1)


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    """Count the short ways as they are taken."""
    counts = Spied()

    def count(owner: type, name: str, what: str) -> None:
        before = getattr(owner, name)

        def counted(*args: Any, **words: Any) -> Any:
            found = before(*args, **words)
            if found is not None and found is not False:
                setattr(counts, what, getattr(counts, what) + 1)
            return found

        monkeypatch.setattr(owner, name, counted)

    count(Connection, "whole_message", "received")
    count(Sending, "admit", "sent")
    count(Broadcast, "news", "told")
    count(AdsStream, "_confirm", "confirmed")
    count(AdsStream, "_answer", "answered")
    return counts


@contextlib.asynccontextmanager
async def serving(*, fast_path: bool) -> AsyncIterator[tuple[Spine, Listen]]:
    """Serve xDS on http2 from the real engine, compiler and publisher."""
    scheduler = StandingStill(asyncio.get_running_loop())
    spine = Spine(scheduler)
    parts = XdsParts(spine, AllowsAll(), scheduler, Metrics(), kind_of, chance=random.Random(1), fast_path=fast_path)
    offer = Offer(XdsFrontEnd(parts).methods(), scheduler, Metrics(), StreamLimits(fast_path=fast_path))
    server = await serve(offer, Listen("127.0.0.1", 0))
    try:
        yield spine, server.listen
    finally:
        await server.stop(0.0)


class Play:
    """One run of the seeded play."""

    def __init__(self, seed: int, spine: Spine, sockets: list[socket.socket]) -> None:
        """Begin with the services in place."""
        self._chance = random.Random(seed)
        self._spine = spine
        self.connections = [Recorded(sock) for sock in sockets]
        self._lines: list[Line] = []
        self._world = World(scenario("sotw"))
        self._world.change({"set": {name: self._weights(name) for name in SERVICES}})

    def _weights(self, name: str) -> Any:
        """Return weights anew; nothing leaves or drains, or who refused would be told once more."""
        return [self._chance.randint(1, 99) for _ in range(SIZES[name])]

    async def __call__(self) -> list[bytes]:
        """Play it to the end; return what each connection was sent."""
        self._spine.publish(self._world.documents())
        for connection, variants in zip(self.connections, CONNECTIONS, strict=True):
            await connection.hello()
            for variant in variants:
                await self._open(connection, variant)
        for _ in range(ROUNDS):
            await self._round()
        return [bytes(connection.received) for connection in self.connections]

    async def _open(self, connection: Recorded, variant: str) -> None:
        stream = await connection.open(variant)
        client = Client(stream, scenario(variant), 5.0)
        services = ("big", *self._chance.sample(SERVICES[1:], 2))
        line = Line(client, connection, services, stream.is_spoken_to)
        key = "names" if variant == "sotw" else "subscribe"
        for kind in ("CDS", "EDS", "RDS"):
            await client.send({"type": kind, key: list(line.services)})
            await self._answer(line, kind)
        await connection.settle()
        self._lines.append(line)

    async def _answer(self, line: Line, kind: str) -> None:
        response = await line.client.next()
        assert response.kind == kind
        if self._chance.random() >= SHARE_OF_NACKS:
            await line.client.send({"type": kind})
            return
        await line.client.send({"type": kind, "error": "not by me", "version": "none"})
        await line.connection.settle()
        while line.is_spoken_to():  # What stands in for a rejected list comes at once, if it is not what is held.
            await line.client.next()
            await line.client.send({"type": kind})
            await line.connection.settle()

    async def _round(self) -> None:
        """Change one service, and wait until everybody who follows it has been told and has answered."""
        name = self._chance.choice(SERVICES)
        if self._chance.random() < 0.2:
            kind, key, value = "RDS", "timeout", f"{self._chance.randint(1, 10_000)}ms"
        else:
            kind, key, value = "EDS", "set", self._weights(name)
        before = self._world.documents()
        self._world.change({key: {name: value}})
        if self._world.documents() == before:
            return
        self._spine.publish(self._world.documents())
        followers = [line for line in self._lines if name in line.services]
        for line in followers:
            await self._answer(line, kind)
        for connection in dict.fromkeys(line.connection for line in followers):
            await connection.settle()


async def recording(seed: int, *, fast_path: bool) -> list[bytes]:
    """Play once against a server of its own."""
    async with serving(fast_path=fast_path) as (spine, listen):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in CONNECTIONS]
            for sock in sockets:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, (listen.host, listen.port))
            return await Play(seed, spine, sockets)()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(2))
async def test_both_ways_send_the_same_bytes(seed: int, spied: Spied) -> None:
    """Changes, ACK and NACK, SotW and Delta, several streams and messages beyond the windows: no byte differs."""
    fast = await recording(seed, fast_path=True)
    taken = dataclasses.replace(spied)
    slow = await recording(seed, fast_path=False)
    print(f"{sum(map(len, fast)):,} bytes; short ways taken: {taken}")
    assert min(taken.received, taken.sent, taken.told) > ROUNDS
    assert min(taken.confirmed, taken.answered) > 0
    assert spied == taken
    for one, other in zip(fast, slow, strict=True):
        assert one == other
