"""Runs a target: makes inputs from a seed, checks each, measures, keeps what it finds."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.connections import sequences, transport
from tests.fuzz.headers import blocks
from tests.fuzz.inputs import FindingError, Target
from tests.fuzz.messages import messages

SLOW_SECONDS = 0.1
"""CPU time that our code may take for no input."""


TARGETS: Mapping[str, Callable[[], Target]] = {"f1": transport, "f2": sequences, "f3": blocks, "f4": messages}


@dataclass
class Report:
    """What a run has seen."""

    name: str
    seed: int
    inputs: int = 0
    size: int = 0
    """Bytes of all inputs."""
    seconds: float = 0.0
    """CPU time of checks and of making inputs."""
    slowest: float = 0.0
    """CPU seconds of one input, with its oracles."""
    findings: dict[str, bytes] = field(default_factory=dict)
    """Input by what it showed, the shortest of each."""

    def __str__(self) -> str:
        """One line of figures."""
        rate = self.inputs / self.seconds if self.seconds else 0.0
        return (
            f"{self.name}: {self.inputs:,} inputs of {self.size / max(1, self.inputs):.0f} bytes, seed {self.seed}, "
            f"{self.seconds:.1f} s of CPU ({rate:,.0f}/s), slowest {self.slowest * 1e3:.1f} ms, "
            f"{len(self.findings)} findings"
        )


def verdict(target: Target, data: bytes) -> str:
    """Check one input; return what is wrong, empty when all is well."""
    try:
        target.check(data)
    except FindingError as error:
        return f"FindingError: {error}"
    except Exception as error:  # noqa: BLE001  whatever escapes is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
    return ""


def _is_slow(target: Target, data: bytes) -> bool:
    """True when our part of an input is slow each time: oracles and the machine's own pauses are nobody's finding."""
    for _ in range(3):
        began = time.process_time()
        target.alone(data)
        if time.process_time() - began <= SLOW_SECONDS:
            return False
    return True


def run(name: str, *, seed: int, count: int, seconds: float = float("inf"), most: int = 50) -> Report:
    """Check up to ``count`` inputs of a target, for about so many seconds of wall time, up to ``most`` findings."""
    target = TARGETS[name]()
    rng = Random(f"{name}:{seed}")
    report = Report(name, seed)
    stop = time.monotonic() + seconds
    began = last = time.process_time()
    while report.inputs < count and len(report.findings) < most and (report.inputs % 16 or time.monotonic() < stop):
        data = target.make(rng)
        report.inputs += 1
        report.size += len(data)
        wrong = verdict(target, data)
        now = time.process_time()
        if not wrong and now - last > SLOW_SECONDS and _is_slow(target, data):
            wrong = f"slower than {SLOW_SECONDS} s"
        report.slowest, last = max(report.slowest, now - last), now
        if wrong:
            kept = report.findings.get(wrong)
            report.findings[wrong] = data if kept is None or len(data) < len(kept) else kept
    report.seconds = time.process_time() - began
    return report


def shortened(target: Target, data: bytes, *, tries: int = 3_000) -> bytes:
    """Return a shorter input that shows the same kind of thing: pieces are left out while it still does."""
    kind = verdict(target, data)[:24]
    if not kind:
        return data  # It was slow.
    step = max(1, len(data) // 2)
    while step and tries > 0:
        at = 1
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + step :]
            tries -= 1
            if verdict(target, shorter)[:24] == kind:
                data = shorter
            else:
                at += step
        step //= 2
    return data
