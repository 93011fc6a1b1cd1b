"""Thousands of streams, changes and reconnects for a while: nothing is lost, nothing grows.

    python -m benchmarks.soak [--seconds 1200] [--streams 5000] [--reconnects 50] [--changes 5]

``lbcontrol serve`` on files, as users run it. Each stream is a connection of its own and follows 5 of 50 services.
Every few seconds the changes stop, and within 60 s every stream must hold the last change of each of its services: one
that does not has lost an update. A calm that takes longer than 10 s is told as late: a machine that others use, too.
Resident memory is judged at these calm points, from the first quarter of the time on (caches and allocator are warm
then). Ends with 1 when an update was lost, a stream went backwards or was ended by the server, or memory grew more than
allowed.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.procs import UNMEASURED, Proc
from tests.support.siege import swarm
from tests.support.swarm_wire import mark
from tests.support.vitals import vitals

SERVICES, EACH, ENDPOINTS = 50, 5, 20
CALM_SECONDS = 60.0
"""Within which every stream has the last change, or it is lost."""
LATE_SECONDS = 10.0
"""After which a calm is told as late."""
BETWEEN = 10.0
"""Seconds of changes between two calm points."""
ALLOWED = 0.05
"""Growth of resident memory."""
ALLOWED_BYTES = 4 << 20
"""Growth that is never judged: the allocator takes memory in steps, and a short run has few streams to divide it by."""
SAMPLES = 3
"""Calm points of which the median is taken at the beginning and at the end."""


class Soak:
    """One run."""

    def __init__(self, plane: ControlPlane, swarm: Proc, given: argparse.Namespace) -> None:
        """Keep the processes; they run."""
        self._plane = plane
        self._swarm = swarm
        self._given = given
        self._changes = dict.fromkeys(range(SERVICES), 0)
        self._turn = itertools.cycle(range(SERVICES))
        self.memory: list[int] = []
        """Resident bytes at each calm point after the first quarter."""
        self.lost = 0
        """Streams behind, over all calm points."""
        self.late = 0
        """Calm points that took long."""
        self.slowest = 0.0
        """Longest time in seconds until all streams had everything."""
        assert plane.proc is not None  # noqa: S101  started by the caller
        self._pid = plane.proc.popen.pid

    def run(self) -> bool:
        """Run; True when all is well."""
        given = self._given
        self._swarm.ask({"cmd": "open", "n": given.streams, "services": SERVICES, "each": EACH}, timeout=180.0)
        first = vitals(self._pid)
        print(f"{given.streams:,} streams open: {first.rss >> 10:,} KiB, {first.descriptors} descriptors", flush=True)
        self._swarm.ask({"cmd": "churn", "rate": given.reconnects})
        began = time.monotonic()
        while time.monotonic() - began < given.seconds:
            self._change()
            self._calm(time.monotonic() - began)
        self._swarm.ask({"cmd": "churn", "rate": 0})
        seen = self._swarm.ask({"cmd": "counts"})
        last, seconds = vitals(self._pid), time.monotonic() - began
        print(
            f"server: {(last.cpu - first.cpu) / seconds:.2f} cores, {last.descriptors} descriptors,"
            f" {last.threads} threads; loop later than 0.1 s: {self._late():.0f} times"
        )
        return self._judge(seen)

    def _change(self) -> None:
        """Make changes for a while, each of one service."""
        began = time.monotonic()
        for number in range(int(BETWEEN * self._given.changes)):
            service = next(self._turn)
            self._changes[service] += 1
            self._plane.write(dict([file(service, self._changes[service])]))
            time.sleep(max(0.0, began + (number + 1) / self._given.changes - time.monotonic()))

    def _calm(self, at: float) -> None:
        changes = {str(service): change for service, change in self._changes.items()}
        began = time.monotonic()
        command = {"cmd": "settle", "changes": changes, "seconds": CALM_SECONDS}
        seen = self._swarm.ask(command, timeout=CALM_SECONDS + 60.0)
        took, now = time.monotonic() - began, vitals(self._pid)
        self.lost += seen["behind"]
        self.late += took > LATE_SECONDS
        self.slowest = max(self.slowest, took)
        if at >= self._given.seconds / 4:
            self.memory.append(now.rss)
        print(
            f"{at:6.0f} s: calm after {took:.2f} s, {seen['behind']} behind, {now.rss >> 10:,} KiB,"
            f" {now.descriptors} descriptors, {seen['messages']:,} messages, {seen['returned']:,} returned",
            flush=True,
        )

    def _late(self) -> float:
        name = "lbcontrol_event_loop_lag_seconds"
        samples = self._plane.metrics()
        return samples[f"{name}_count"] - samples[f'{name}_bucket{{le="0.1"}}']

    def _judge(self, seen: dict[str, int]) -> bool:
        before, after = (statistics.median(part) for part in (self.memory[:SAMPLES], self.memory[-SAMPLES:]))
        grown = after / before - 1
        print(
            f"memory {grown:+.1%} ({int(before) >> 10:,} to {int(after) >> 10:,} KiB); {self.lost} updates lost,"
            f" {self.late} calms late;"
            f" slowest calm {self.slowest:.2f} s; {seen['backwards']} went backwards, {seen['broken']} ended by the"
            f" server, {seen['returned']:,} reconnects, {seen['messages']:,} messages"
        )
        flat = grown <= ALLOWED or after - before <= ALLOWED_BYTES
        return flat and not self.lost and not seen["backwards"] and not seen["broken"]


def file(service: int, change: int) -> tuple[str, str]:
    """Return name and text of a service file whose last endpoint says which change this is."""
    ends = {f"10.0.{service}.{number}:8080": 1 for number in range(1, ENDPOINTS)}
    return f"s{service}.yaml", services_yaml(f"s{service}", ends | {f"{mark(service, change)}:8080": 1})


def soak(given: argparse.Namespace, home: Path) -> bool:
    """Start both processes, run, and end them whatever happens."""
    plane = ControlPlane(home / "plane", env=UNMEASURED)
    try:
        plane.start(dict(file(service, 0) for service in range(SERVICES)))
        with swarm(plane.grpc, home / "swarm.log") as streams:
            return Soak(plane, streams, given).run()
    finally:
        plane.kill9()


def main() -> None:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1_200.0)
    parser.add_argument("--streams", type=int, default=5_000)
    parser.add_argument("--reconnects", type=float, default=50.0)
    parser.add_argument("--changes", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        well = soak(given, Path(home))
    raise SystemExit(0 if well else 1)


if __name__ == "__main__":
    main()
