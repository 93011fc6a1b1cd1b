"""What ``check`` and ``validate`` found, printed the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lbcontrol.app.cli import words
from lbcontrol.app.cli.choices import Color, Report
from lbcontrol.app.cli.failures import wants_color
from lbcontrol.app.cli.screen import document_text, envelope, painted
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.text import printable

ERROR = "×"  # noqa: RUF001 - not the letter
"""Stands before an error."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that was looked at."""

    text: str
    """What is well, or what the finding is about."""
    finding: Finding | None = None


def print_outcomes(outcomes: Sequence[Outcome], form: Report, *, color: Color) -> None:
    """Print a line for each outcome and how many findings there are, or a document."""
    if form in (Report.JSON, Report.YAML):
        document = envelope("CheckList", [item(outcome) for outcome in outcomes])
        print(document_text(document, json_form=form is Report.JSON))
        return
    for outcome in outcomes:
        if outcome.finding or form is not Report.SHORT:
            print(_line(outcome, color=wants_color(color)))
    findings = [outcome.finding for outcome in outcomes if outcome.finding]
    if findings:
        print(total(findings))


def item(outcome: Outcome) -> dict[str, object]:
    """Return an outcome for JSON."""
    finding = outcome.finding
    return {"ok": finding is None, "subject": outcome.text, "finding": None if finding is None else asdict(finding)}


def total(findings: Sequence[Finding]) -> str:
    """Return ``2 findings (1 error, 1 warning)``."""
    errors = sum(finding.severity == Severity.ERROR for finding in findings)
    parts = [words.count(n, word) for n, word in ((errors, "error"), (len(findings) - errors, "warning")) if n]
    return f"{words.count(len(findings), 'finding')} ({', '.join(parts)})"


def _line(outcome: Outcome, *, color: bool) -> str:
    finding = outcome.finding
    if finding is None:
        return f"{painted('√', 'green', color=color)} {printable(outcome.text)}"
    bad = finding.severity == Severity.ERROR
    glyph = painted(ERROR, "red", color=color) if bad else painted("‼", "yellow", color=color)
    return f"{glyph} {finding.code} {printable(f'{outcome.text}: {finding.what}')}   → lbcontrol help {finding.code}"
