"""Attacks on a control plane beside honest streams, measured from outside: processor time, memory, stalls, losses."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import swarm_wire as wire
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.hostile import Flood, Held
from tests.support.procs import UNMEASURED, Proc
from tests.support.swarm_wire import mark
from tests.support.vitals import vitals
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
HONEST = 100
ROUNDS = 5
HOLDERS = 20
"""Connections of an attack that takes its time."""
DRIP_SECONDS = 0.25
SETTLE_SECONDS = 30.0
CHUNK = 16_384
LAG = "lbcontrol_event_loop_lag_seconds"
STALL = 'le="0.02"'
"""Bucket of that histogram above which the loop is said to have stalled."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack came to."""

    cpu: float
    """Seconds of processor time that one attacking connection cost, with its end; the least of all rounds."""
    memory: int
    """Bytes that resident memory grew in the first round."""
    stalls: int
    """How often the loop was late by more than 20 ms, over all rounds."""
    waited: float
    """Seconds the server's thread did not get a core meanwhile: stalls of that length are the machine's."""
    refused: int
    """How often the attack was refused by one of its words; once a round and once more."""
    told: tuple[int, str] | None
    """Code and words of the last GOAWAY that arrived; None when TCP's reset overtook each of them."""
    behind: int
    """Honest streams that missed a change."""


def service_file(change: int) -> dict[str, str]:
    """The one service that honest streams follow; its last endpoint says which change this is."""
    ends = {f"10.0.0.{number}:8080": 1 for number in range(1, 20)} | {f"{mark(0, change)}:8080": 1}
    return {"s0.yaml": services_yaml("s0", ends)}


def attack(address: str, data: bytes) -> tuple[int, str] | None:
    """Send everything, read to the end; return code and words of the GOAWAY, if it arrived before TCP's reset."""
    got = b""
    with connected(address) as sock, contextlib.suppress(OSError):
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(data), CHUNK):
                sock.sendall(data[at : at + CHUNK])
        while more := sock.recv(65_536):
            got += more
    return next((goodbye for goodbye in goodbyes(got)), None)


def goodbyes(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield code and words of each GOAWAY in what a connection received."""
    at = 0
    while len(data) - at >= wire.HEAD_BYTES:
        start = at + wire.HEAD_BYTES
        end = start + int.from_bytes(data[at : at + 3], "big")
        if data[at + 3] == wire.GOAWAY and end <= len(data):
            yield int.from_bytes(data[start + 4 : start + 8], "big"), data[start + 8 : end].decode()
        at = end


def connected(address: str) -> socket.socket:
    """Return a connection to the server."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20.0)


def drip(peers: list[socket.socket], data: bytes, at: int | None) -> None:
    """Send one byte on each connection; those that are ended do not mind."""
    if at is not None:
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(data[at : at + 1])


def is_over(peer: socket.socket) -> bool:
    """Return whether the server has closed the connection; what it said before is read and dropped."""
    peer.settimeout(5.0)
    try:
        while peer.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


class Siege:
    """A control plane with its honest streams."""

    def __init__(self, plane: ControlPlane, swarm: Proc) -> None:
        """Keep both; they run."""
        self._plane = plane
        self._swarm = swarm
        self._changes = itertools.count(1)
        assert plane.proc is not None
        self.pid = plane.proc.popen.pid
        self.idle = 0.0
        """Processor time in a second of peace, in seconds."""

    def begin(self) -> None:
        """Open the honest streams and see what peace costs."""
        self._swarm.ask({"cmd": "open", "n": HONEST, "services": 1, "each": 1})
        self.behind()
        before, began = vitals(self.pid), time.monotonic()
        time.sleep(1.0)  # the time over which peace is measured
        self.idle = (vitals(self.pid).cpu - before.cpu) / (time.monotonic() - began)

    def change(self) -> int:
        """Make a change; returns which."""
        number = next(self._changes)
        self._plane.write(service_file(number))
        return number

    def settled(self, change: int) -> int:
        """Return how many honest streams have not been told of this change after a generous time."""
        command = {"cmd": "settle", "changes": {"0": change}, "seconds": SETTLE_SECONDS}
        return int(self._swarm.ask(command, timeout=SETTLE_SECONDS + 30.0)["behind"])

    def behind(self) -> int:
        """Make a change and return how many honest streams miss it."""
        return self.settled(self.change())

    def flood(self, flood: Flood, *, rounds: int = ROUNDS) -> Outcome:
        """Attack some times in peace, once more while a change is on its way, and look what it came to."""
        stalls, refused = self._counts(*flood.reasons)
        costs, memory, told, first = [], 0, None, vitals(self.pid)
        for number in range(rounds):
            before, began = vitals(self.pid), time.monotonic()
            told = attack(self._plane.grpc, flood.send) or told
            self._wait_for_end(before.descriptors)
            after = vitals(self.pid)
            costs.append(after.cpu - before.cpu - self.idle * (time.monotonic() - began))
            memory = memory if number else after.rss - before.rss
        waited = vitals(self.pid).waited - first.waited
        change = self.change()
        told = attack(self._plane.grpc, flood.send) or told
        behind = self.settled(change)
        self._wait_for_end(first.descriptors)
        stalls_after, refused_after = self._counts(*flood.reasons)
        return Outcome(
            min(costs), memory, int(stalls_after - stalls), waited, int(refused_after - refused), told, behind
        )

    def hold(self, held: Held, *, seconds: float) -> Outcome:
        """Let many connections hold on for so long, with a change on its way; then all of them must have been ended."""
        counted = self._plane.metrics().get(held.sample, 0.0)
        stalls, _ = self._counts()
        first, began = vitals(self.pid), time.monotonic()
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(connected(self._plane.grpc)) for _ in range(HOLDERS)]
            for peer in peers:
                peer.sendall(held.send)
            time.sleep(DRIP_SECONDS)  # the server has read it by then
            memory = vitals(self.pid).rss - first.rss
            drips = iter(range(len(held.drip)))
            while time.monotonic() - began < seconds:
                drip(peers, held.drip, next(drips, None))
                time.sleep(DRIP_SECONDS)
            after = vitals(self.pid)
            cpu = after.cpu - first.cpu - self.idle * (time.monotonic() - began)
            behind = self.behind()
            ended = self._plane.metrics().get(held.sample, 0.0) - counted
            ended = min(ended, sum(is_over(peer) for peer in peers)) if held.closes else ended
        late, waited = self._counts()[0] - stalls, after.waited - first.waited
        return Outcome(cpu / HOLDERS, memory // HOLDERS, int(late), waited, int(ended), None, behind)

    def _wait_for_end(self, descriptors: int) -> None:
        wait_until(lambda: vitals(self.pid).descriptors <= descriptors, "the connection is closed")

    def _counts(self, *reasons: str) -> tuple[float, float]:
        """Return how often the loop was late and something was refused for one of the reasons."""
        samples = self._plane.metrics()
        names = [f'lbcontrol_rejected_total{{layer="transport",reason="{reason}"}}' for reason in reasons]
        refused = sum(samples.get(name, 0.0) for name in names)
        return samples[f"{LAG}_count"] - samples[f"{LAG}_bucket{{{STALL}}}"], refused


@contextlib.contextmanager
def besieged(home: Path, limits: str = "") -> Iterator[Siege]:
    """Start a control plane that is not slowed down by coverage, and the honest streams; both end with the block.

    Args:
        home: Directory for files and logs.
        limits: What stands after ``limits:`` in the configuration.
    """
    config = home / "lbcontrol.yaml"
    config.write_text(f"apiVersion: lbcontrol.io/v1alpha1\nkind: Server\nlimits: {{{limits}}}\n")
    plane = ControlPlane(home / "plane", transport="http2", env=UNMEASURED)
    plane.flags += ("--config", str(config))
    try:
        plane.start(service_file(0))
        with swarm(plane.grpc, home / "swarm.log") as honest:
            siege = Siege(plane, honest)
            siege.begin()
            yield siege
    finally:
        plane.kill9()


@contextlib.contextmanager
def swarm(address: str, log: Path) -> Iterator[Proc]:
    """Start the process of honest streams (``tests.support.swarm``); none is open yet."""
    argv = [sys.executable, "-m", "tests.support.swarm", address]
    with Proc(argv, log=log, env={"PYTHONPATH": str(ROOT), **UNMEASURED}) as started:
        started.line(20.0)
        yield started
