"""Nonces: a counter of publications for the whole process, never derived from a version."""

from __future__ import annotations

import itertools

NONE = 0
"""Stands for the empty nonce."""
FOREIGN = -1
"""Stands for a nonce that this process did not make."""


class Nonces:
    """Hands out numbers that grow: a response sent again on a stream gets another one."""

    def __init__(self) -> None:
        """Begin with 1."""
        self._count = itertools.count(1)

    def draw(self) -> int:
        """Return the next nonce."""
        return next(self._count)


def parse_nonce(text: str) -> int:
    """Read a nonce as a client repeats it: our number, ``NONE`` or ``FOREIGN``."""
    if not text:
        return NONE
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return FOREIGN
    return int(text) if text[0] != "0" else FOREIGN
