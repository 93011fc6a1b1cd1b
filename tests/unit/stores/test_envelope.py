"""Sealed documents: the bytes are those of one JSON call, however long the document is."""

from __future__ import annotations

import hashlib
import json

import pytest

from lbcontrol.stores.envelope import PART, opened, sealed


@pytest.mark.parametrize("count", [0, 1, PART, PART + 1, 3 * PART, 3 * PART + 7])
def test_a_list_of_any_length_is_written_as_one_call_of_the_encoder_would(count: int) -> None:
    """Making it in parts changes no byte, so that builds before this one read it."""
    document = {"b": {"many": [{"z": n, "a": "ä"} for n in range(count)], "": []}, "a": [[1], {}], "c": {}}
    whole = {"document": document, "format": 1, "key": "kind/name"}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert sealed("kind/name", document) == f'{{"checksum":"{digest}",{text[1:]}\n'.encode()
    assert opened(sealed("kind/name", document)) == ("kind/name", document)


@pytest.mark.parametrize("bad", [float("nan"), b"bytes", {1: 2, "x": 3}])
def test_what_json_cannot_say_is_refused(bad: object) -> None:
    """Also deep inside of a long list."""
    with pytest.raises(ValueError, match=r"kind/name|JSON"):
        sealed("kind/name", {"many": [*range(PART + 1), {"bad": bad}]})
