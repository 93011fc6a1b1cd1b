"""Drain, undrain, weight: what they change, say, warn of and refuse."""

from __future__ import annotations

import dataclasses

import pytest

from lbcontrol.app.cli import settled
from lbcontrol.app.cli.verbs import writes
from lbcontrol.frontends.admin_ports import Change
from lbcontrol.model.assignment import Mark
from lbcontrol.model.overrides import OverrideKind
from tests.unit.app.cli.world import A, Cli, at, client


def test_drain_says_effect_and_undo_and_warns(cli: Cli) -> None:
    """The effect is data; that it is lost on restart is a warning beside it."""
    ended = cli("drain", "greeter", A, "--reason", "test", "--expires-after", "10m")
    (held,) = cli.fleet.held.values()
    assert (ended.code, ended.out) == (
        0,
        f"{A} draining: 25 % → 0 % of new calls, 3 clients follow. Undo: lbcontrol undrain greeter {A}\n",
    )
    assert ended.err.startswith("warning LB902: lost on restart\n")
    assert (held.kind, held.reason, held.expires_at) == (OverrideKind.DRAIN, "test", held.created_at + 600.0)


def test_flags_may_name_the_server_after_the_verb(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags outrank the environment and stand anywhere behind the verb."""
    monkeypatch.setenv("LBCONTROL_ADMIN", "unix:/nowhere")
    assert cli("drain", "--admin", cli.admin_address, "greeter", A, "--reason", "x").code == 0
    assert cli("undrain", "greeter", "--reason", "x", A, "--admin", cli.admin_address).code == 0


def test_undrain_takes_back_and_fails_when_there_is_nothing(cli: Cli) -> None:
    """Twice is once too often: not found."""
    cli("drain", "greeter", A)
    first, second = cli("undrain", "greeter", A), cli("undrain", "greeter", A)
    assert (first.code, first.out.split(":")[1]) == (0, "50051 no longer drained")
    assert (second.code, second.out, second.err.split(":")[0]) == (3, "", "error LB313")


def test_weight_is_set_and_taken_back(cli: Cli) -> None:
    """The undo line of a first weight is --clear, and it works."""
    given = cli("weight", "greeter", A, "5", "--expires-after", "1h")
    assert f"{A} has weight 5" in given.out
    assert given.out.endswith(f"Undo: lbcontrol weight greeter {A} --clear\n")
    cleared = cli("weight", "greeter", A, "--clear")
    assert "its sources' weight again" in cleared.out
    assert cli.fleet.held == {}


@pytest.mark.parametrize("arguments", [(), ("5", "--clear"), ("0",), ("4294967296",), ("five",)])
def test_weight_refuses_what_is_no_weight(cli: Cli, arguments: tuple[str, ...]) -> None:
    """Neither, both, and numbers a client would reject are usage errors that change nothing."""
    ended = cli("weight", "greeter", A, *arguments)
    assert (ended.code, ended.err.split(":")[0], cli.fleet.held) == (2, "error LB918", {})


@pytest.mark.parametrize("verb", ["drain", "weight"])
def test_dry_run_says_what_would_happen(cli: Cli, verb: str) -> None:
    """Nothing is kept, and the line says so."""
    ended = cli(verb, "greeter", A, *(["7"] if verb == "weight" else []), "--dry-run")
    assert "would" in ended.out
    assert ended.out.endswith("Nothing was changed.\n")
    assert cli.fleet.held == {}
    cli("drain", "greeter", A)
    assert "would be undrained" in cli("undrain", "greeter", A, "--dry-run").out
    assert len(cli.fleet.held) == 1


def test_name_output_of_a_write_is_the_endpoint(cli: Cli) -> None:
    """So that a script can pass it on."""
    assert cli("drain", "greeter", A, "-o", "name").out == f"{A}\n"


def test_draining_the_last_endpoint_is_refused_without_yes(cli: Cli) -> None:
    """Clients would have nobody left: a guard, exit 5, nothing changed; --yes does it."""
    cli.fleet.change = Change(1, 1.0, 0.0, Mark(1, 42))
    refused = cli("drain", "greeter", A)
    assert (refused.code, refused.out, cli.fleet.held) == (5, "", {})
    assert refused.err.startswith(f"error LB911: {A} takes all calls of greeter: 1 client would have no endpoint left")
    assert cli("drain", "greeter", A, "--yes").code == 0


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 5)])
def test_a_terminal_is_asked_before_the_last_endpoint_goes(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    """On a terminal the guard is a question."""
    cli.fleet.change = Change(1, 1.0, 0.0, Mark(1, 42))
    monkeypatch.setattr(writes, "is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda text, err: answer and "Drain it?" in text)
    assert cli("drain", "greeter", A).code == code


def test_drain_waits_until_all_clients_have_stopped(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client on the old revision holds it up; once it has acknowledged, the line says how many stopped."""
    behind, there = client("a", at("greeter", 41)), client("a", at("greeter", 42))
    cli.fleet.views = [behind]
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        cli.fleet.views = [there]

    monkeypatch.setattr("time.sleep", look)
    ended = cli("drain", "greeter", A, "--wait")
    assert looks == [settled.SPACING]
    assert "1 of 1 client stopped in " in ended.out
    assert "let them end before you stop it" in ended.out


def test_drain_that_is_not_followed_in_time_exits_6_and_stays(cli: Cli) -> None:
    """The error names who is missing and why, says that the drain holds, and how to take it back."""
    rejecting = dataclasses.replace(at("greeter", 42, 41), rejection=cli.fleet.parked.rejection)
    cli.fleet.views = [client("slow", at("greeter", 42, 41, 9.0)), client("nack", rejecting)]
    ended = cli("drain", "greeter", A, "--wait", "--timeout", "50ms")
    assert (ended.code, len(cli.fleet.held)) == (6, 1)
    assert "slow has acknowledged 41" in ended.err
    assert "nack rejected it (LB301)" in ended.err
    assert f"the drain is in force; undo: lbcontrol undrain greeter {A}" in ended.err


def test_client_with_nothing_new_to_be_told_does_not_hold_up(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal bytes are never sent again, so a client that stays on an older revision and current has settled."""
    monkeypatch.setattr(settled, "QUIET_SECONDS", 0.0)
    cli.fleet.views = [client("a", at("greeter", 40))]
    assert cli("drain", "greeter", A, "--wait").code == 0
