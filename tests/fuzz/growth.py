"""The corpus: grown by inputs that take a branch no other takes, and measured by the branches it takes alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.connections import differences
from tests.fuzz.differences import Difference
from tests.fuzz.inputs import Target, read_corpus, write_corpus
from tests.fuzz.runner import TARGETS, verdict

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = str(ROOT / "lbcontrol" / "http2")
TRIES = 150
"""Attempts to shorten an input before it is kept."""
Arc = tuple[CodeType, int, int] | Difference


class Branches:
    """The steps from line to line that inputs take in ``lbcontrol.http2``, and the known differences they show."""

    def __init__(self) -> None:
        """Begin with none."""
        self._now: set[Arc] = set()

    def of(self, target: Target, data: bytes) -> frozenset[Arc]:
        """Return the steps of one input."""
        self._now = set()
        differences.clear()
        sys.settrace(self._called)
        try:
            verdict(target, data)
        finally:
            sys.settrace(None)
        return frozenset(self._now | differences.keys())

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        del event, arg
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return None
        last = -1
        taken = self._now

        def step(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal last
            del arg
            if event in ("line", "return"):
                line = frame.f_lineno if event == "line" else -2
                taken.add((code, last, line))
                last = line
            return step

        return step


def distilled(target: Target, inputs: list[bytes]) -> list[bytes]:
    """Return the inputs that take a step no shorter one takes."""
    branches = Branches()
    known: set[Arc] = set()
    kept = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        found = branches.of(target, data)
        if not found <= known:
            known |= found
            kept.append(data)
    return kept


def grow(name: str, *, seed: int, count: int) -> int:
    """Try ``count`` new inputs and keep those that take new steps, shortened; return how many are kept in all."""
    target = TARGETS[name]()
    rng = Random(f"grow {name} {seed}")
    branches = Branches()
    inputs = read_corpus(name)
    known: set[Arc] = set()
    for data in inputs:
        known |= branches.of(target, data)
    for _ in range(count):
        data = target.make(rng)
        new = branches.of(target, data) - known
        if new:
            data = _shortened(target, data, branches, new)
            known |= branches.of(target, data)
            inputs.append(data)
    inputs = distilled(target, inputs)
    write_corpus(name, inputs)
    return len(inputs)


def _shortened(target: Target, data: bytes, branches: Branches, new: frozenset[Arc]) -> bytes:
    tries, step = TRIES, len(data) // 2
    while step and tries > 0:
        at = 1
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + step :]
            tries -= 1
            if new <= branches.of(target, shorter):
                data = shorter
            else:
                at += step
        step //= 2
    return data


def replay() -> int:
    """Check every input of the corpus; return how many are not as they should be."""
    wrong = 0
    for name, make in TARGETS.items():
        target = make()
        for data in read_corpus(name):
            said = verdict(target, data)
            if said:
                wrong += 1
                print(f"{name} {data[:40].hex()}: {said}")
    return wrong


def measure() -> tuple[float, float, list[str]]:
    """Return the per cent of branches and of lines that the corpus alone takes, and where the gaps are.

    It runs in a process of its own: what was imported before would count as not run.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "rc"
        settings.write_text("[run]\nbranch = true\nsource_pkgs = lbcontrol.http2\n")
        base = [sys.executable, "-m", "coverage"]
        common = [f"--rcfile={settings}", f"--data-file={folder}/data"]
        run = [*base, "run", *common, "-m", "tests.fuzz", "--replay"]
        subprocess.run(run, cwd=ROOT, env=environment, check=True)
        report = Path(folder) / "report.json"
        subprocess.run([*base, "json", *common, "-q", "-o", str(report)], cwd=ROOT, env=environment, check=True)
        read = json.loads(report.read_text())
    total = read["totals"]
    gaps = [
        f"{Path(path).name}: lines {part['missing_lines']}, branches {part['missing_branches']}"
        for path, part in read["files"].items()
        if part["missing_lines"] or part["missing_branches"]
    ]
    branches = 100.0 * total["covered_branches"] / total["num_branches"]
    return branches, 100.0 * total["covered_lines"] / total["num_statements"], gaps
