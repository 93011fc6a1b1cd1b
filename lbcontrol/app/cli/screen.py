"""Data on stdout: tables for people, JSON and YAML for programs, names for shells."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lbcontrol.app.cli.choices import Color, Format
from lbcontrol.app.cli.failures import wants_color
from lbcontrol.model.text import printable

API_VERSION = "lbcontrol.io/v1"
"""Of the JSON and YAML this command prints."""
GAP = 3
"""Spaces between two columns."""
TIGHT_GAP = 2
"""The same where the terminal is narrow."""
READABLE = 8
"""Width down to which the other columns give way before the first one does."""
UNCUT = 100_000
"""Width of a table that goes to a file or a pipe, in columns."""
TONES = {
    "●": "green",
    "√": "green",
    "serving": "green",
    "current": "green",
    "◐": "yellow",
    "‼": "yellow",
    "draining": "yellow",
    "behind": "yellow",
    "▲": "magenta",
    "✕": "red",
    "×": "red",  # noqa: RUF001 - the glyph of an error in `check`
    "NACK": "red",
}
"""Colour of a cell that holds this mark or word; the word is always there too."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    wide: bool = False
    """True: shown with ``-o wide`` only."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Some things of one kind, ready to print in any form."""

    kind: str
    """Of the list in JSON: ``ServiceList``."""
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str]]
    names: Sequence[str]
    items: Sequence[Mapping[str, object]]
    compared: object = None
    """What must differ for ``--watch`` to print again, so that a growing age is no news."""


def width() -> int:
    """Return how wide a table may be: as the terminal is, or uncut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT


def show(listing: Listing, form: Format, *, color: Color, line: bool = False) -> None:
    """Print a listing; ``line`` puts JSON on one line."""
    if form is Format.NAME:
        text = "\n".join(map(printable, listing.names))
    elif form in (Format.TABLE, Format.WIDE):
        text = table_text(listing, wide=form is Format.WIDE, color=wants_color(color), columns=width())
    else:
        text = document_text(envelope(listing.kind, listing.items), json_form=form is Format.JSON, line=line)
    if text:
        print(text, flush=True)


def envelope(kind: str, items: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the outer object of everything printed as JSON or YAML."""
    return {"apiVersion": API_VERSION, "kind": kind, "items": list(items)}


def document_text(document: Mapping[str, object], *, json_form: bool, line: bool = False) -> str:
    """Return a document as JSON or YAML."""
    text = json.dumps(document, ensure_ascii=False, indent=None if line else 2)
    is_plain = text.replace("\n", "").isprintable()
    if json_form:
        return text if is_plain else json.dumps(document, indent=None if line else 2)
    import yaml

    values = json.loads(text)  # YAML writes plain values only, and words are a kind of enum
    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=is_plain, explicit_start=line)).rstrip("\n")


def table_text(listing: Listing, *, wide: bool, color: bool, columns: int) -> str:
    """Return a table at most ``columns`` wide; titles break first, then cells are cut."""
    rows = [[printable(text) for text in row] for row in listing.rows]
    chosen = [place for place, column in enumerate(listing.columns) if wide or not column.wide]
    titles = [listing.columns[place].title for place in chosen]
    widths = [max(len(title), _widest(rows, place)) for title, place in zip(titles, chosen, strict=True)]
    gap = GAP
    if sum(widths) + gap * (len(widths) - 1) > columns:
        gap, titles = TIGHT_GAP, [title.replace(" ", "\n") for title in titles]
        parts = [max(map(len, title.split("\n"))) for title in titles]
        widths = [max(part, _widest(rows, place)) for part, place in zip(parts, chosen, strict=True)]
        widths = squeezed(widths, columns - gap * (len(widths) - 1))
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0), header_style="")
    for title, size in zip(titles, widths, strict=True):
        table.add_column(title, width=size, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(_cell(row[place], color=color) for place in chosen))
    console = Console(
        file=io.StringIO(),
        width=columns,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
    )
    with console.capture() as captured:
        console.print(table)
    return "\n".join(text.rstrip() for text in captured.get().splitlines())


def painted(text: str, tone: str, *, color: bool) -> str:
    """Return a text in one of the colours of ``TONES``."""
    codes = {"green": "32", "yellow": "33", "magenta": "35", "red": "31"}
    return f"\x1b[{codes[tone]}m{text}\x1b[0m" if color else text


def squeezed(widths: Sequence[int], total: int) -> list[int]:
    """Return widths that add up to at most ``total``: the widest give way first, names in the first column last."""
    name, *left = widths
    while left and name + sum(left) > total and max(left) > READABLE:
        left[left.index(max(left))] -= 1
    every = [name, *left]
    while sum(every) > max(total, len(every)):
        every[every.index(max(every))] -= 1
    return every


def _widest(rows: Sequence[Sequence[str]], place: int) -> int:
    return max((len(row[place]) for row in rows), default=0)


def _cell(text: str, *, color: bool) -> Text:
    words = text.split()
    tone = next((tone for word, tone in TONES.items() if any(each.startswith(word) for each in words)), "")
    return Text(text, style=tone if color else "")
