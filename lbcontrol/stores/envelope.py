"""One document in one file: JSON with a format number and a checksum over everything that matters.

A document of 10,000 endpoints is 1.2 MB. Written by one call of the JSON encoder it keeps every thread of the process
waiting for 18 to 30 ms, the event loop too; so long lists are written in parts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

FORMAT = 1
"""Readers refuse other formats; a build that needs another one reads this one too."""
SLUG_CHARS = 60
PART = 250
"""Items of a list that are written by one call of the encoder: below 1 ms for those of an assignment."""


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
    return f'{{"document":{_in_parts(document)},"format":{FORMAT},"key":{_dumps(key)}}}'


def _dumps(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _in_parts(value: object) -> str:
    """Return what ``_dumps`` returns, made in short steps; mappings of long lists may be nested."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return f"{{{','.join([f'{_dumps(key)}:{_in_parts(value[key])}' for key in sorted(value)])}}}"
    if isinstance(value, list) and len(value) > PART:
        parts = [_dumps(value[begin : begin + PART])[1:-1] for begin in range(0, len(value), PART)]
        return f"[{','.join(parts)}]"
    return _dumps(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
