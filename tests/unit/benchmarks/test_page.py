"""The performance page is what the benchmarks found, and the scenarios can be run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.fanout.report import show, tables
from benchmarks.fanout.scenarios import HTTP2, LINEAR, SCENARIOS, Gate, Scenario
from benchmarks.fanout.servers import CONFIGS, SERVERS
from benchmarks.page import page
from benchmarks.results import REFERENCE, Results

FOUND = {"us_per_push": 30.0, "last_ms": 100.0, "failures": 0.0}


def test_committed_page_shows_the_committed_rows() -> None:
    """Nobody typed a figure, and a merge left neither file behind: python -m benchmarks.page repairs it."""
    results = Results.read()
    assert tables(results) in (REFERENCE / "performance.md").read_text()
    assert (REFERENCE / "performance.md").read_text() == page(results)


def test_every_scenario_names_servers_and_files_that_exist() -> None:
    """Names are unique, servers can be started, configurations are there, gates compare with the scenario's servers."""
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    for scenario in SCENARIOS:
        assert set(scenario.servers) <= set(SERVERS), scenario.name
        assert not scenario.config or (CONFIGS / scenario.config).is_file(), scenario.name
        assert {gate.than for gate in scenario.gates if gate.than} <= set(scenario.servers), scenario.name


def test_rows_show_shares_and_say_what_was_not_run() -> None:
    """A share is of the row named; a peer that is missing leaves the cell empty instead of a number."""
    scenario = Scenario("s", "title", (HTTP2, LINEAR), gates=(Gate("us_per_push", 0.4, LINEAR),))
    row: dict[str, Any] = {"found": FOUND, "date": "today", "commit": "abc", "passes": 1, "rounds": 2, "load": [0.5]}
    twice = {**row, "found": {**FOUND, "us_per_push": 60.0}}
    assert f"| {HTTP2} | 30.0 | 0.50 |" in show(scenario, {HTTP2: row, LINEAR: twice})
    alone = show(scenario, {HTTP2: row, LINEAR: "go is missing"})
    assert f"| {HTTP2} | 30.0 |  |" in alone
    assert "NOT RUN: go is missing" in alone


def test_rows_of_separate_runs_are_kept_together(tmp_path: Path) -> None:
    """A later run replaces its own rows and leaves the others."""
    Results.keep("fanout", "push-1k", {HTTP2: "one", LINEAR: "two"}, folder=tmp_path)
    Results.keep("fanout", "push-1k", {HTTP2: "three"}, folder=tmp_path)
    assert Results.read(tmp_path).rows("fanout", "push-1k") == {HTTP2: "three", LINEAR: "two"}
    assert "NOT RUN: three" in (tmp_path / "performance.md").read_text()
