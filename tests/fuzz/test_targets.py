"""Each target for 10 s, on the inputs of one seed: the same in each run, so that red means a change of the code."""

from __future__ import annotations

import pytest

from tests.fuzz.inputs import text_of
from tests.fuzz.runner import TARGETS, run

SEED = 4
SECONDS = 10.0
TRIED = {"f1": 60_000, "f2": 60_000, "f3": 250_000, "f4": 700_000}
"""Inputs of the seed that were checked when it was chosen; a faster machine goes no further than these."""
LEAST = 50
"""Inputs that the slowest machine checks in that time, under coverage too."""


@pytest.mark.parametrize("name", TARGETS)
def test_target_finds_nothing_new(name: str) -> None:
    """Thousands of inputs keep every rule; make fuzz goes on from other seeds."""
    report = run(name, seed=SEED, count=TRIED[name], seconds=SECONDS)
    print(report)
    assert {wrong: text_of(data) for wrong, data in report.findings.items()} == {}
    assert report.inputs >= LEAST
