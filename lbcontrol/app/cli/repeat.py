"""``--watch`` of what the server cannot stream: ask again, print when it differs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from lbcontrol.app.cli.choices import Color, Format
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.screen import Listing, show

SPACING = 1.0
"""Seconds between two questions."""


def once_or_again(ask: Callable[[], Listing], form: Format, *, color: Color, watch: bool) -> Exit:
    """Print what ``ask`` returns; with ``watch`` go on until interrupted and print it whenever it differs."""
    before: object = None
    for turn in itertools.count():
        listing = ask()
        if turn == 0 or listing.compared != before:
            if turn and form in (Format.TABLE, Format.WIDE):
                print()
            show(listing, form, color=color, line=watch)
        if not watch:
            break
        before = listing.compared
        time.sleep(SPACING)
    return Exit.DONE
