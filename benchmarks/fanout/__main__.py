"""What pushes and load reports cost, beside other servers that take turns on the same machine.

``lbcontrol serve`` runs as users run it, with a file source, metrics and ACK tracking. The generator (generator/)
shares no code with any server and acknowledges every response. Its CPU is not counted, yet it shares the machine's
cores: compare CPU first, times only side by side. Each run of a scenario replaces its rows in
docs/reference/performance.json, from which docs/reference/performance.md is written.

Run: make bench-fanout [ARGS="push-1k burst --passes 3"]; without names all scenarios, some ten minutes.
"""

from __future__ import annotations

from functools import partial

from benchmarks.fanout.report import show
from benchmarks.fanout.scenarios import RAW, SCENARIOS, Scenario
from benchmarks.fanout.servers import SERVERS, NotRunError, built
from benchmarks.turns import Found, Turns, asked, chosen, generated

KIND = "fanout"
KEYS = ("us_per_push", "us_per_report", "last_ms", "storm_ms", "rss_kib_per_connection", "failures")


def measure(scenario: Scenario, server: str, rounds: int) -> Found:
    """Run one server and the generator against it.

    Raises:
        NotRunError: the server cannot be measured here.
    """
    flags = {**scenario.flags(), "rounds": rounds}
    if server == RAW:
        flags["types"] = "eds"  # It knows no others.
    with SERVERS[server](scenario) as target:
        return generated({**flags, "port": target.port, "trigger": target.trigger, "pid": target.pid})


def main() -> None:
    """Measure, print, write."""
    given, scenarios = asked(SCENARIOS, __doc__)
    try:
        built("generator")
    except NotRunError as error:
        raise SystemExit(f"NOT RUN: {error}") from error
    turns = Turns(KIND, KEYS)
    for scenario in scenarios:
        results = turns.take(scenario, chosen(scenario.servers, given), partial(measure, scenario), given=given)
        print(show(scenario, results.rows(KIND, scenario.name)))


if __name__ == "__main__":
    main()
