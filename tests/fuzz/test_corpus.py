"""The corpus: what it reaches, what it costs, which known differences it shows."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.fuzz import connections
from tests.fuzz.__main__ import LEAST_PERCENT
from tests.fuzz.differences import KNOWN
from tests.fuzz.growth import measure
from tests.fuzz.inputs import CORPUS, bytes_of, read_corpus, text_of
from tests.fuzz.runner import TARGETS

MOST_BYTES = 2_000_000
"""Memory that one connection may cost (RELIABILITY: P8), input and events included."""


def test_corpus_takes_the_branches_of_http2() -> None:
    """Alone, in a process of its own, without any other test; each input keeps every rule."""
    branches, lines, gaps = measure()
    print(f"corpus alone: {branches:.1f} % of branches, {lines:.1f} % of lines")
    assert branches >= LEAST_PERCENT, gaps


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_costs_much_memory(name: str) -> None:
    """Ours alone, at its highest while an input is taken in."""
    target = TARGETS[name]()
    highest = 0
    for data in read_corpus(name):
        tracemalloc.start()
        target.alone(data)
        highest = max(highest, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    print(f"{name}: at most {highest:,} bytes")
    assert 0 < highest <= MOST_BYTES


def test_every_known_difference_is_met() -> None:
    """A line of the table that nothing shows any more has to go."""
    connections.differences.clear()
    for name in ("f1", "f2"):
        for data in read_corpus(name):
            connections.check(data)
    assert [line for line in KNOWN if not connections.differences[line]] == []


def test_inputs_are_read_as_they_were_written() -> None:
    """Lines are short where bytes repeat; the whole corpus is small."""
    for data in (b"", b"\0", b"\0" * 5_000 + b"ab" + b"c" * 40, bytes(range(256))):
        assert bytes_of(text_of(data)) == data
    assert text_of(b"\1" + b"\0" * 5_000) == "01 00*5000"
    assert sum(path.stat().st_size for path in CORPUS.glob("*.txt")) < 300_000
