"""Where the services of a file and their endpoints begin, told from indentation alone.

Nothing here is certain: the text is not parsed. ``again`` leaves out of a file what it knows, has the rest read, and
believes a block only when the parser found the very items on the very lines at which the blocks begin.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

ITEMS = r":(?: ++#.*+| *+)\n(?: *+(?:#.*+)?\n){0,16}+(?P<lead> *+)- "
"""What follows the key of a list whose items stand on lines of their own, up to the first item's dash.

No pattern goes back (``*+``): one that does may take a second for a megabyte of empty lines, and all threads wait.
"""
SERVICES = re.compile(r"services(?<![^\n]services)" + ITEMS)
"""The key stands at the beginning of a line; written so, because a search for a plain word is the quickest."""
ENDPOINTS = re.compile(r"(?:\A *+- |\n ++)(?P<key>endpoints)" + ITEMS)
NEXT_DOCUMENT = re.compile(r"\n(?=(?:---|\.\.\.)(?:[ \t\n]|\Z))")
KEPT_BREAKS = tuple(f"{style}{indent}+" for style in "|>" for indent in ("", *"123456789"))
"""Say of a text over several lines that empty lines after it belong to it: leaving out what follows would change it."""
UNUSUAL = ("\r", "\x85", "\u2028", "\u2029", "\n%")
"""Ends of lines to a YAML parser besides the line feed; and a directive, which ends a document without another mark."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The items of a list, one after another, and what stands around them."""

    head: str
    texts: tuple[str, ...]
    """Each begins with the spaces before its dash, and ends before a line feed; at least one."""
    tail: str
    line: int
    """On which the first item begins, 1-based."""

    def lines(self) -> Iterator[int]:
        """Return the line on which each item begins."""
        return accumulate((text.count("\n") + 1 for text in self.texts[:-1]), initial=self.line)

    def closed(self) -> Sequence[str]:
        """Return the items of which it is sure that nothing is open at their end.

        Another item or the end of what was split follows them. What follows the last one instead may be the rest of a
        text in quotes that looks like another key.
        """
        return self.texts[:-1] if self.tail else self.texts

    def around(self, texts: Iterable[str]) -> str:
        """Return the whole with these items instead."""
        return self.head + "\n".join(texts) + self.tail


def emptied(text: str) -> str:
    """Return as many empty lines as ``text`` has, without the last line feed."""
    return "\n" * text.count("\n")


def services_in(text: str) -> Blocks | None:
    """Return the services of a file; None when it is not written in a way that can be told."""
    if any(each in text for each in UNUSUAL) or any(each in text for each in KEPT_BREAKS if each[0] in text):
        return None
    found = SERVICES.search(text)
    if found is None:
        return None
    start = found.start("lead")
    end = NEXT_DOCUMENT.search(text, start)
    stop = end.start() if end else len(text)
    return _split(text, start, stop, line=text.count("\n", 0, start) + 1, indent=len(found["lead"]))


def endpoints_in(service: str, *, line: int) -> Blocks | None:
    """Return the endpoints of a service that begins on ``line``; None when it has no list of them, or it is unusual."""
    found = ENDPOINTS.search(service)
    if found is None:
        return None
    start, key, lead = found.start("lead"), found.start("key"), found["lead"]
    column = key - service.rfind("\n", 0, key) - 1
    end = _after_list(column, len(lead)).search(service, start)
    stop = end.start() if end else len(service)
    return _split(service, start, stop, line=line + service.count("\n", 0, start), indent=len(lead))


def _split(text: str, start: int, stop: int, *, line: int, indent: int) -> Blocks:
    return Blocks(text[:start], tuple(_before_item(indent).split(text[start:stop])), text[stop:], line)


@functools.lru_cache(maxsize=64)
def _before_item(indent: int) -> re.Pattern[str]:
    return re.compile(rf"\n(?= {{{indent}}}- )")


@functools.lru_cache(maxsize=64)
def _after_list(column: int, indent: int) -> re.Pattern[str]:
    """Return a pattern for the line feed before a line that cannot belong to a list of items at ``indent``.

    Its key stands at ``column``; another key there, or anything left of it, ends the list.
    """
    return re.compile(rf"\n(?! {{{indent}}}- | *+(?:#|\n|\Z))(?= {{0,{column}}}[^ ])")
