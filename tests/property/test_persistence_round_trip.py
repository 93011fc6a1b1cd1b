"""Whatever the model can say survives its document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.model.assignment import Assignment, Decision, Mark
from lbcontrol.model.overrides import Override
from lbcontrol.runtime.documents import document_of, value_of
from lbcontrol.runtime.registrations import ServiceRegistrations
from lbcontrol.stores.envelope import opened, sealed

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(float, NUMBER)
MARKS = st.builds(Mark, st.integers(0, 2**63), st.integers(0, 2**63))
ASSIGNMENTS = st.dictionaries(TEXT, st.from_type(Assignment), max_size=3)
DECISIONS = st.builds(Decision, mark=MARKS, assignments=ASSIGNMENTS)


@given(st.one_of(DECISIONS, st.from_type(Override), st.from_type(ServiceRegistrations)))
def test_every_value_round_trips(value: Decision | Override | ServiceRegistrations) -> None:
    """Through the document, its JSON text and the sealed file, the value comes back equal."""
    document = document_of(value)
    assert value_of(type(value), json.loads(json.dumps(document))) == value
    key, read = opened(sealed("kind/name", document))
    assert (key, value_of(type(value), read)) == ("kind/name", value)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["service", "mark", "assignments", "aliases", "rules", "removed"]), JSON))
def test_strange_documents_raise_value_error_only(document: dict[str, Any]) -> None:
    """A document of another build or a damaged one is refused, never half read."""
    try:
        read = value_of(Decision, document)
    except ValueError:
        return
    assert isinstance(read, Decision)


@given(st.binary(max_size=200))
def test_strange_files_raise_value_error_only(content: bytes) -> None:
    """The same for whatever stands in a file."""
    try:
        opened(content)
    except ValueError:
        return
    raise AssertionError("200 random bytes are no sealed document")
