"""How much CPU one push costs, beside go-control-plane's LinearCache: the servers take turns on the same machine.

``lbcontrol serve`` runs as users run it, with a file source, metrics and ACK tracking, once for each transport. Every
server has one endpoint list of 100 endpoints; a change gives one of them another address. The generator (generator/)
shares no code with any server and acknowledges every response. Its CPU is not counted, yet it shares the machine's
cores: compare CPU first, times only side by side.

Run: make bench-fanout [ARGS="--connections 1000 10000 --passes 3"]. Prints a table and writes it to
docs/reference/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.fanout.report import Row, page, table
from tests.support.control_plane import ControlPlane
from tests.support.procs import free_port
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "performance.md"
CACHE = Path.home() / ".cache" / "lbcontrol-benchmarks"
ENDPOINTS = 100
HTTP2, GRPCIO, LINEAR = "lbcontrol, transport http2", "lbcontrol, transport grpcio", "go-control-plane, linear cache"


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs."""

    port: int
    pid: int
    trigger: str
    """URL that makes one change."""


def services(change: int) -> str:
    """A service file whose last endpoint says which change this is."""
    fixed = [f"10.0.{number >> 8}.{number & 255}" for number in range(1, ENDPOINTS)]
    ends = [f'      - {{address: "{ip}:8080"}}' for ip in (*fixed, f"10.99.{change >> 8}.{change & 255}")]
    return "\n".join(["services:", "  - name: svc", "    endpoints:", *ends, ""])


@contextlib.contextmanager
def changing(change: Callable[[], None]) -> Iterator[str]:
    """Make a change with every POST; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            change()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def ours(transport: str) -> Iterator[Target]:
    """``lbcontrol serve`` on a directory of files."""
    with tempfile.TemporaryDirectory() as home:
        plane = ControlPlane(Path(home) / "plane", transport=transport)
        changes = iter(range(65_536))

        def change() -> None:
            plane.write({"svc.yaml": services(next(changes))})

        change()
        plane.start()
        assert plane.proc is not None  # noqa: S101  just started
        try:
            with changing(change) as url:
                yield Target(int(plane.grpc.rpartition(":")[2]), plane.proc.popen.pid, url)
        finally:
            plane.kill9()


@contextlib.contextmanager
def linear() -> Iterator[Target]:
    """go-control-plane's LinearCache."""
    port = free_port()
    with subprocess.Popen([built("linear"), "-port", str(port), "-endpoints", str(ENDPOINTS)]) as process:
        try:
            wait_until(lambda: is_open(port + 1), what="the peer's ports")
            yield Target(port, process.pid, f"http://127.0.0.1:{port + 1}/")
        finally:
            process.kill()


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[Target]]] = {
    HTTP2: lambda: ours("http2"),
    LINEAR: linear,
    GRPCIO: lambda: ours("grpcio"),
}


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def built(name: str) -> str:
    """Build a Go program of this folder; returns its path."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / name
    subprocess.run(["go", "build", "-trimpath", "-o", path, "."], cwd=HERE / name, check=True)
    return str(path)


def measure(name: str, connections: int, rounds: int) -> dict[str, float]:
    """Run one server and the generator against it; returns what the generator prints."""
    with SERVERS[name]() as target:
        flags = {"port": target.port, "trigger": target.trigger, "pid": target.pid}
        flags |= {"connections": connections, "rounds": rounds}
        words = [f"-{key}={value}" for key, value in flags.items()]
        done = subprocess.run([CACHE / "generator", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: the generator ended with {done.returncode}\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def rows(connections: int, passes: int, rounds: int) -> list[Row]:
    """Let the servers take turns; return one row of medians for each."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
    for number in range(passes):
        for name in SERVERS:
            found[name].append(measure(name, connections, rounds))
            cost = found[name][-1]["us_per_push"]
            print(f"pass {number + 1}: {connections} connections, {name}: {cost:.1f} us per push", file=sys.stderr)
    return [Row(name, connections, {key: _median(runs, key) for key in runs[0]}) for name, runs in found.items()]


def _median(runs: list[dict[str, float]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1_000])
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    built("generator")
    measured = [row for count in given.connections for row in rows(count, given.passes, given.rounds)]
    print(table(measured, baseline=LINEAR))
    PAGE.write_text(page(measured, baseline=LINEAR, passes=given.passes, rounds=given.rounds))


if __name__ == "__main__":
    main()
