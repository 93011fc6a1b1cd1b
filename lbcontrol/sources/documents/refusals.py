"""What is wrong with a document, before and after it has a place in a file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lbcontrol.model.findings import Finding, Severity

MAX_FINDINGS = 100
"""Most findings told about one file; a broken megabyte must not become ten megabytes of text."""
SHOWN_CHARACTERS = 80
"""Longest piece of a value that is repeated in a message."""
REFUSED_EFFECT = "the whole file is ignored; what it said before stays in force"
"""Effect of every error in a document."""

Loc = tuple[str | int, ...]
"""Path from the root of a document: keys and indices."""


class RefusalError(ValueError):
    """A value is refused; raised by validators of the models, turned into a finding where the place is known."""

    def __init__(self, code: str, what: str, *, why: str = "", do: str = "") -> None:
        """Keep the parts of the later finding."""
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.do = do


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal with its place."""

    line: int
    """1-based."""
    label: str
    """Dotted key, as people say it; empty for the whole document."""
    refusal: RefusalError
    severity: Severity = Severity.ERROR

    def finding(self, path: str) -> Finding:
        """Return it as a finding about the file ``path``."""
        effect = REFUSED_EFFECT if self.severity is Severity.ERROR else ""
        return self._finding(f"{path}:{self.line}", effect)

    def finding_at(self, place: str) -> Finding:
        """Return it as a finding about a document that has no lines."""
        return self._finding(place, "its last good form, if it had one, stays in force")

    def _finding(self, place: str, effect: str) -> Finding:
        at = f"{place}, {self.label}" if self.label else place
        parts = self.refusal
        return Finding(parts.code, parts.what, at, parts.why, effect, parts.do, self.severity)


def findings_of(problems: Iterable[Problem], *, path: str) -> tuple[Finding, ...]:
    """Return all problems of a file as findings in order of lines, the first ``MAX_FINDINGS`` of them."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    findings = [problem.finding(path) for problem in ordered[:MAX_FINDINGS]]
    left = len(ordered) - len(findings)
    if left:
        what = f"{left} more problems"
        findings.append(Finding("LB101", what, path, "only the first are told", REFUSED_EFFECT, "mend those first"))
    return tuple(findings)


def quoted(text: str) -> str:
    """Return ``text`` in double quotes, cut, with everything escaped that a terminal might obey."""
    cut = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    plain = json.dumps(cut, ensure_ascii=False)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in plain)


def shown(value: object) -> str:
    """Return a decoded value as it would be written, cut."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def accepted(values: Sequence[str], given: object = None) -> str:
    """Return the accepted values as a sentence, the closest to ``given`` marked."""
    lower = {value.lower(): value for value in values}
    close = difflib.get_close_matches(given.lower()[:100], lower, n=1) if isinstance(given, str) else []
    guess = lower[close[0]] if close else None
    return "accepted: " + ", ".join(f"{value} (did you mean this?)" if value == guess else value for value in values)
