"""gRPC backends at the addresses of pods, all in one child process, started and ended one by one.

Run as a script it is the child: ``{"start": [hosts]}`` and ``{"stop": [hosts]}`` lines on stdin, each answered by the
calls so far by host. A backend answers with the last number of its address. Needs a network of its own (netns).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc

from tests.support.procs import Proc

PORT = 50051
GRACE = 5.0
"""Seconds that calls under way are given when a backend ends."""
_ROOT = Path(__file__).resolve().parents[2]


def number(host: str) -> str:
    """Return what a backend answers: the last number of its address."""
    return host.rpartition(".")[2]


class Pods:
    """The test's side."""

    def __init__(self, *, log: Path) -> None:
        """Start the child, with no backend."""
        self.proc = Proc([sys.executable, "-m", "tests.support.pods"], log=log, env={"PYTHONPATH": str(_ROOT)})
        self.proc.line(20.0)

    def start(self, hosts: Iterable[str]) -> None:
        """Listen at these addresses; returns when connections are accepted."""
        self.proc.ask({"start": list(hosts)})

    def stop(self, hosts: Iterable[str]) -> dict[str, int]:
        """End these backends as a server does on SIGTERM; returns the calls of each since its start."""
        return self.proc.ask({"stop": list(hosts)})

    def kill(self) -> None:
        """Kill the child."""
        self.proc.kill9()


class _Servers:
    """The child's side."""

    def __init__(self) -> None:
        self._servers: dict[str, Any] = {}
        self._calls: dict[str, int] = {}

    async def start(self, host: str) -> None:
        """Listen."""

        async def echo(_request: bytes, _context: Any) -> bytes:
            self._calls[host] += 1
            return number(host).encode()

        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Echo", table),))
        server.add_insecure_port(f"{host}:{PORT}")
        await server.start()
        self._servers[host], self._calls[host] = server, 0

    async def stop(self, host: str) -> tuple[str, int]:
        """End it, with a grace for calls under way."""
        await self._servers.pop(host).stop(GRACE)
        return host, self._calls[host]


async def _serve() -> None:
    servers = _Servers()
    print(json.dumps({}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        for host in command.get("start", ()):
            await servers.start(host)
        ended = await asyncio.gather(*(servers.stop(host) for host in command.get("stop", ())))
        print(json.dumps(dict(ended)), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
