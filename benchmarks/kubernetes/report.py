"""The rows of the Kubernetes benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.fanout.report import Cell, figure, found_in, judged, measured, share, table
from benchmarks.fanout.scenarios import Gate
from benchmarks.kubernetes.scenarios import INFORMER, OURS, SCENARIOS, SERVERS, Scenario
from benchmarks.results import Results

COLUMNS: Mapping[str, Cell] = {
    "after the PUT, ms: first": figure("after_first_ms"),
    "p50": figure("after_p50_ms"),
    "p99": figure("after_p99_ms"),
    "last": figure("after_last_ms"),
    "of LinearCache's": share("after_last_ms", INFORMER),
    "PUT, ms": figure("trigger_ms"),
    "µs CPU per change and stream": figure("us_per_change_and_stream", 1),
    "of LinearCache": share("us_per_change_and_stream", INFORMER),
    "ms CPU per change": figure("cpu_ms_per_change", 1),
    "messages to others": figure("messages_to_others"),
    "message, bytes": figure("message_bytes"),
    "storm, ms": figure("storm_ms"),
    "memory": figure("rss_kib_per_connection", 1),
    "failures": figure("failures"),
}


def show(scenario: Scenario, rows: Mapping[str, Any]) -> str:
    """Return the table of one scenario."""
    lines = []
    for server in [name for name in SERVERS if name in rows]:
        row = rows[server]
        if isinstance(row, str):
            lines.append([server, f"NOT RUN: {row}", *[""] * len(COLUMNS)])
            continue
        cells = [cell(found_in(row), rows) for cell in COLUMNS.values()]
        lines.append([server, *cells, measured(row)])
    heads = ["server", *COLUMNS, "measured, commit, passes x rounds, load"]
    return f"### {scenario.title}\n\n" + table(heads, lines)


def tables(results: Results) -> str:
    """Return all tables that there are rows for."""
    found = [(one, results.rows("kubernetes", one.name)) for one in SCENARIOS]
    return "\n\n".join(show(one, rows) for one, rows in found if rows)


def gates(results: Results) -> str:
    """Return what was wanted, beside what was found."""
    lines = []
    for scenario in SCENARIOS:
        rows = results.rows("kubernetes", scenario.name)
        found = found_in(rows.get(OURS))
        lines += [judged(scenario.title, gate, found, found_in(rows.get(gate.than))) for gate in scenario.gates]
        if scenario.alone:
            gate = Gate("cpu_ms_per_change", scenario.most_of_alone, "what it costs with those 50 alone")
            alone = results.rows("kubernetes", scenario.alone)
            lines += [_elsewhere(scenario, gate, server, rows, alone) for server in SERVERS]
    return table(["scenario", "figure", "at most", "goal", "value", "met"], lines)


def _elsewhere(
    scenario: Scenario, gate: Gate, server: str, rows: Mapping[str, Any], alone: Mapping[str, Any]
) -> list[str]:
    """Return the gate for us; of others the value alone."""
    row = judged(scenario.title, gate, found_in(rows.get(server)), found_in(alone.get(server)))
    if server == OURS:
        return row
    return [scenario.title, f"{row[1]}, {server}", "", "", row[4], ""]
