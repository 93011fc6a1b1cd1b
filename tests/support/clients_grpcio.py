"""A stock grpcio client in a child process, driven by JSON lines on stdin.

Start: `python -m tests.support.clients_grpcio TARGET [CHANNELS]` with GRPC_XDS_BOOTSTRAP_CONFIG set; "{}" in the
target is replaced by the channel's number. Commands: call {n, parallel}, slow_call {n}, start_load {rps}, stop_load,
quit; one JSON line answers each. The programs in tests/interop/go and tests/interop/node speak the same.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import grpc

ECHO = "/lab.Echo/Echo"
SLOW = "/lab.Echo/Slow"
_KEPT_ERRORS = 5


class Tally:
    """Calls counted by answering backend, and the first few errors in full."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.backends: Counter[str] = Counter()
        self.failed = 0
        self.errors: list[dict[str, Any]] = []

    async def call(self, channel: Any, method: str, *, timeout: float) -> None:
        """Make one call and count how it ended."""
        started = time.monotonic()
        try:
            reply: bytes = await channel.unary_unary(method)(b"x", timeout=timeout)
            self.backends[f"127.0.0.1:{reply.decode()}"] += 1
        except grpc.aio.AioRpcError as error:
            self.failed += 1
            if len(self.errors) < _KEPT_ERRORS:
                seconds = time.monotonic() - started
                code, details = error.code().name, error.details()
                self.errors.append({"code": code, "details": details, "seconds": seconds})

    def answer(self) -> dict[str, Any]:
        """The JSON object a command is answered with."""
        ok = sum(self.backends.values())
        return {
            "ok": ok,
            "failed": self.failed,
            "backends": dict(self.backends),
            "errors": self.errors,
        }


class Client:
    """The channels and the running load of one process."""

    def __init__(self, target: str, channels: int) -> None:
        """Open `channels` channels; an own subchannel pool keeps their connections apart."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channels = [
            grpc.aio.insecure_channel(target.replace("{}", str(i)), options=[*options, ("lab.channel", i)])
            for i in range(channels)
        ]
        self.load: asyncio.Task[dict[str, Any]] | None = None
        self.stopping = asyncio.Event()

    async def calls(self, *, n: int, method: str, parallel: int) -> dict[str, Any]:
        """Make `n` calls, at most `parallel` at once, spread over the channels in turn."""
        tally, numbers = Tally(), iter(range(n))

        async def work() -> None:
            for i in numbers:
                await tally.call(self.channels[i % len(self.channels)], method, timeout=20.0)

        await asyncio.gather(*(work() for _ in range(parallel)))
        return tally.answer()

    async def run_load(self, rps: float) -> dict[str, Any]:
        """Start calls at a steady rate until told to stop; then wait for the last ones."""
        tally, running, i = Tally(), set(), 0
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not self.stopping.is_set():
            channel = self.channels[i % len(self.channels)]
            task = asyncio.create_task(tally.call(channel, ECHO, timeout=20.0))
            running.add(task)
            task.add_done_callback(running.discard)
            i += 1
            await asyncio.sleep(max(0.0, start + i / rps - loop.time()))
        await asyncio.gather(*running)
        return tally.answer()

    async def handle(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; ValueError for a word that is not one."""
        word = command["cmd"]
        if word == "call":
            return await self.calls(n=int(command["n"]), method=ECHO, parallel=int(command["parallel"]))
        if word == "slow_call":
            return await self.calls(n=int(command["n"]), method=SLOW, parallel=int(command["n"]))
        if word == "start_load":
            self.stopping.clear()
            self.load = asyncio.create_task(self.run_load(float(command["rps"])))
            return {}
        if word == "stop_load" and self.load is not None:
            self.stopping.set()
            return await self.load
        raise ValueError(f"no such command now: {word}")


async def _main(target: str, channels: int) -> None:
    client = Client(target, channels)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        if command["cmd"] == "quit":
            return
        print(json.dumps(await client.handle(command)), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1))
