"""How fast a change of an EndpointSlice reaches clients, beside other control planes that watch the same API server.

A real kube-apiserver on a real etcd holds 100 Services of 100 endpoints. The servers are started alone, in turns. The
generator of the fan-out benchmark is every client, and the one that PUTs: each PUT gives one endpoint of svc-0 another
address. Generator, API server and etcd share the machine's cores with the server. Each run of a scenario replaces its
rows in docs/reference/performance.json, from which docs/reference/performance.md is written.

Run: make bench-kubernetes [ARGS="1k --servers lbcontrol informer --passes 3"]; without names all scenarios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.fanout.servers import NotRunError, built
from benchmarks.kubernetes.cluster import Cluster, cluster
from benchmarks.kubernetes.report import gates, show
from benchmarks.kubernetes.scenarios import SCENARIOS, SERVERS, Scenario
from benchmarks.kubernetes.servers import STARTED
from benchmarks.results import Results, stamp

Found = dict[str, float]


def measure(server: str, scenario: Scenario, made: Cluster, rounds: int) -> Found:
    """Run one server and the generator against it; returns what the generator prints.

    Raises:
        NotRunError: the server cannot be measured here.
    """
    with STARTED[server](made.kubeconfig) as target:
        flags = {**scenario.flags(), **target.flags, "rounds": rounds, "put": made.put}
        flags |= {"port": target.port, "pid": target.pid}
        words = [f"-{key}={value}" for key, value in flags.items()]
        done = subprocess.run([built("generator"), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRunError("; ".join(done.stderr.splitlines()) or f"the generator ended with {done.returncode}")
    if done.stderr:
        print(f"  {done.stderr.strip()}", file=sys.stderr)
    found: Found = json.loads(done.stdout)
    return found


def run(scenario: Scenario, servers: Sequence[str], made: Cluster, *, passes: int, rounds: int) -> Results:
    """Let the servers take turns; keep the medians of each as soon as there are any, or why there are none."""
    found: dict[str, list[Found]] = {name: [] for name in servers}
    results = Results.read()
    for number in range(passes):
        for name in servers:
            try:
                found[name].append(measure(name, scenario, made, rounds))
            except NotRunError as error:
                row: object = str(error)
                print(f"NOT RUN: {scenario.name}, {name}: {error}", file=sys.stderr)
            else:
                row = {**stamp(), "passes": number + 1, "rounds": rounds, "found": _medians(found[name])}
                print(f"{scenario.name}, pass {number + 1}, {name}: {_line(found[name][-1])}", file=sys.stderr)
            results = Results.keep("kubernetes", scenario.name, {name: row})
    return results


def _line(found: Found) -> str:
    keys = (
        "after_p50_ms",
        "after_p99_ms",
        "after_last_ms",
        "us_per_change_and_stream",
        "cpu_ms_per_change",
        "failures",
    )
    return ", ".join(f"{key} {found[key]:.1f}" for key in keys)


def _medians(runs: Sequence[Found]) -> Found:
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
    words = given.servers or [""]
    servers = [name for name in SERVERS if any(word in name for word in words)]
    try:
        built("generator")
        with cluster() as made:
            for scenario in SCENARIOS:
                if given.scenarios and scenario.name not in given.scenarios:
                    continue
                passes, rounds = given.passes or scenario.passes, given.rounds or scenario.rounds
                results = run(scenario, servers, made, passes=passes, rounds=rounds)
                print(show(scenario, results.rows("kubernetes", scenario.name)))
    except NotRunError as error:
        raise SystemExit(f"NOT RUN: {error}") from error
    print(gates(Results.read()))


if __name__ == "__main__":
    main()
