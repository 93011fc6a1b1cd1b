"""Findings: one thing that is wrong, said the same way in terminal, log, status detail and page."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbcontrol.model.text import printable


class Severity(enum.StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something asked for is not done."""
    WARNING = "warning"
    """Done, but not as the user may expect."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem with its place, cause, effect and next step."""

    code: str
    """Stable number ``LBnnn``: 1xx config, 2xx sources, 3xx clients, 4xx guards, 5xx access, 9xx ours."""
    what: str
    """What happened, naming the object the user wrote and the value."""
    at: str = ""
    """Where: ``file:line, key`` or the object."""
    why: str = ""
    """The cause as we know it; for a wrong value, the accepted ones."""
    effect: str = ""
    """What still works."""
    do: str = ""
    """One command or edit."""
    severity: Severity = Severity.ERROR

    def lines(self) -> list[str]:
        """Return the finding as at most six lines of text; nothing in them is obeyed by a terminal."""
        head = f"{self.severity} {self.code}: {printable(self.what)}"
        rest = (("at", self.at), ("why", self.why), ("effect", self.effect), ("do", self.do))
        return [head, *(f"  {name + ':':<7} {printable(text)}" for name, text in rest if text)]

    def __str__(self) -> str:
        return "\n".join(self.lines())
