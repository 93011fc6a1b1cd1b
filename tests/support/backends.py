"""Raw-bytes gRPC backends, many per child process, that record what arrived and when.

Run as a script it is the child: it prints its addresses as one JSON line, then answers
`{"cmd":"stats"}` lines on stdin. Times are `time.monotonic()` seconds, which Linux counts
from boot for every process, so a test may compare them with its own clock.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.support.procs import Proc

ECHO = "/lab.Echo/Echo"
SLOW = "/lab.Echo/Slow"
SLOW_SECONDS = 1.5
_ROOT = Path(__file__).resolve().parents[2]


_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_ESTABLISHED = "01"  # the state's number in /proc/net/tcp


def _address(text: str) -> str:
    """Read ``0100007F:C350`` as 127.0.0.1:50000: the kernel writes an address as one little-endian number.

    An IPv4 address in the table of IPv6, where gRPC's sockets are, is the last part of a longer one.
    """
    host, _, port = text.partition(":")
    host = host[-8:]
    return f"{socket.inet_ntoa(int(host, 16).to_bytes(4, 'little'))}:{int(port, 16)}"


@dataclass(frozen=True, slots=True)
class BackendStats:
    """What one backend saw: finished and running calls, last arrival, connections with calls."""

    calls: int
    in_flight: int
    last_arrival: float
    connections: int


class _Backend:
    """The child's side of one port; answers every call with the port as text."""

    def __init__(self) -> None:
        self.port = 0
        self.calls = 0
        self.in_flight = 0
        self.last_arrival = 0.0
        self.peers: set[str] = set()

    async def answer(self, _request: bytes, context: Any, *, seconds: float) -> bytes:
        """Count the call, hold it for `seconds`, answer the port."""
        self.last_arrival = time.monotonic()
        self.peers.add(context.peer())
        self.in_flight += 1
        try:
            if seconds:
                await asyncio.sleep(seconds)
            self.calls += 1
            return str(self.port).encode()
        finally:
            self.in_flight -= 1

    async def start(self, port: int) -> Any:
        """Serve on 127.0.0.1:`port` (0: any free port); RuntimeError when it is taken."""

        async def echo(request: bytes, context: Any) -> bytes:
            return await self.answer(request, context, seconds=0.0)

        async def slow(request: bytes, context: Any) -> bytes:
            return await self.answer(request, context, seconds=SLOW_SECONDS)

        table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Echo": grpc.unary_unary_rpc_method_handler(echo),
            "Slow": grpc.unary_unary_rpc_method_handler(slow),
        }
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Echo", table),))
        self.port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        return server

    def stats(self) -> BackendStats:
        """The numbers now."""
        return BackendStats(self.calls, self.in_flight, self.last_arrival, len(self.peers))


class Backends:
    """The test's side: `count` backends (or fixed `ports`) in one child process."""

    def __init__(self, count: int, *, log: Path, ports: tuple[int, ...] = ()) -> None:
        """Start the child and wait until every port accepts calls."""
        wanted = [str(port) for port in ports] or ["0"] * count
        argv = [sys.executable, "-m", "tests.support.backends", *wanted]
        self.proc = Proc(argv, log=log, env={"PYTHONPATH": str(_ROOT)})
        try:
            self.addresses: list[str] = json.loads(self.proc.line(20.0))
        except BaseException:
            self.proc.kill9()
            raise

    def stats(self) -> dict[str, BackendStats]:
        """Numbers by address."""
        return {key: BackendStats(**value) for key, value in self.proc.ask({}).items()}

    def connections(self) -> frozenset[tuple[str, int]]:
        """Every open connection, with or without calls: the backend's address and the client's port.

        Read from the kernel's table, as no gRPC server tells of a connection on which nothing was called.
        """
        lines = [line for table in _TABLES for line in Path(table).read_text().splitlines()[1:]]
        rows = [line.split() for line in lines]
        pairs = [(_address(row[1]), _address(row[2])) for row in rows if row[3] == _ESTABLISHED]
        return frozenset((own, int(peer.rpartition(":")[2])) for own, peer in pairs if own in self.addresses)

    def stop(self) -> None:
        """Kill the child."""
        self.proc.kill9()


async def _serve(ports: list[int]) -> None:
    backends = [_Backend() for _ in ports]
    servers = [await backend.start(port) for backend, port in zip(backends, ports, strict=True)]
    print(json.dumps([f"127.0.0.1:{backend.port}" for backend in backends]), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        stats = {f"127.0.0.1:{backend.port}": asdict(backend.stats()) for backend in backends}
        print(json.dumps(stats), flush=True)
    for server in servers:
        await server.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve([int(port) for port in sys.argv[1:]]))
