"""The benchmark's result as a Markdown page: table, date, machine, versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lbcontrol import __version__

PAGE = """# Performance

What a push costs: the CPU time of the server (user and system) per message that reached a client, its acknowledgement
included. `make bench-fanout` measures it and writes this page; nothing here is typed by hand.

{table}

The column *of linear* is the CPU per push as a share of go-control-plane's LinearCache in the same run. *First* and
*last* are the times from before the change is asked for until the first and the last client have it; lbcontrol watches
a file, so that up to 0.35 s of both is its look at the file, which *first to last* leaves out. *Memory* is resident
memory per connection, after all have connected. Reading the changed file is part of lbcontrol's CPU.

How it was measured: {how}

{facts}

The generator runs on the same cores as the server, and whatever else the machine does at the time is in the numbers:
compare rows of one run, not runs.
"""
GO_MODULES = ("github.com/envoyproxy/go-control-plane", "google.golang.org/grpc")


@dataclass(frozen=True, slots=True)
class Row:
    """Medians of one server at one number of connections."""

    server: str
    connections: int
    found: Mapping[str, float]
    """What the generator printed."""


def table(rows: Sequence[Row], *, baseline: str) -> str:
    """Return the rows as a Markdown table."""
    heads = (
        "connections | server | us per push | of linear | message, bytes | first, ms | last, ms | first to last, ms"
        " | storm, ms | memory, KiB | failures"
    )
    lines = [f"| {heads} |", "|" + " --- |" * (heads.count("|") + 1)]
    for row in rows:
        peer = next(each for each in rows if each.server == baseline and each.connections == row.connections)
        got = row.found
        cells = [f"{row.connections:,}", row.server, f"{got['us_per_push']:.1f}"]
        cells.append(f"{got['us_per_push'] / peer.found['us_per_push']:.2f}")
        keys = ("message_bytes", "first_ms", "last_ms", "first_to_last_ms", "storm_ms")
        cells += [f"{got[key]:.0f}" for key in keys]
        cells += [f"{got['rss_kib_per_connection']:.1f}", f"{got['failures']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(rows: Sequence[Row], *, baseline: str, passes: int, rounds: int) -> str:
    """Return the page."""
    how = (
        f"the servers took turns, {passes} times each; medians of the {passes} runs. A run is {rounds} changes after"
        " two that do not count. One stream per connection, plaintext, 100 endpoints."
    )
    facts = "\n".join(f"- {name}: {value}" for name, value in _facts().items())
    return PAGE.format(table=table(rows, baseline=baseline), how=how, facts=facts)


def _facts() -> dict[str, str]:
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    modules = (Path(__file__).parent / "linear" / "go.mod").read_text()
    found = {name: re.search(rf"{re.escape(name)} (v\S+)", modules) for name in GO_MODULES}
    go = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return {
        "Date": time.strftime("%Y-%m-%d", time.gmtime()),
        "Machine": f"{os.cpu_count()} cores, {cpu[1] if cpu else '?'}, {int(memory[1]) >> 20 if memory else '?'} GiB",
        "Load average at the end (1, 5, 15 minutes)": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "System": f"Linux {platform.release()}, Python {platform.python_version()}, {go}",
        "Versions": f"lbcontrol {__version__}, grpcio {version('grpcio')}, "
        + ", ".join(f"{name.rpartition('/')[2]} {found_[1]}" for name, found_ in found.items() if found_),
    }
