"""What pushes and load reports cost, beside other servers that take turns on the same machine.

``lbcontrol serve`` runs as users run it, with a file source, metrics and ACK tracking. The generator (generator/)
shares no code with any server and acknowledges every response. Its CPU is not counted, yet it shares the machine's
cores: compare CPU first, times only side by side. Each run of a scenario replaces its rows in
docs/reference/performance.json, from which docs/reference/performance.md is written.

Run: make bench-fanout [ARGS="push-1k burst --passes 3"]; without names all scenarios, some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.fanout.report import show
from benchmarks.fanout.scenarios import RAW, SCENARIOS, Scenario
from benchmarks.fanout.servers import SERVERS, NotRunError, built
from benchmarks.results import Results, stamp

Found = dict[str, float]


def measure(server: str, scenario: Scenario, rounds: int) -> Found:
    """Run one server and the generator against it; returns what the generator prints.

    Raises:
        NotRunError: the server cannot be measured here.
    """
    flags = {**scenario.flags(), "rounds": rounds}
    if server == RAW:
        flags["types"] = "eds"  # It knows no others.
    with SERVERS[server](scenario) as target:
        flags |= {"port": target.port, "trigger": target.trigger, "pid": target.pid}
        words = [f"-{key}={value}" for key, value in flags.items()]
        done = subprocess.run([built("generator"), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRunError("; ".join(done.stderr.splitlines()) or f"the generator ended with {done.returncode}")
    if done.stderr:
        print(f"  {done.stderr.strip()}", file=sys.stderr)
    found: Found = json.loads(done.stdout)
    return found


def run(scenario: Scenario, servers: Sequence[str], *, passes: int, rounds: int) -> Results:
    """Let the servers take turns; keep the medians of each as soon as there are any, or why there are none."""
    found: dict[str, list[Found]] = {name: [] for name in servers}
    results = Results.read()
    for number in range(passes):
        for name in servers:
            try:
                found[name].append(measure(name, scenario, rounds))
            except NotRunError as error:
                row: object = str(error)
                print(f"NOT RUN: {scenario.name}, {name}: {error}", file=sys.stderr)
            else:
                row = {**stamp(), "passes": number + 1, "rounds": rounds, "found": _medians(found[name])}
                print(f"{scenario.name}, pass {number + 1}, {name}: {_line(found[name][-1])}", file=sys.stderr)
            results = Results.keep("fanout", scenario.name, {name: row})
    return results


def _line(found: Found) -> str:
    keys = ("us_per_push", "us_per_report", "last_ms", "storm_ms", "rss_kib_per_connection", "failures")
    return ", ".join(f"{key} {found[key]:.1f}" for key in keys if key in found)


def _medians(runs: list[Found]) -> Found:
    worst = {"failures": max(run["failures"] for run in runs)}
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]} | worst


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("scenarios", nargs="*", help=f"of {', '.join(known)}")
    parser.add_argument("--servers", nargs="+", help="only those with one of these words in their names")
    parser.add_argument("--passes", type=int, help="how often the servers take turns")
    parser.add_argument("--rounds", type=int, help="changes that are measured")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: wanted {', '.join(known)}")
    try:
        built("generator")
    except NotRunError as error:
        raise SystemExit(f"NOT RUN: {error}") from error
    for scenario in SCENARIOS:
        if given.scenarios and scenario.name not in given.scenarios:
            continue
        words = given.servers or [""]
        servers = [name for name in scenario.servers if any(word in name for word in words)]
        results = run(scenario, servers, passes=given.passes or scenario.passes, rounds=given.rounds or scenario.rounds)
        print(show(scenario, results.rows("fanout", scenario.name)))


if __name__ == "__main__":
    main()
