"""docs/reference/performance.md, made of performance.json beside it.

Run: python -m benchmarks.page, where the JSON was merged by hand; every benchmark writes the page by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fanout.report import configurations, gates, table, tables
from benchmarks.kubernetes import report as kubernetes
from benchmarks.results import REFERENCE, Results

PAGE = """# Performance

What serving costs, beside other servers on the same machine. `make bench-fanout`, `make bench-kubernetes` and
`make bench-h2spec` measure it and write this page; nothing here is typed by hand. Figures are medians; rows of one
scenario were measured in turns.

{tables}

## How to read the tables

*µs per push* is the CPU time of the server (user and system) per message that reached a client, its acknowledgement
included; *of linear* and *of raw C* are its shares of go-control-plane's LinearCache and of a C program that does
nothing but write the same number of bytes to every socket and throw away what comes in. *First* and *last* are the
times from before the change is asked for until the first and the last stream have it; lbcontrol watches a file, so that
some 0.03 s of both pass until it has held still; *first to last* leaves them out. Reading the changed file is part of
lbcontrol's CPU. *Storm* is the time in which all connect and have every first answer, *memory* the resident memory per
connection and per stream after that, in KiB, *RSS* that of the process in the end, in MiB. Lists of more than 500
endpoints are told in weight classes, which is why lbcontrol's message is the smaller one there; raw C sends as many
bytes as lbcontrol.

The generator runs on the same cores as the server, and whatever else the machine does at the time is in the numbers:
compare rows of one scenario, not scenarios. The last column has the commit, how often the servers took turns and how
many changes were measured each time, and the load average over 1 minute when the row was finished: the figures of a row
with a load far above the number of cores are those of a machine that had other things to do.

## Gates

What was set as a goal before it was measured. *Value* is lbcontrol on http2, as a share where another server is named.

{gates}

## From Kubernetes to clients

An EndpointSlice is PUT to a real kube-apiserver; all servers watch the same one, each alone in its turn. It holds 100
Services of 100 endpoints each; a change gives one endpoint of one of them another address.

{kubernetes}

*After the PUT* is counted from the API server's answer to it, which the server that watches may be faster than; *PUT*
is how long that took. *CPU per change and stream* is the server's (user and system), with all it does to learn of the
change, by the number of streams that are open, whatever they follow. *Memory* is that per connection, in KiB. API
server, etcd and the clients run on the same cores as the server. Clients ask for endpoints alone where nothing else is
said: Istio answers a change with all that was asked for. It serves proxyless gRPC with
`PILOT_MAX_REQUESTS_PER_SECOND` raised, without certificates and webhooks, and with EDS debounce off by
`PILOT_ENABLE_EDS_DEBOUNCE=false`; all servers run without TLS. The slices name no pods, of which Istio would want to
know every one.

{kubernetes_gates}

## HTTP/2 conformance

Cases of h2spec 2.2.1 that pass, each server asked in the same way; nothing is skipped where no number says so.

{h2spec}

## Configurations

Rows not listed here were measured with the defaults.

{configs}

## Machine

{facts}
"""


def page(results: Results) -> str:
    """Return the page."""
    return PAGE.format(
        tables=tables(results),
        gates=gates(results),
        kubernetes=kubernetes.tables(results),
        kubernetes_gates=kubernetes.gates(results),
        h2spec=_h2spec(results),
        configs=configurations(Path(__file__).parent / "fanout" / "configs"),
        facts="\n".join(f"- {name}: {value}" for name, value in results.machine.items()),
    )


def _h2spec(results: Results) -> str:
    lines = []
    for server, row in sorted(results.rows("h2spec", "cases").items(), key=_rank):
        if isinstance(row, str):
            lines.append([server, f"NOT RUN: {row}", "", ""])
        else:
            lines.append([server, _passed(row["plain"]), _passed(row["strict"]), row["date"]])
    return table(["server", "passed", "with --strict", "measured"], lines)


def _rank(item: tuple[str, Any]) -> tuple[int, str]:
    """Most cases passed first, whatever was not run last."""
    name, row = item
    return (1 if isinstance(row, str) else -row["strict"]["passed"]), name


def _passed(counts: Mapping[str, int]) -> str:
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"{counts['passed']} of {counts['cases']}{skipped}"


if __name__ == "__main__":
    (REFERENCE / "performance.md").write_text(page(Results.read()))
