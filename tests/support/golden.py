"""Expected output kept in files: ``LBCONTROL_GOLDEN=write`` writes them anew, for a person to read the difference."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def matches_golden(name: str, text: str) -> None:
    """Compare ``text`` with the file ``name`` below tests/golden; AssertionError when they differ."""
    path = GOLDEN / name
    if os.environ.get("LBCONTROL_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"differs from tests/golden/{name}; LBCONTROL_GOLDEN=write accepts it"
