"""One document in one file: JSON with a format number and a checksum over everything that matters."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

FORMAT = 1
"""Readers refuse other formats; a build that needs another one reads this one too."""
SLUG_CHARS = 60


def file_name(key: str) -> str:
    """Return the file of a document key ``kind/name``: a readable part and a digest, for names of any length."""
    kind, _, name = key.partition("/")
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:SLUG_CHARS]
    return f"{kind}/{slug}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def sealed(key: str, document: Mapping[str, object]) -> bytes:
    """Return the content of the file.

    Raises:
        ValueError: the document holds what JSON cannot say.
    """
    try:
        text = _text(key, document)
    except TypeError as error:
        raise ValueError(f'document "{key}": {error}') from error
    return f'{{"checksum":"{_digest(text)}",{text[1:]}\n'.encode()


def opened(content: bytes) -> tuple[str, Mapping[str, object]]:
    """Return key and document of a file.

    Raises:
        ValueError: damaged, or of another format.
    """
    try:
        read = json.loads(content)
        key, document = read["key"], read["document"]
        good = read["format"] == FORMAT and read["checksum"] == _digest(_text(key, document))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a state document") from error
    if not good or not isinstance(key, str) or not isinstance(document, dict):
        raise ValueError("checksum or format differs")
    return key, document


def _text(key: str, document: Mapping[str, object]) -> str:
    whole = {"document": document, "format": FORMAT, "key": key}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
