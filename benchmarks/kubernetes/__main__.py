"""How fast a change of an EndpointSlice reaches clients, beside other control planes that watch the same API server.

A real kube-apiserver on a real etcd holds 100 Services of 100 endpoints. The servers are started alone, in turns. The
generator of the fan-out benchmark is every client, and the one that PUTs: each PUT gives one endpoint of svc-0 another
address. Generator, API server and etcd share the machine's cores with the server. Each run of a scenario replaces its
rows in docs/reference/performance.json, from which docs/reference/performance.md is written.

Run: make bench-kubernetes [ARGS="1k --servers lbcontrol informer --passes 3"]; without names all scenarios.
"""

from __future__ import annotations

from functools import partial

from benchmarks.fanout.servers import NotRunError, built
from benchmarks.kubernetes.cluster import Cluster, cluster
from benchmarks.kubernetes.report import gates, show
from benchmarks.kubernetes.scenarios import SCENARIOS, SERVERS, Scenario
from benchmarks.kubernetes.servers import STARTED
from benchmarks.results import Results
from benchmarks.turns import Found, Turns, asked, chosen, generated

KIND = "kubernetes"
KEYS = (
    "after_p50_ms",
    "after_p99_ms",
    "after_last_ms",
    "us_per_change_and_stream",
    "cpu_ms_per_change",
    "failures",
)


def measure(scenario: Scenario, made: Cluster, server: str, rounds: int) -> Found:
    """Run one server and the generator against it.

    Raises:
        NotRunError: the server cannot be measured here.
    """
    with STARTED[server](made.kubeconfig) as target:
        flags = {**scenario.flags(), **target.flags, "rounds": rounds, "put": made.put}
        return generated({**flags, "port": target.port, "pid": target.pid})


def main() -> None:
    """Measure, print, write."""
    given, scenarios = asked(SCENARIOS, __doc__)
    turns, servers = Turns(KIND, KEYS), chosen(SERVERS, given)
    try:
        built("generator")
        with cluster() as made:
            for scenario in scenarios:
                results = turns.take(scenario, servers, partial(measure, scenario, made), given=given)
                print(show(scenario, results.rows(KIND, scenario.name)))
    except NotRunError as error:
        raise SystemExit(f"NOT RUN: {error}") from error
    print(gates(Results.read()))


if __name__ == "__main__":
    main()
