"""What the demo shows, on a terminal and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from lbcontrol.app.demo.options import DemoOptions
from lbcontrol.app.demo.picture import Tick
from lbcontrol.app.demo.run import run
from lbcontrol.app.demo.scenarios import Outcome
from lbcontrol.app.demo.screen import line, screen
from lbcontrol.app.demo.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Two backends that run nowhere; a answered three of four calls."""
    made = World(DemoOptions(backends=2))
    one, other = made.backends
    made.wanted = {one.address: 0.5, other.address: 0.5}
    made.picture.add(Tick(10.0, {one.address: [5.0, 5.0, 5.0], other.address: [205.0]}, []))
    yield made
    made.home.rmdir()


def test_line_says_seen_and_wanted_and_state(world: World) -> None:
    """Without a terminal one line holds the whole picture in words."""
    text = line(world, now=10.1)
    assert "a 75%/50% ✕ killed" in text
    assert "lost 0" in text
    assert "control plane stopped" in text


@pytest.mark.parametrize("width", [80, 140])
def test_screen_shows_every_backend_and_the_keys(world: World, width: int) -> None:
    """The table has a row per backend at any width, and the same picture as a command."""
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  closed with the test
    console.print(screen(world, picked="b", happened=["10:00:00  b killed"], now=10.1))
    text = " ".join(console.export_text().split())
    console.file.close()
    for word in ("WANTED", "75.0%", "b killed", "q quit", "lbcontrol watch greeter"):
        assert word in text


def test_outcome_names_each_promise_that_was_broken() -> None:
    """Late, never, and calls lost beyond those in flight are three complaints."""
    outcome = Outcome("kill", lost=3, allowed=2)
    outcome.took("no call", 1.5, limit=1.0)
    outcome.took("first call", None, limit=2.0)
    outcome.took("fine", 0.5, limit=2.0)
    assert not outcome.recovered
    assert outcome.problems() == [
        "no call: 1.5 s, promised 1.0 s",
        "first call: never, promised 2.0 s",
        "3 calls lost, at most 2 could not be saved",
    ]


def test_unknown_scenario_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the value and what there is; nothing is started."""
    assert run(DemoOptions(scenarios=("kil",))) == 2
    assert '"kil"' in capsys.readouterr().err
