"""A list answer of the API server, taken apart item by item, so that a long one never holds the loop for long.

Decoding 500 EndpointSlices in one call takes tens of milliseconds in which nothing else runs. Here each item is decoded
by a call of its own; whoever reads decides when to let others run.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


def split(text: str, head: dict[str, Any]) -> Generator[Any, None, None]:
    """Yield the items of a list answer.

    Args:
        text: A JSON object with an array ``items`` (Kubernetes API conventions, "Lists and Simple kinds").
        head: Is given everything of it that is not ``items``; complete once the iterator is exhausted.

    Raises:
        ValueError: not JSON, or no object.
    """
    at = _after(text, 0, "{")
    while not _is(text, at, "}"):
        at = _expected(text, at, '"')
        key, at = _value(text, at)
        at = _after(text, at, ":")
        if key == "items" and _is(text, at, "["):
            at = yield from _array(text, at)
        else:
            head[key], at = _value(text, at)
        at = _next(text, at, "}")


def _array(text: str, at: int) -> Generator[Any, None, int]:
    at = _after(text, at, "[")
    while not _is(text, at, "]"):
        item, at = _value(text, at)
        yield item
        at = _next(text, at, "]")
    return _after(text, at, "]")


def _next(text: str, at: int, end: str) -> int:
    """Step over a comma, after which more must come; without one, what is open must end here."""
    if not _is(text, at, ","):
        return _expected(text, at, end)
    at = _after(text, at, ",")
    if _is(text, at, end):
        raise ValueError(f"not JSON: nothing comes after the comma at character {at - 1}")
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    return _DECODER.raw_decode(text, _skip(text, at))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _is(text: str, at: int, sign: str) -> bool:
    return text.startswith(sign, _skip(text, at))


def _expected(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if not text.startswith(sign, at):
        raise ValueError(f'not JSON: "{sign}" expected at character {at}')
    return at


def _after(text: str, at: int, sign: str) -> int:
    return _expected(text, at, sign) + 1
