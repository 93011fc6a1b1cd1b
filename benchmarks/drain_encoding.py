"""Which way of telling a stock gRPC client "drained" is better, when each endpoint has a locality of its own?

Two encodings are compared: the endpoint is *kept* with health DRAINING, or its locality is *left out*. go-control-plane
serves the resources, so that nothing but the encoding differs. Every round drains one of three backends (weights
1:2:5, the heaviest) under load and with 1.5 s calls under way, removes it as a registry does when the process has gone,
and adds it again.

Run: .venv/bin/python -m benchmarks.drain_encoding [ROUNDS]. The result is recorded in docs/adr/0004.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.control_group import ControlGroup
from tests.support.backends import Backends
from tests.support.clients import LANGUAGES, Client, Language
from tests.support.require import component
from tests.support.waiting import wait_until

WEIGHTS = (1, 2, 5)
DRAINED = 2
"""Which of the three backends is drained."""
RPS = 300.0
SLOW_CALLS = 16
REST_SECONDS = 1.5
"""How long the load goes on after each step."""
ENCODINGS = ("kept", "left out")


@dataclass(frozen=True, slots=True)
class Round:
    """What one drain and its undoing cost."""

    last_call: float
    """Arrival of the last call at the drained backend, seconds after the push."""
    return_call: float
    """Arrival of the first call there after it was added again, seconds."""
    failed: int
    slow_failed: int
    dialled: tuple[int, int, int]
    """New connections to any backend after the drain, after the removal, after the return."""


def service(addresses: Sequence[str], encoding: str | None) -> dict[str, Any]:
    """The service as the control group wants it; ``encoding`` is None while nothing is drained."""
    endpoints = [
        {"address": address, "weight": weight, "health": "Serving", "key": f"e{number}"}
        for number, (address, weight) in enumerate(zip(addresses, WEIGHTS, strict=True))
    ]
    if encoding == "kept":
        endpoints[DRAINED]["health"] = "Draining"
    if encoding == "left out":
        del endpoints[DRAINED]
    return {"name": "greeter", "endpoints": endpoints}


class Lab:
    """Backends, control group and client of one language."""

    def __init__(self, language: Language, home: Path) -> None:
        """Start everything and open all connections."""
        self.backends = Backends(len(WEIGHTS), log=home / "backends.log")
        self.plane = ControlGroup(component("control-group"))
        self.push(None)
        self.client = Client(language, "xds:///greeter", server=self.plane.ads, log=home / "client.log")
        self.client.call(200)
        self.drained = self.backends.addresses[DRAINED]

    def push(self, encoding: str | None) -> float:
        """Publish; returns the time when every stream had been told."""
        asyncio.run(self.plane.publish([service(self.backends.addresses, encoding)], complete=True))
        return time.monotonic()

    def _is_called_again(self, calls: int) -> bool:
        return self.backends.stats()[self.drained].calls > calls

    def round(self, encoding: str) -> Round:
        """Drain, remove and add again, once, under load."""
        opened = [self.backends.connections()]
        self.client.start_load(RPS)
        self.client.begin_slow_calls(SLOW_CALLS)
        wait_until(lambda: self.backends.stats()[self.drained].in_flight > 0, "slow calls under way")
        pushed = self.push(encoding)
        slow = self.client.finish_slow_calls()
        opened.append(self._rested())
        stats = self.backends.stats()[self.drained]
        self.push("left out")
        opened.append(self._rested())
        returned = self.push(None)
        wait_until(lambda: self._is_called_again(stats.calls), "calls after the return")
        return_call = time.monotonic() - returned
        opened.append(self._rested())
        load = self.client.stop_load()
        drain, removal, added = (len(after - before) for before, after in itertools.pairwise(opened))
        return Round(stats.last_arrival - pushed, return_call, load.failed, slow.failed, (drain, removal, added))

    def _rested(self) -> frozenset[tuple[str, int]]:
        time.sleep(REST_SECONDS)
        return self.backends.connections()

    def stop(self) -> None:
        """End every process."""
        self.client.stop()
        self.plane.stop()
        self.backends.stop()


def measure(language: Language, encoding: str, rounds: int) -> str:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(language, Path(home))
        try:
            seen = [lab.round(encoding) for _ in range(rounds)]
        finally:
            lab.stop()
    last, back = [one.last_call for one in seen], [one.return_call for one in seen]
    cells = [
        f"{1000 * statistics.median(last):.0f} / {1000 * max(last):.0f}",
        f"{1000 * statistics.median(back):.0f} / {1000 * max(back):.0f}",
        f"{sum(one.failed for one in seen)}",
        f"{sum(one.slow_failed for one in seen)} of {rounds * SLOW_CALLS}",
        *(str(sum(one.dialled[step] for one in seen)) for step in range(3)),
    ]
    return f"| {language} | {encoding} | " + " | ".join(cells) + " |"


def main(rounds: int) -> None:
    """Print the table."""
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, {rounds} rounds"
    )
    heads = ["client", "drained endpoint", "last call, ms after push: median / max", "first call after return, ms"]
    heads += ["failed calls", "failed 1.5 s calls", "new connections: drain", "removal", "return"]
    print("| " + " | ".join(heads) + " |")
    print("| --- " * len(heads) + "|")
    for language in LANGUAGES:
        for encoding in ENCODINGS:
            print(measure(language, encoding, rounds), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
