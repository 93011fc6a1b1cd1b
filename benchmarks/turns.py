"""Servers that take turns: what the benchmarks beside others share, from the command line to the medians."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from benchmarks.fanout.servers import NotRunError, built
from benchmarks.results import Results, stamp

Found = dict[str, float]
Measure = Callable[[str, int], Found]
"""Measures a server over so many changes; NotRunError when it cannot be measured here."""


class Named(Protocol):
    """A scenario, as far as turns go."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in the results."""
        ...

    @property
    def passes(self) -> int:
        """How often the servers take turns."""
        ...

    @property
    def rounds(self) -> int:
        """Changes that are measured in each."""
        ...


Scenario = TypeVar("Scenario", bound=Named)


def generated(flags: Mapping[str, object]) -> Found:
    """Run the generator with these flags; returns what it prints.

    Raises:
        NotRunError: it could not measure; its own words.
    """
    words = [f"-{key}={value}" for key, value in flags.items()]
    done = subprocess.run([built("generator"), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRunError("; ".join(done.stderr.splitlines()) or f"the generator ended with {done.returncode}")
    if done.stderr:
        print(f"  {done.stderr.strip()}", file=sys.stderr)
    found: Found = json.loads(done.stdout)
    return found


def asked(scenarios: Sequence[Scenario], description: str | None) -> tuple[argparse.Namespace, list[Scenario]]:
    """Return the command line, and the scenarios it names; all without any."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [scenario.name for scenario in scenarios]
    parser.add_argument("scenarios", nargs="*", help=f"of {', '.join(known)}")
    parser.add_argument("--servers", nargs="+", help="only those with one of these words in their names")
    parser.add_argument("--passes", type=int, help="how often the servers take turns")
    parser.add_argument("--rounds", type=int, help="changes that are measured")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: wanted {', '.join(known)}")
    return given, [each for each in scenarios if not given.scenarios or each.name in given.scenarios]


def chosen(servers: Sequence[str], given: argparse.Namespace) -> list[str]:
    """Return the servers that the command line means."""
    words = given.servers or [""]
    return [name for name in servers if any(word in name for word in words)]


class Turns:
    """One benchmark's turns; ``keys`` are the figures of the line that is printed after each."""

    def __init__(self, kind: str, keys: Sequence[str]) -> None:
        """Keep results under ``kind``."""
        self._kind = kind
        self._keys = keys

    def take(self, scenario: Named, servers: Sequence[str], measure: Measure, *, given: argparse.Namespace) -> Results:
        """Let the servers take turns; keep the medians of each as soon as there are any, or why there are none."""
        passes, rounds = given.passes or scenario.passes, given.rounds or scenario.rounds
        found: dict[str, list[Found]] = {name: [] for name in servers}
        results = Results.read()
        for number in range(passes):
            for name in servers:
                try:
                    found[name].append(measure(name, rounds))
                except NotRunError as error:
                    row: object = str(error)
                    print(f"NOT RUN: {scenario.name}, {name}: {error}", file=sys.stderr)
                else:
                    row = {**stamp(), "passes": number + 1, "rounds": rounds, "found": _medians(found[name])}
                    print(f"{scenario.name}, pass {number + 1}, {name}: {self._line(found[name][-1])}", file=sys.stderr)
                results = Results.keep(self._kind, scenario.name, {name: row})
        return results

    def _line(self, found: Found) -> str:
        return ", ".join(f"{key} {found[key]:.1f}" for key in self._keys if key in found)


def _medians(runs: Sequence[Found]) -> Found:
    worst = {"failures": max(run["failures"] for run in runs)}
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]} | worst
