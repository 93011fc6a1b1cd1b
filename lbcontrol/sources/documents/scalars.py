"""Which type a plain YAML scalar has: the core rules of YAML 1.2, less what readers disagree about.

``true``/``false``, ``null``, decimal and hexadecimal numbers mean to every reader what they look like. What YAML 1.1
and 1.2 read differently stays text: ``1:20`` (1.1: 80), ``012`` (1.1: 10, 1.2: 12), ``0o17``, ``1_000``, dates; so
``weight: 012`` is refused, not guessed. ``no``, ``on``, ``yes`` and ``off`` (1.1: booleans) have to be quoted: who
writes ``zone: no`` for a zone in Norway has it right here, and loses it in the next tool that reads the file.
"""

from __future__ import annotations

import re

WORDS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
DISPUTED = frozenset(form for word in ("yes", "no", "on", "off") for form in (word, word.title(), word.upper()))
"""Plain scalars that are booleans to readers of YAML 1.1 and text to those of 1.2."""
INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
REAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
MAX_DIGITS = 400
"""A longer row of digits stays text: converting it takes quadratic time."""


def resolve(text: str) -> object:
    """Return the value of a plain scalar: None, bool, int, float, or the text itself."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > MAX_DIGITS or not (text[0].isdigit() or text[0] in "-+."):
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if REAL.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if ENDLESS.fullmatch(text) else text
