"""What the demo shows, on a terminal and elsewhere."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import get_type_hints

import pytest
from rich.console import Console

from lbcontrol.app.cli.options import Demo
from lbcontrol.app.demo.options import LETTERS, DemoOptions
from lbcontrol.app.demo.picture import Tick
from lbcontrol.app.demo.run import run
from lbcontrol.app.demo.scenarios import SCENARIOS, Outcome
from lbcontrol.app.demo.screen import ended, line, screen, started
from lbcontrol.app.demo.world import World, last_words


@pytest.fixture
def world() -> Iterator[World]:
    """Two backends that run nowhere; a answered three of four calls."""
    made = World(DemoOptions(backends=2))
    one, other = made.backends
    made.wanted = {one.address: 0.5, other.address: 0.5}
    made.picture.add(Tick(10.0, {one.address: [5.0, 5.0, 5.0], other.address: [205.0]}, []))
    yield made
    asyncio.run(made.close())


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
    for word in ("WANTED", "75.0%", "b killed", "q quit", "lbcontrol get greeter"):
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
    assert capsys.readouterr().err.startswith('error LB918: there is no scenario "kil"')


def test_help_names_every_scenario() -> None:
    """The flag's help and the demo know the same ones."""
    told = get_type_hints(Demo, include_extras=True)["scenario"].__metadata__[0].help
    assert told == f"Break one after the other: {', '.join(SCENARIOS)}."


def test_first_lines_say_whom_to_ask_and_which_ports_are_taken(world: World) -> None:
    """Addresses of both listeners, the command to ask with, and the usual ports that others have."""
    world.taken = (18000, 18001, 18002, 50051, 50052)
    text = "\n".join(started(world))
    assert f"control plane {world.grpc} (operators {world.admin})" in text
    assert "5 ports taken, so others are used: 18000, 18001, 18002, 50051, …" in text
    assert f"lbcontrol get greeter --server {world.grpc}" in text


def test_last_line_says_what_became_of_the_calls(world: World) -> None:
    """Answered and lost calls since the start."""
    assert ended(world) == "ended: 4 calls answered, 0 lost; every process is stopped"


def test_picture_of_all_letters_fits_a_terminal_of_eighty_by_twenty_four() -> None:
    """Nothing wraps or is cut with nine backends, a long message and the control plane stopped."""
    world = World(DemoOptions(backends=len(LETTERS)))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(screen(world, picked="a", happened=["10:00:00  " + "word " * 30] * 9, now=1.0))
    asyncio.run(world.close())
    lines = console.export_text().rstrip("\n").split("\n")
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("timestamp=1 event=starting\nerror LB501: taken\n  do:     stop it\n", "LB501: taken"),
        ("Traceback\n  File x\nOSError: no room\n", "OSError: no room"),
        ("one\ntwo\n", "two"),
    ],
)
def test_last_words_of_a_log_are_its_error(log: str, words: str) -> None:
    """What a failed demo quotes of a child's log is the line that says why."""
    assert last_words(log) == words
