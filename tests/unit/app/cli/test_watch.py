"""``watch`` follows a stream; ``--until`` waits; ``-w`` asks again."""

from __future__ import annotations

import json
import re

import pytest
from lookaside.api.lbcontrol.v1.assignment_pb2 import Assignment

from lbcontrol.app.cli.verbs import watch as verb
from tests.support.front_end_server import Loop
from tests.support.waiting import wait_until
from tests.unit.app.cli.world import A, B, Cli, at, client, greeter


@pytest.fixture
def changes(cli: Cli, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Publishes one waiting change after each assignment that was printed, and interrupts when none is left."""
    waiting: list[object] = []
    printed = verb.Printer.take

    def take(self: verb.Printer, assignment: object) -> None:
        printed(self, assignment)  # type: ignore[arg-type] # the signature of the method that is wrapped
        if not waiting:
            raise KeyboardInterrupt
        change = waiting.pop(0)
        loop.do(lambda: cli.native.directory.put(change))  # type: ignore[arg-type] # decisions

    monkeypatch.setattr(verb.Printer, "take", take)
    return waiting


def test_watch_prints_all_then_what_changes(cli: Cli, changes: list[object]) -> None:
    """First every endpoint, then the rows that differ; Ctrl-C is exit 130."""
    changes.append(greeter(42, draining=B))
    ended = cli("watch", "greeter")
    rows = [re.sub(r"^\d\d:\d\d:\d\d", "", line).split() for line in ended.out.splitlines()]
    assert ended.code == 130
    assert rows[0][:4] == ["TIME", "REVISION", "ENDPOINT", "HEALTH"]
    assert [row[0] for row in rows[1:4]] == ["41"] * 3
    assert ["42", B, "draining", "-", "0", "%", "r/z", "0"] in rows[4:]


def test_watch_acknowledges_what_it_shows(cli: Cli, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else ``drain --wait`` would wait for everybody who looks on."""

    def current() -> bool:
        found = loop.do(cli.native.front.clients)
        return [each.acknowledged for client in found for each in client.subscriptions] == [shown[-1].version]

    def take(self: verb.Printer, assignment: Assignment) -> None:
        del self
        shown.append(assignment)
        wait_until(current, "the watch to be current")
        raise KeyboardInterrupt

    shown: list[Assignment] = []
    monkeypatch.setattr(verb.Printer, "take", take)
    assert cli("watch", "greeter").code == 130
    assert len(shown) == 1


def test_watch_names_an_endpoint_that_is_gone(cli: Cli, changes: list[object]) -> None:
    """It is shown as removed, once."""
    whole = greeter(42)
    everyone = whole.assignments["all"]
    fewer = type(everyone)("greeter", "all", everyone.endpoints[1:])
    changes.append(type(whole)("greeter", whole.mark, {"all": fewer}))
    assert [line for line in cli("watch", "greeter").out.splitlines() if "removed" in line and A in line]


def test_watch_in_json_is_one_object_a_line(cli: Cli, changes: list[object]) -> None:
    """Each line is a whole assignment."""
    changes.append(greeter(42, (1, 1, 1)))
    lines = [json.loads(line) for line in cli("watch", "greeter", "-o", "json").out.splitlines()]
    assert [line["items"][0]["mark"]["revision"] for line in lines] == [41, 42]


def test_get_with_watch_is_watch(cli: Cli, changes: list[object]) -> None:
    """The stream, not a poll."""
    changes.append(greeter(42, (1, 1, 1)))
    names = cli("get", "greeter", "-w", "-o", "name").out.split()
    assert len(names) == 6


def test_watch_of_one_endpoint_shows_it_alone(cli: Cli) -> None:
    """Until the time that was given is over, which is no error."""
    ended = cli("watch", "greeter", A, "--timeout", "100ms", "-o", "name")
    assert (ended.code, ended.out.split()) == (0, [A])


def test_watch_of_an_unknown_name_is_not_found(cli: Cli) -> None:
    """With the server's own words."""
    ended = cli("watch", "greter")
    assert (ended.code, ended.err.split(":")[0]) == (3, "error LB310")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("greeter", "--until", "healthy"), 0, "greeter healthy after 0.0"),
        (("greeter", A, "--until", "healthy"), 0, f"{A} healthy after 0.0"),
        (("cart", "--until", "healthy"), 6, "10.0.9.5:50051 is draining"),
        (("greeter", "10.9.9.9:1", "--until", "healthy"), 6, "10.9.9.9:1 is not in the list"),
        (("nobody", "--until", "healthy"), 6, 'nobody serves "nobody"'),
        (("greeter", "--until", "acknowledged"), 0, "greeter acknowledged after 0.0"),
        (("cart", "--until", "acknowledged"), 6, "client-9c1 rejected it (LB301)"),
        (("greeter", "--until", "drained"), 0, "greeter drained after 0.0"),
        (("greeter", A, "--until", "drained"), 6, f"{A} takes new calls"),
        (("nobody", "--until", "acknowledged"), 3, "LB310"),
    ],
)
def test_until_ends_when_true_and_fails_when_late(cli: Cli, arguments: tuple[str, ...], code: int, said: str) -> None:
    """0 when it is true, 6 with what is missing when it is not in time; nothing on stdout."""
    ended = cli("watch", *arguments, "--timeout", "300ms" if code == 6 else "3s")
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_until_drained_follows_the_drain(cli: Cli, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the list must be without the endpoint, then every client must have acknowledged that list."""
    steps = iter(
        [
            lambda: cli.native.directory.put(greeter(42, draining=A)),
            lambda: cli.fleet.views.__setitem__(0, client("client-7f2", at("greeter", 42))),
        ]
    )
    monkeypatch.setattr("time.sleep", lambda _: loop.do(next(steps)))
    assert cli("watch", "greeter", A, "--until", "drained").code == 0
    assert next(steps, None) is None


@pytest.mark.parametrize("command", ["services", "clients", "sources", "get greeter --as client-7f2"])
def test_watch_flag_prints_again_when_something_differs(
    cli: Cli, loop: Loop, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """An equal answer is not printed again; a different one is, as one JSON object a line."""
    turns = iter([lambda: None, lambda: _change(cli)])

    def sleep(seconds: float) -> None:
        turn = next(turns, None)
        if turn is None:
            raise KeyboardInterrupt
        loop.do(turn)

    monkeypatch.setattr("time.sleep", sleep)
    ended = cli(*command.split(), "-w", "-o", "json")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert (ended.code, len(lines)) == (130, 2)
    assert lines[0] != lines[1]


def _change(cli: Cli) -> None:
    cli.native.directory.put(greeter(42))
    cli.fleet.views = [client("client-7f2", at("greeter", 42))]
    cli.fleet.break_source()


def test_watch_flag_separates_tables(cli: Cli, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty line stands between two tables."""
    turns = iter([lambda: _change(cli)])

    def sleep(seconds: float) -> None:
        turn = next(turns, None)
        if turn is None:
            raise KeyboardInterrupt
        loop.do(turn)

    monkeypatch.setattr("time.sleep", sleep)
    assert cli("services", "-w").out.count("\n\nNAME") == 1
