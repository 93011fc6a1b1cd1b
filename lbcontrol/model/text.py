"""Text from outside, made fit to be seen: no line break, escape sequence or direction mark of it is obeyed."""

from __future__ import annotations

import unicodedata

OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of what terminals, logs and editors obey instead of showing it."""


def printable(text: str) -> str:
    r"""Return ``text`` on one line, with what cannot be seen escaped: ``\x1b``, ``\n``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def stray_in(text: str) -> str | None:
    """Return the first character that a name or a reason must not have, as ``U+001B``; None when all are fine."""
    if text.isprintable():
        return None
    stray = next((each for each in text if unicodedata.category(each) in OBEYED), None)
    return None if stray is None else f"U+{ord(stray):04X}"
