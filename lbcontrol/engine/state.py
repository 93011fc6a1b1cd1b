"""What the engine shows of itself: values that may be read while it works on."""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.model.findings import Finding


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source as the engine sees it."""

    name: str
    synced: bool = False
    """It has handed over a full picture at least once."""
    complete: bool = False
    """Nothing of that picture was unreadable, so that a name it does not list does not exist there."""
    stale: Finding | None = None
    """Why it cannot be read; None while it can."""
    stale_since: float | None = None
    """Unix seconds."""
    last_event_at: float | None = None
    """Unix seconds of its last sign of life."""
    services: int = 0
    endpoints: int = 0
