"""What goes wrong, said in one shape on stderr, and the exit code that goes with it."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType

from lbcontrol.app.cli.choices import Color
from lbcontrol.app.cli.exits import Exit
from lbcontrol.model.errors import (
    ConflictError,
    InvalidRequestError,
    LbControlError,
    LimitExceededError,
    NotFoundError,
)
from lbcontrol.model.findings import Finding, Severity

EXITS: tuple[tuple[type[LbControlError], Exit], ...] = (
    (InvalidRequestError, Exit.USAGE),
    (NotFoundError, Exit.NOT_FOUND),
    (ConflictError, Exit.REFUSED),
    (LimitExceededError, Exit.REFUSED),
)
"""Exit code of each kind of error; what is not listed is FAILED."""


class CommandError(LbControlError):
    """A command that cannot go on; carries its exit code."""

    def __init__(self, *findings: Finding, exit_code: Exit = Exit.FAILED) -> None:
        """Keep the findings and the code."""
        super().__init__(*findings)
        self.exit_code = exit_code


def exit_of(error: LbControlError) -> Exit:
    """Return the exit code of an error."""
    if isinstance(error, CommandError):
        return error.exit_code
    return next((code for kind, code in EXITS if isinstance(error, kind)), Exit.FAILED)


def usage_error(what: str, *, do: str = "lbcontrol --help") -> CommandError:
    """Return the error for a command line that cannot be understood (LB918)."""
    return CommandError(Finding("LB918", what, do=do), exit_code=Exit.USAGE)


def wants_color(choice: Color, *, stderr: bool = False) -> bool:
    """Return whether to colour what goes to stdout, or to stderr."""
    if choice is not Color.AUTO:
        return choice is Color.ALWAYS
    stream = sys.stderr if stderr else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Write a line for people to stderr, where data never goes."""
    print(text, file=sys.stderr, flush=True)


def report(findings: Iterable[Finding], *, color: bool) -> None:
    """Write findings to stderr."""
    for finding in findings:
        head, *rest = finding.lines()
        if color:
            mark, _, what = head.partition(": ")
            tone = "1;31" if finding.severity == Severity.ERROR else "1;33"
            head = f"\x1b[{tone}m{mark}:\x1b[0m {what}"
        say("\n".join([head, *rest]))


def _report_unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Take the place of Python's stack trace, which ``--debug`` brings back (LB919)."""
    if issubclass(kind, KeyboardInterrupt):
        return
    what = f"{kind.__name__}: {error}".strip().replace("\n", " ")
    do = "run it again with --debug and report what it prints"
    report([Finding("LB919", what, why="this is a fault of lbcontrol", do=do)], color=False)
    if "--debug" in sys.argv:
        traceback.print_exception(kind, error, trace)


def prepare_process() -> None:
    """Give even a fault of ours the shape of an error, and a terminal without our glyphs a ``?`` in their place."""
    sys.excepthook = _report_unforeseen
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
