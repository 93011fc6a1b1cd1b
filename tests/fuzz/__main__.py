"""``make fuzz``: runs targets for a time or a count; with ``--coverage`` or ``--grow`` looks after the corpus."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.growth import grow, measure, replay
from tests.fuzz.inputs import bytes_of, text_of
from tests.fuzz.runner import TARGETS, Report, run, shortened, verdict

FOUND = Path(".fuzz")
"""Where inputs that showed something are written; one line each, as in the corpus."""
LEAST_PERCENT = 95.0
"""Branches of http2 that the corpus has to take."""
SLICE = 50_000
"""Inputs of one seed; a long run goes through seeds, so that any part of it can be repeated alone."""


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=", description=__doc__)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="which (all)")
    parser.add_argument("--seconds", type=float, default=60.0, help="wall time of each target (60)")
    parser.add_argument("--count", type=int, help="inputs of each target, instead of a time")
    parser.add_argument("--seed", type=int, help="first seed; printed, random when left out")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--input", help="check this one input, a line of a corpus, of the one target named")
    parser.add_argument("--replay", action="store_true", help="check the corpus")
    parser.add_argument("--coverage", action="store_true", help="branch coverage of http2 by the corpus alone")
    parser.add_argument("--grow", action="store_true", help="add to the corpus what reaches a new branch")
    return parser.parse_args(arguments)


def _slices(asked: argparse.Namespace, seed: int) -> list[tuple[str, int, int, float]]:
    """Return target, seed, count and seconds of each piece of work."""
    if asked.count is None:
        return [(name, seed, sys.maxsize, asked.seconds) for name in asked.targets]
    found = []
    for name in asked.targets:
        left = asked.count
        for number in range(-(-asked.count // SLICE)):
            found.append((name, seed + number, min(SLICE, left), float("inf")))
            left -= SLICE
    return found


def _one(piece: tuple[str, int, int, float]) -> Report:
    name, seed, count, seconds = piece
    return run(name, seed=seed, count=count, seconds=seconds)


def fuzz(asked: argparse.Namespace) -> int:
    """Run what was asked for; return how many different things were found."""
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**6)
    print(f"fuzz: seed {seed}", flush=True)
    totals: dict[str, list[Report]] = {name: [] for name in asked.targets}
    found = 0
    with ProcessPoolExecutor(asked.jobs) as pool:
        for done in as_completed([pool.submit(_one, piece) for piece in _slices(asked, seed)]):
            report = done.result()
            totals[report.name].append(report)
            found += _tell(report)
    for name, reports in totals.items():
        inputs, cpu = sum(one.inputs for one in reports), sum(one.seconds for one in reports)
        print(f"total {name}: {inputs:,} inputs, seeds {seed} to {seed + len(reports) - 1}, {cpu:.0f} s of CPU")
    print(f"total: {sum(one.inputs for reports in totals.values() for one in reports):,} inputs, {found} findings")
    return found


def _tell(report: Report) -> int:
    at = datetime.now(UTC).strftime("%H:%M:%S")
    print(f"{at} {report}", flush=True)
    for wrong, data in report.findings.items():
        short = shortened(TARGETS[report.name](), data)
        FOUND.mkdir(exist_ok=True)
        with (FOUND / f"{report.name}.txt").open("a") as file:
            file.write(text_of(short) + "\n")
        print(f"  FOUND {wrong}\n  make fuzz ARGS=\"--targets {report.name} --input '{text_of(short)}'\"", flush=True)
    return len(report.findings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of the things; the exit code."""
    asked = options(arguments)
    if asked.input is not None:
        wrong = verdict(TARGETS[asked.targets[0]](), bytes_of(asked.input))
        print(wrong or "all is well")
        return 1 if wrong else 0
    if asked.replay:
        return 1 if replay() else 0
    if asked.grow:
        for name in asked.targets:
            print(f"{name}: {grow(name, seed=asked.seed or 0, count=asked.count or 1_000)} inputs", flush=True)
    if asked.grow or asked.coverage:
        return _tell_coverage()
    return 1 if fuzz(asked) else 0


def _tell_coverage() -> int:
    branches, lines, gaps = measure()
    print("\n".join(gaps))
    print(f"corpus alone: {branches:.1f} % of the branches of lbcontrol.http2, {lines:.1f} % of its lines")
    return 0 if branches >= LEAST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
