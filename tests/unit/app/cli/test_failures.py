"""Errors have one shape on stderr, and an exit code that scripts can rely on."""

from __future__ import annotations

import sys

import pytest

from lbcontrol.app.cli import main, run
from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.failures import exit_of, prepare_process, report
from lbcontrol.model.clients import Role
from lbcontrol.model.errors import (
    AccessError,
    ConfigError,
    ConflictError,
    InvalidRequestError,
    LbControlError,
    LimitExceededError,
    NotFoundError,
)
from lbcontrol.model.findings import Finding, Severity
from tests.unit.app.cli.world import A, Cli

FINDING = Finding("LB103", "unknown x", at="a.yaml:9", why="accepted: y", effect="ignored", do="write y")


def test_error_is_at_most_six_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Head, at, why, effect, do, aligned."""
    report([FINDING], color=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "error LB103: unknown x\n  at:     a.yaml:9\n  why:    accepted: y\n  effect: ignored\n  do:     write y\n"
    )


@pytest.mark.parametrize(("severity", "tone"), [(Severity.ERROR, "31"), (Severity.WARNING, "33")])
def test_colour_marks_the_head_alone(capsys: pytest.CaptureFixture[str], severity: Severity, tone: str) -> None:
    """The word error or warning is there all the same."""
    report([Finding("LB103", "a: b", severity=severity)], color=True)
    assert capsys.readouterr().err == f"\x1b[1;{tone}m{severity} LB103:\x1b[0m a: b\n"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ConfigError, 1),
        (AccessError, 1),
        (InvalidRequestError, 2),
        (NotFoundError, 3),
        (ConflictError, 5),
        (LimitExceededError, 5),
    ],
)
def test_every_kind_of_error_has_its_exit_code(kind: type[LbControlError], code: int) -> None:
    """As the page of exit codes says."""
    assert exit_of(kind(FINDING)) == code


def test_server_errors_are_shown_in_the_servers_words(cli: Cli) -> None:
    """Code, text and exit code come from the status details."""
    assert (
        cli("get", "nobody").err
        == 'error LB310: nobody serves "nobody"\n  do:     lbcontrol services lists what there is\n'
    )
    assert cli("drain", "greeter", "web-1:1").code == Exit.USAGE
    cli.native.permits.denied = ((Role.INSPECT, ""),)
    refused = cli("clients")
    assert (refused.code, refused.err.split(":")[0]) == (1, "error LB502")


@pytest.mark.parametrize("verb", [("get",), ("why",), ("get", "-o", "yaml"), ("watch",)])
def test_mistyped_service_is_answered_with_the_closest_one(cli: Cli, verb: tuple[str, ...]) -> None:
    """Whichever listener said that nobody serves it."""
    ended = cli(verb[0], "greter", *verb[1:])
    assert ended.code == Exit.NOT_FOUND
    assert ended.err.splitlines()[:2] == ['error LB310: nobody serves "greter"', '  why:    did you mean "greeter"?']


def test_unreachable_list_of_services_costs_no_answer(cli: Cli) -> None:
    """The error is told without a guess."""
    ended = cli("why", "greter", "--server", "unix:/nowhere/grpc.sock")
    assert (ended.code, "did you mean" in ended.err) == (Exit.NOT_FOUND, False)


def test_unreachable_server_says_what_still_works_and_what_to_do(cli: Cli) -> None:
    """LB910 with cause, effect and next step."""
    ended = cli("services", "--server", "unix:/nowhere/grpc.sock")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error LB910: no lbcontrol answers at unix:/nowhere/grpc.sock\n  why:    ")
    assert "  effect: clients that have a list go on with it\n  do:     start it: lbcontrol serve" in ended.err


@pytest.mark.parametrize("command", ["services --server {admin}", "clients --admin {grpc}"])
def test_mixed_up_listeners_are_named(cli: Cli, command: str) -> None:
    """LB913, not UNIMPLEMENTED."""
    ended = cli(*command.format(admin=cli.admin_address, grpc=cli.server_address).split())
    assert (ended.code, ended.err.split(":")[0]) == (1, "error LB913")


def test_slow_server_is_exit_6(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come within --timeout."""

    async def never(*_: object, **__: object) -> None:
        import asyncio

        await asyncio.Event().wait()

    monkeypatch.setattr(type(cli.fleet), "apply", never)
    ended = cli("drain", "greeter", A, "--yes", "--timeout", "100ms")
    assert (ended.code, ended.err.split(":")[0]) == (6, "error LB912")


def test_failure_without_our_words_is_unforeseen(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status that carries no finding is shown with its code and text."""
    monkeypatch.setattr(type(cli.fleet), "sources", lambda self: 1 / 0)
    ended = cli("sources")
    assert (ended.code, ended.err.split(":")[0]) == (1, "error LB919")
    assert "answered UNKNOWN" in ended.err


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("drian", "No such command 'drian'. Did you mean 'drain', 'undrain'?"),
        ("drain greeter", "Missing argument 'ENDPOINT'"),
        ("services --bogus", "No such option: --bogus"),
        ("services -o html", "Invalid value for '--output' / '-o'"),
        ("services --timeout 5", "Invalid value for '--timeout': \"5\" is not a duration"),
    ],
)
def test_usage_errors_have_the_same_shape(capsys: pytest.CaptureFixture[str], line: str, what: str) -> None:
    """LB918 with the help that would help; exit 2."""
    assert run(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error LB918: {what}")
    assert "  do:     lbcontrol " in printed.err


def test_no_verb_at_all_prints_the_help_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2: nothing was done."""
    assert run([]) == 2
    printed = capsys.readouterr()
    assert (printed.out, "Commands:" in printed.err) == ("", True)


def test_debug_adds_the_stack(cli: Cli) -> None:
    """Behind the error, never in its place."""
    ended = cli("get", "nobody", "--debug")
    assert ended.err.startswith("error LB310")
    assert "Traceback" in ended.err


def test_fault_of_ours_is_no_bare_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """LB919; the stack comes with --debug only."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    prepare_process()
    error = KeyError("items")
    monkeypatch.setattr(sys, "argv", ["lbcontrol", "services"])
    sys.excepthook(KeyError, error, None)
    assert capsys.readouterr().err.startswith("error LB919: KeyError: 'items'\n  why:    this is a fault of lbcontrol")
    monkeypatch.setattr(sys, "argv", ["lbcontrol", "services", "--debug"])
    sys.excepthook(KeyError, error, None)
    assert "\nKeyError: 'items'\n" in capsys.readouterr().err
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == ""


def test_main_exits_with_the_code_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends as the command did."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "argv", ["lbcontrol", "drian"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def test_usage_error_names_value_and_choices_without_words_of_a_library(cli: Cli) -> None:
    """What was written, what is accepted, and nothing about how that was found out."""
    ended = cli("bootstrap", "--language", "cobol")
    assert ended.code == Exit.USAGE
    assert ended.err.startswith("error LB918: Invalid value for '--language': 'cobol' is not one of 'python', 'go'")
