"""The demo's client: stock grpcio, ``xds:///``, a steady rate. ``python -m lbcontrol.app.demo.client TARGET RATE``.

It prints one JSON object every tenth of a second: ``{"calls": {address: [latency in ms, …]}, "lost": [text, …]}``.
Nothing in it knows lbcontrol: only ``GRPC_XDS_BOOTSTRAP_CONFIG`` in its environment does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from typing import Any

import grpc

from lbcontrol.app.demo.backend import METHOD
from lbcontrol.app.demo.child import end_with_parent

TICK = 0.1
"""Seconds between two reports."""
TIMEOUT = 5.0
"""Seconds after which a call counts as lost."""


class Client:
    """A channel and what happened to its calls since the last report."""

    def __init__(self, target: str) -> None:
        """Open the channel; a dead backend is tried again every second, so that a revived one is found soon."""
        options = [("grpc.max_reconnect_backoff_ms", 1000), ("grpc.initial_reconnect_backoff_ms", 200)]
        channel = grpc.aio.insecure_channel(target, options=options)
        self._hello: Any = channel.unary_unary(METHOD)
        self._calls: dict[str, list[float]] = defaultdict(list)
        self._lost: list[str] = []

    async def call(self) -> None:
        """Make one call and note how it ended."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            address: bytes = await self._hello(b"", timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            self._lost.append(f"{error.code().name}: {(error.details() or '')[:120]}")
        else:
            self._calls[address.decode()].append(round((loop.time() - began) * 1000, 1))

    async def load(self, rate: float) -> None:
        """Start calls at a steady rate, whether or not earlier ones have ended."""
        loop = asyncio.get_running_loop()
        began, made, running = loop.time(), 0, set()
        while True:
            task = asyncio.create_task(self.call())
            running.add(task)
            task.add_done_callback(running.discard)
            made += 1
            await asyncio.sleep(max(0.0, began + made / rate - loop.time()))

    async def report(self) -> None:
        """Print and forget, ten times a second."""
        while True:
            await asyncio.sleep(TICK)
            print(json.dumps({"calls": self._calls, "lost": self._lost}), flush=True)
            self._calls.clear()
            self._lost.clear()


async def main(target: str, rate: float) -> None:
    """Run until standard input ends."""
    client = Client(target)
    tasks = [asyncio.create_task(client.load(rate)), asyncio.create_task(client.report())]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
