"""The rows of the fan-out benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fanout.scenarios import GO_LOADS, HTTP2, LINEAR, RAW, SCENARIOS, Gate, Scenario
from benchmarks.results import Results

HANDSHAKE_MS = 0.33
"""CPU of one TLS 1.3 handshake at the server, as measured before there was a server."""
HANDSHAKE_SLACK = 1.5

Rows = Mapping[str, Any]
Cell = Callable[[dict[str, float], Rows], str]


def figure(key: str, digits: int = 0) -> Cell:
    """Return what shows a figure."""
    return lambda found, _: f"{found[key]:,.{digits}f}" if key in found else ""


def share(key: str, than: str) -> Cell:
    """Return what shows a figure as a share of another server's."""

    def cell(found: dict[str, float], rows: Rows) -> str:
        other = found_in(rows.get(than))
        return f"{found[key] / other[key]:.2f}" if other.get(key) else ""

    return cell


PUSH: Mapping[str, Cell] = {
    "µs per push": figure("us_per_push", 1),
    "of linear": share("us_per_push", LINEAR),
    "of raw C": share("us_per_push", RAW),
    "message, bytes": figure("message_bytes"),
    "first, ms": figure("first_ms"),
    "last, ms": figure("last_ms"),
    "of linear's": share("last_ms", LINEAR),
    "first to last, ms": figure("first_to_last_ms"),
    "storm, ms": figure("storm_ms"),
    "memory": figure("rss_kib_per_connection", 1),
    "of a stream": figure("rss_kib_per_stream", 1),
    "RSS": figure("rss_mib"),
    "failures": figure("failures"),
}
BURST: Mapping[str, Cell] = {
    "messages per stream, mean": figure("messages_per_stream_and_round", 1),
    "most": figure("most_messages_of_a_stream"),
    "all changes asked for after, ms": figure("trigger_ms"),
    "last has the last one after, ms": figure("last_ms"),
    "µs per push": figure("us_per_push", 1),
    "failures": figure("failures"),
}
REPORTS: Mapping[str, Cell] = {
    "µs per report": figure("us_per_report", 1),
    "of Go": share("us_per_report", GO_LOADS),
    "reports per second": figure("reports_per_second"),
    "memory": figure("rss_kib_per_connection", 1),
    "failures": figure("failures"),
}
COLUMNS = {"push": PUSH, "burst": BURST, "reports": REPORTS}
HEADINGS = {
    "push": "## One change to all clients",
    "burst": "## Bursts",
    "reports": "## Load reports, one a second from each stream",
}


def found_in(row: Any) -> dict[str, float]:
    """Return the figures of a row; none when it was not run."""
    return row["found"] if isinstance(row, dict) else {}


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def show(scenario: Scenario, rows: Rows) -> str:
    """Return the table of one scenario."""
    columns = COLUMNS[scenario.kind]
    lines = []
    for server in [name for name in scenario.servers if name in rows]:
        row = rows[server]
        if isinstance(row, str):
            lines.append([server, f"NOT RUN: {row}", *[""] * len(columns)])
            continue
        cells = [cell(found_in(row), rows) for cell in columns.values()]
        lines.append([server, *cells, measured(row)])
    note = f" (benchmarks/fanout/configs/{scenario.config})" if scenario.config else ""
    return f"### {scenario.title}{note}\n\n" + table(
        ["server", *columns, "measured, commit, passes x rounds, load"], lines
    )


def measured(row: Mapping[str, Any]) -> str:
    """Return when a row was measured, how, and how busy the machine was."""
    return f"{row['date']}, {row.get('commit', '?')}, {row['passes']} x {row['rounds']}, {row['load'][0]}"


def tables(results: Results) -> str:
    """Return all tables that there are rows for."""
    parts = []
    for kind, heading in HEADINGS.items():
        shown = [one for one in SCENARIOS if one.kind == kind and results.rows("fanout", one.name)]
        if shown:
            parts.append(heading)
            parts += [show(one, results.rows("fanout", one.name)) for one in shown]
    return "\n\n".join(parts)


def gates(results: Results) -> str:
    """Return what was wanted, beside what was found."""
    lines = []
    for scenario in SCENARIOS:
        rows = results.rows("fanout", scenario.name)
        found = found_in(rows.get(HTTP2))
        lines += [judged(scenario.title, gate, found, found_in(rows.get(gate.than))) for gate in scenario.gates]
        if scenario.plain and found:
            plain = found_in(results.rows("fanout", scenario.plain).get(HTTP2))
            lines.append(_handshakes(scenario, found, plain))
    return table(["scenario", "figure", "at most", "goal", "value", "met"], lines)


def judged(title: str, gate: Gate, found: dict[str, float], than: dict[str, float]) -> list[str]:
    """Return the row of a gate: ``found`` are our figures, ``than`` those of which it is a share."""
    limit = f"{gate.most:g} of {gate.than}" if gate.than else f"{gate.most:g}"
    goal = f"{gate.goal:g}" if gate.goal is not None else ""
    base = than.get(gate.key) if gate.than else 1.0
    value = found[gate.key] / base if base and gate.key in found else None
    shown = f"{value:.2f}" if value is not None else "NOT RUN"
    met = "" if value is None else ("yes" if value <= gate.most else "**no**")
    return [title, gate.key.replace("_", " "), limit, goal, shown, met]


def _handshakes(scenario: Scenario, found: dict[str, float], plain: dict[str, float]) -> list[str]:
    """Return how the CPU of a storm over TLS stands to what it should be: that in plaintext, and the handshakes."""
    expected = plain.get("storm_cpu_ms", 0.0) + scenario.connections * HANDSHAKE_MS
    sum_ = f"{plain.get('storm_cpu_ms', 0.0):,.0f} + {scenario.connections:,} x {HANDSHAKE_MS} = {expected:,.0f} ms"
    value = found["storm_cpu_ms"]
    met = "yes" if value <= HANDSHAKE_SLACK * expected else "**no**"
    return [scenario.title, "storm cpu ms", f"{HANDSHAKE_SLACK} of {sum_}", "", f"{value:,.0f}", met]


def configurations(folder: Path) -> str:
    """Return the files that lbcontrol was started with, as they are."""
    texts = [(path.name, path.read_text().strip()) for path in sorted(folder.glob("*.yaml"))]
    return "\n\n".join(f"`benchmarks/fanout/configs/{name}`:\n```yaml\n{text}\n```" for name, text in texts)
