"""What a user may ask of the demo."""

from __future__ import annotations

from dataclasses import dataclass

SERVICE = "greeter"
"""The one service of the demo."""
LETTERS = "abcdefghi"
"""Backends by the letter a user sees; the keys 1 to 9 pick them."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of one run."""

    scenarios: tuple[str, ...] = ()
    """Scripted scenarios to run in order; empty: keys decide."""
    exit_after: float | None = None
    """Seconds after which the demo ends by itself."""
    json_output: bool = False
    """One JSON document at the end instead of a picture."""
    seed: int = 1
    """Seeds the choice of backends in scenarios."""
    backends: int = 6
    rate: float = 250.0
    """Calls per second of the client."""
