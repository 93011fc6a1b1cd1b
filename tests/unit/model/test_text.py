"""What comes from outside is shown, never obeyed."""

from __future__ import annotations

import pytest

from lbcontrol.model.findings import Finding
from lbcontrol.model.text import printable, stray_in


@pytest.mark.parametrize(
    ("text", "shown", "stray"),
    [
        ("greeter ü 語 😀", "greeter ü 語 😀", None),
        ("a\x1b[31mb", "a\\x1b[31mb", "U+001B"),
        ("a\r\nb", "a\\r\\nb", "U+000D"),
        ("a\u202eb", "a\\u202eb", "U+202E"),
        ("a\u2028b", "a\\u2028b", "U+2028"),
        ("a\x9bb", "a\\x9bb", "U+009B"),
        ("a\u00a0b", "a\\xa0b", None),
    ],
)
def test_unseen_characters_are_escaped_and_named(text: str, shown: str, stray: str | None) -> None:
    """Escapes, line breaks and direction marks; other scripts are left alone."""
    assert (printable(text), stray_in(text)) == (shown, stray)


def test_finding_stays_within_six_lines_whatever_it_names() -> None:
    """A client chooses what it is called, but not how long our message is."""
    evil = "a\nerror LB000: b\x1b[2J"
    lines = Finding("LB301", evil, at=evil, why=evil, effect=evil, do=evil).lines()
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)
