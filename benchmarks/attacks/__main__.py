"""What known attacks on HTTP/2 servers cost `lbcontrol serve` beside 100 honest streams: docs/reference/attacks.md.

    python -m benchmarks.attacks

The attacks are those of tests/support/hostile.py, the measuring is that of tests/support/siege.py; tests/e2e asserts
what this prints.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lbcontrol import __version__
from tests.support.hostile import FLOODS, HELD
from tests.support.siege import HOLDERS, HONEST, ROUNDS, Outcome, besieged

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "attacks.md"
IMPATIENT = ", ".join(f"{key}: 2s" for key in sorted({held.limit for held in HELD.values()}))
"""Limits of the second half: what ends by the clock ends while somebody waits."""
HOLD_SECONDS = 10.0
PAGE = """# Attacks

What known attacks cost the server, measured from outside: processor time of the process (schedstat) less that of an
equal time of peace, resident memory, and how often a timer ran more than 20 ms late. Meanwhile {honest} honest streams
are told of changes. `make bench-attacks` measures it and writes this page; nothing here is typed by hand.

{table}

A flood is sent {rounds} times by a connection of its own and once more while a change is on its way; *CPU* is the
least of the rounds, *memory* the growth in the first. Of the attacks that take their time {holders} connections hold on
at once, with `limits: {{{limits}}}`; figures are for each. *Honest streams behind* missed a change. *Loop late* counts
what the rest of the machine did, too: behind it stands how long the server's thread could have run and got no core.
All limits: [limits](limits.md).

{facts}
"""


def row(name: str, ended: str, outcome: Outcome, *, wanted: int) -> str:
    """Return one line of the table."""
    cells = [name, ended, f"{outcome.refused} of {wanted}", f"{max(0.0, outcome.cpu) * 1000:.2f}"]
    cells += [str(max(0, outcome.memory) >> 10), f"{outcome.stalls} ({outcome.waited * 1000:.0f})"]
    cells.append(str(outcome.behind))
    return f"| {' | '.join(cells)} |"


def rows() -> Iterator[str]:
    """Attack; yield a line for each."""
    with tempfile.TemporaryDirectory() as home, besieged(Path(home)) as siege:
        for name, flood in FLOODS.items():
            yield row(name, f"`{flood.reasons[0]}`", siege.flood(flood), wanted=ROUNDS + 1)
    with tempfile.TemporaryDirectory() as home, besieged(Path(home), IMPATIENT) as siege:
        for name, held in HELD.items():
            outcome = siege.hold(held, seconds=HOLD_SECONDS)
            yield row(name, f"`limits.{held.limit}`", outcome, wanted=HOLDERS)


def facts() -> str:
    """Return date, machine and versions."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    found = {
        "Date": time.strftime("%Y-%m-%d", time.gmtime()),
        "Machine": f"{os.cpu_count()} cores, {cpu[1] if cpu else '?'}",
        "Load average at the end (1, 5, 15 minutes)": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "System": f"Linux {platform.release()}, Python {platform.python_version()}, lbcontrol {__version__}",
    }
    return "\n".join(f"- {name}: {value}" for name, value in found.items())


def main() -> None:
    """Measure, print, write."""
    heads = "attack | ended by | ended | CPU, ms | memory, KiB | loop late (ms without a core) | honest streams behind"
    table = [f"| {heads} |", "|" + " --- |" * (heads.count("|") + 1)]
    print("\n".join(table))
    for line in rows():
        print(line, flush=True)
        table.append(line)
    words = {"honest": HONEST, "rounds": ROUNDS, "holders": HOLDERS, "limits": IMPATIENT}
    PATH.write_text(PAGE.format(table="\n".join(table), facts=facts(), **words))


if __name__ == "__main__":
    main()
