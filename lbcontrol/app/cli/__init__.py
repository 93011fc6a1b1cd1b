"""Command line of lbcontrol: verbs, flags, exit codes, output.

``grammar`` names the verbs, ``options`` their flags, ``verbs`` holds one file for each; everything that is slow to
import is imported by a verb when it runs, so that ``--help`` and ``--version`` answer at once.
Belongs here: what the user types and reads, and calls of our own API as its client.
Does not belong here: what the server does.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line of this process and exit with its code."""
    from lbcontrol.app.cli.failures import prepare_process
    from lbcontrol.app.cli.interrupts import end_on

    prepare_process()
    end_on(signal.SIGINT)
    raise SystemExit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code (``exits``)."""
    if list(arguments) == ["--version"]:
        from lbcontrol import __version__

        print(f"lbcontrol {__version__}")
        return 0
    from lbcontrol.app.cli.grammar import invoke

    return invoke(arguments)
