"""Tables as people see them, kept in tests/golden/cli at 80 and at 120 columns."""

from __future__ import annotations

import pytest

from lbcontrol.app.cli import failures, screen
from lbcontrol.app.cli.choices import Color, Format, Report
from lbcontrol.app.cli.outcomes import Outcome, print_outcomes
from lbcontrol.app.cli.verbs import sources
from lbcontrol.model.findings import Finding
from tests.support.golden import matches_golden
from tests.unit.app.cli.world import A, B, Cli

COMMANDS = {
    "services": "services",
    "services-wide": "services -o wide",
    "get": "get greeter",
    "get-as": "get greeter --as client-7f2",
    "clients": "clients",
    "clients-wide": "clients -o wide",
    "clients-behind": "clients --behind",
    "clients-of-cart": "clients cart",
    "sources": "sources",
    "sources-wide": "sources -o wide",
}
"""Name of the golden file, and the command."""


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_table_fits_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, columns: int) -> None:
    """No line is wider than the terminal, and every table looks as it did when a person last looked."""
    monkeypatch.setattr(screen, "width", lambda: columns)
    monkeypatch.setattr(sources, "wall", lambda: 1_700_000_012.0)
    cli.fleet.break_source()
    shown = cli(*COMMANDS[name].split())
    assert (shown.code, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= columns
    matches_golden(f"cli/{name}-{columns}.txt", shown.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_piped_table_is_not_cut(cli: Cli, name: str) -> None:
    """Into a pipe every cell goes whole, however long the line becomes."""
    assert "…" not in cli(*COMMANDS[name].split()).out


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("why", f"why greeter {A}"),
        ("why-client", f"why greeter {A} --client client-7f2"),
        ("why-rejected", "why cart --client client-9c1"),
        ("why-all", "why greeter"),
    ],
)
def test_why_reads_as_text(cli: Cli, name: str, command: str) -> None:
    """Share and weight first, then a line for each step, then how the client was told and what it thinks of that."""
    shown = cli(*command.split())
    assert (shown.code, shown.err) == (0, "")
    matches_golden(f"cli/{name}.txt", shown.out)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("services", ["cart", "greeter"]),
        ("get greeter", ["10.0.1.7:50051", "10.0.2.9:50051", "10.0.3.1:50051"]),
        ("clients", ["client-7f2", "client-9c1"]),
        ("sources", ["local"]),
        ("why greeter", [A, B]),
    ],
)
def test_name_output_is_one_name_a_line(cli: Cli, command: str, names: list[str]) -> None:
    """``-o name`` feeds shells: names and nothing else."""
    assert cli(*command.split(), "-o", "name").out.split("\n") == [*names, ""]


def test_empty_list_prints_its_titles(cli: Cli) -> None:
    """No client at all is still a table, so that a person sees what was asked."""
    cli.fleet.views = []
    assert cli("clients").out.split() == [
        "CLIENT",
        "KIND",
        "SERVICE",
        "SENT",
        "ACK",
        "BEHIND",
        "STREAM",
        "AGE",
        "STATE",
    ]


def test_colour_repeats_what_a_word_or_glyph_says(cli: Cli) -> None:
    """``--color always`` paints cells; without the paint the text is the same."""
    plain = cli("services").out
    painted = cli("services", "--color", "always").out
    assert "\x1b[32m" in painted
    assert "\x1b" not in plain
    for code in ("\x1b[32m", "\x1b[33m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted.split() == plain.split()


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal NO_COLOR turns colour off; the flag outranks it."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert failures.wants_color(Color.AUTO)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not failures.wants_color(Color.AUTO)
    assert failures.wants_color(Color.ALWAYS)
    assert not failures.wants_color(Color.NEVER)


def test_table_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the width is asked for; elsewhere there is none."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "77")
    assert screen.width() == 77
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert screen.width() == screen.UNCUT


def test_nothing_that_comes_from_outside_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """A client may call itself what it likes: tables, lines, names, JSON and YAML show it escaped."""
    evil = "a\x1b[31m\nb\u202e\x9b"
    listing = screen.Listing("EvilList", (screen.Column("NAME"),), [[evil]], [evil], [{"name": evil}])
    for form in Format:
        screen.show(listing, form, color=Color.NEVER)
    outcomes = [Outcome(evil, Finding("LB301", evil)), Outcome(evil)]
    for report in Report:
        print_outcomes(outcomes, report, color=Color.NEVER)
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert "a\\x1b[31m\\nb\\u202e\\x9b\n" in shown
