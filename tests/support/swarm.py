"""Thousands of ADS streams in one light process, driven by JSON lines: ``python -m tests.support.swarm ADDRESS``.

Each stream is a connection of its own, follows some services ``s0 … s99``, ACKs everything and remembers the newest
change it saw of each (``swarm_wire.mark``). Commands: ``open {n, services, each}``, ``churn {rate}`` (so many streams a
second leave and come back), ``settle {changes, seconds}`` (wait until every stream has these), ``counts``.
Each answer: ``{streams, behind, messages, most, backwards, broken, returned}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.support import swarm_wire as wire

STREAM = 1
PER_ADDRESS = 1_000
"""Connections from one loopback address: a server takes so many of one address only."""
RETRY_SECONDS = 0.5
AT_ONCE = 200
"""Connections that are opened at a time."""
OPEN_SECONDS = 120.0
POLL_SECONDS = 0.02


class Stream(asyncio.Protocol):
    """One connection with one stream."""

    def __init__(self, swarm: Swarm, services: range, number: int) -> None:
        """Connect nothing yet."""
        names = [f"s{service}".encode() for service in services]
        self._swarm = swarm
        self._number = number
        self._opening = wire.GREETING + wire.opening(STREAM, names, f"swarm-{number}".encode())
        self._same = wire.subscription(names)
        self._kept = self._message = b""
        self._transport: asyncio.Transport | None = None
        self.services = services
        self.seen: dict[int, int] = {}
        """Newest change by service, of this connection."""
        self._newest: dict[int, int] = {}
        """The same over all of them."""
        self.messages = 0
        """Since the last ``settle``."""
        self.leaving = False

    async def connect(self) -> None:
        """Connect and ask."""
        self.leaving, self._kept, self._message = False, b"", b""
        self.seen = {}
        host, _, port = self._swarm.address.rpartition(":")
        ours = (f"127.0.0.{1 + self._number // PER_ADDRESS}", 0)
        await asyncio.get_running_loop().create_connection(lambda: self, host, int(port), local_addr=ours)

    def leave(self) -> None:
        """Vanish."""
        self.leaving = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say everything there is to say."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._opening)

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back when the server ended it."""
        del exc
        self._transport = None
        if not self.leaving:
            self._swarm.broken += 1
            self._swarm.come_back(self, pause=RETRY_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take the frames apart."""
        data, at = self._kept + data, 0
        while len(data) - at >= wire.HEAD_BYTES:
            end = at + wire.HEAD_BYTES + int.from_bytes(data[at : at + 3], "big")
            if end > len(data):
                break
            self._frame(data[at + 3], data[at + 4], data[at + wire.HEAD_BYTES : end])
            at = end
        self._kept = data[at:]

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        if self._transport is None:
            return
        if kind == wire.DATA:
            self._data(payload)
        elif kind == wire.SETTINGS and not flags & wire.ACK:
            self._transport.write(wire.frame(wire.SETTINGS, wire.ACK, 0))
        elif kind == wire.PING and not flags & wire.ACK:
            self._transport.write(wire.frame(wire.PING, wire.ACK, 0, payload))
        elif kind in (wire.RST_STREAM, wire.GOAWAY) or (kind == wire.HEADERS and flags & wire.END_STREAM):
            self._transport.abort()

    def _data(self, payload: bytes) -> None:
        self._message += payload
        while len(self._message) >= 5:
            end = 5 + int.from_bytes(self._message[1:5], "big")
            if len(self._message) < end:
                return
            self._take(self._message[5:end])
            self._message = self._message[end:]

    def _take(self, response: bytes) -> None:
        assert self._transport is not None
        self.messages += 1
        self._swarm.messages += 1
        for service, change in wire.marks(response).items():
            self._swarm.backwards += change < self._newest.get(service, 0)
            self.seen[service] = self._newest[service] = change
        self._transport.write(wire.acknowledgement(STREAM, self._same, response))

    def is_behind(self, changes: Mapping[int, int]) -> bool:
        """True when the stream lacks one of these changes."""
        return any(self.seen.get(service, -1) != changes.get(service, 0) for service in self.services)


class Swarm:
    """All streams of this process."""

    def __init__(self, address: str) -> None:
        """Connect nothing yet."""
        self.address = address
        self.messages = self.backwards = self.broken = self.returned = 0
        self._streams: list[Stream] = []
        self._returning: set[asyncio.Task[None]] = set()
        self._churn: asyncio.Task[None] | None = None

    async def open(self, n: int, services: int, each: int) -> None:
        """Open streams, the k-th of which follows ``each`` services from number ``k * each`` on, counted round."""
        places = services // each
        made = [Stream(self, range(k % places * each, k % places * each + each), k) for k in range(n)]
        for at in range(0, n, AT_ONCE):
            await asyncio.gather(*(stream.connect() for stream in made[at : at + AT_ONCE]))
        self._streams += made
        async with asyncio.timeout(OPEN_SECONDS):
            while any(len(stream.seen) < each for stream in made):  # noqa: ASYNC110  one look for thousands
                await asyncio.sleep(POLL_SECONDS)

    def come_back(self, stream: Stream, *, pause: float = 0.0) -> None:
        """Connect again soon."""
        task = asyncio.get_running_loop().create_task(self._return(stream, pause))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _return(self, stream: Stream, pause: float) -> None:
        await asyncio.sleep(pause)
        try:
            await stream.connect()
        except OSError:
            self.come_back(stream, pause=RETRY_SECONDS)
        else:
            self.returned += 1

    async def churn(self, rate: float) -> None:
        """Let so many streams a second leave and come back, until told otherwise."""
        if self._churn is not None:
            self._churn.cancel()
        self._churn = asyncio.create_task(self._churning(rate)) if rate else None

    async def _churning(self, rate: float) -> None:
        began, done = time.monotonic(), 0
        while True:
            while done < (time.monotonic() - began) * rate:
                stream = self._streams[done % len(self._streams)]
                if not stream.leaving:
                    stream.leave()
                    self.come_back(stream)
                done += 1
            await asyncio.sleep(POLL_SECONDS)

    async def settle(self, changes: Mapping[str, int], seconds: float) -> dict[str, Any]:
        """Wait until every stream has these changes; the answer says how many have not, after so long."""
        wanted = {int(service): change for service, change in changes.items()}
        deadline = time.monotonic() + seconds
        while (behind := self._behind(wanted)) and time.monotonic() < deadline:  # noqa: ASYNC110  as above
            await asyncio.sleep(POLL_SECONDS)
        return {"behind": behind, **self.counts()}

    def _behind(self, changes: Mapping[int, int]) -> int:
        return sum(stream.is_behind(changes) for stream in self._streams)

    def counts(self) -> dict[str, Any]:
        """Return what was seen so far; ``most`` are the messages of one stream since the last call."""
        most = max((stream.messages for stream in self._streams), default=0)
        for stream in self._streams:
            stream.messages = 0
        words = ("messages", "backwards", "broken", "returned")
        return {"streams": len(self._streams), "most": most, **{word: getattr(self, word) for word in words}}


async def _handle(swarm: Swarm, command: dict[str, Any]) -> dict[str, Any]:
    word = command.pop("cmd")
    if word == "settle":
        return await swarm.settle(**command)
    if word == "open":
        await swarm.open(**command)
    elif word == "churn":
        await swarm.churn(**command)
    elif word != "counts":
        raise ValueError(f"no such command: {word}")
    return swarm.counts()


async def _main(address: str) -> None:
    swarm = Swarm(address)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await _handle(swarm, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
