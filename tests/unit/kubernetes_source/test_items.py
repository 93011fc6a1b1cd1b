"""A list answer, taken apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.sources.kubernetes.items import split

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.lists(VALUES), st.dictionaries(st.text().filter(lambda key: key != "items"), VALUES), st.sampled_from([None, 1])
)
def test_items_and_the_rest_are_as_json_has_them(items: list[Any], rest: dict[str, Any], indent: int | None) -> None:
    """Whatever stands where, and with whatever space."""
    keys = sorted([*rest, "items"])
    text = json.dumps({key: items if key == "items" else rest[key] for key in keys}, indent=indent)
    head: dict[str, Any] = {}
    assert list(split(f" {text}\n", head)) == items
    assert head == rest


def test_null_items_are_none() -> None:
    """Go writes an empty list as null."""
    head: dict[str, Any] = {}
    assert list(split('{"items": null}', head)) == []


CUT = ["", "[]", "{", '{"items"', '{"items": [', '{"items": [1', '{"a": }']
GARBLED = ['{"items": [1 2]}', '{"items": [1], x}', '{"a": 1 "b": 2}', "{1: 2}x", '{"items": [1,]}']


@pytest.mark.parametrize("text", CUT + GARBLED)
def test_what_is_no_list_is_refused(text: str) -> None:
    """A cut or garbled answer is an error and never a shorter list."""
    with pytest.raises(ValueError):
        list(split(text, {}))
