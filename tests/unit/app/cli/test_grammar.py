"""Verbs and flags: all there, all light, all messages name commands that exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from lbcontrol import __version__
from lbcontrol.app.cli import run
from lbcontrol.app.cli.calls import default_admin
from lbcontrol.app.cli.grammar import VERBS, build
from tests.architecture.code import sources
from tests.unit.app.cli.world import A, Cli

HEAVY = ("grpc", "pydantic", "aiohttp", "rich", "google.protobuf", "yaml", "lookaside")


@pytest.mark.parametrize("line", ["--help", "--version"])
def test_help_and_version_import_nothing_slow(line: str) -> None:
    """Neither grpc nor pydantic nor aiohttp nor the rest, in a fresh process."""
    code = f"import json, sys; from lbcontrol.app.cli import run; run([{line!r}]); print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "services"]])
def test_version_is_the_packages(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever follows it."""
    assert run(arguments) == 0
    assert capsys.readouterr().out == f"lbcontrol {__version__}\n"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_resolves_and_has_help(verb: object, capsys: pytest.CaptureFixture[str]) -> None:
    """Its function exists, and its help names the flags that all verbs share."""
    import importlib

    from lbcontrol.app.cli.grammar import HOME, Verb

    assert isinstance(verb, Verb)
    module, _, name = verb.place.partition(":")
    assert callable(getattr(importlib.import_module(HOME + module), name))
    assert run([verb.name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert verb.help in " ".join(printed.split())
    assert "--debug" in printed


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the product but docstrings, with its place."""
    for source in sources("lbcontrol"):
        bare = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                yield f"{source.path}:{node.lineno}", node.value


LATER = frozenset({"bundle", "confirm", "diff", "history", "problems", "reject", "rollback", "simulate", "top"})
"""Verbs of UX.md that a later issue brings; a message must not send anybody there before."""


@pytest.mark.timeout(20)  # It starts typer for every command that any message names.
def test_commands_in_messages_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every "lbcontrol VERB --flag" that a message suggests has that verb, and the verb that flag."""
    helps = {}
    for verb in VERBS:
        run([verb.name, "--help"])
        helps[verb.name] = capsys.readouterr().out
    wrong = []
    for place, text in texts():
        for name, rest in re.findall(r"\blbcontrol ([a-z]+)\b([^;,.]*)", text):
            flags = [flag for flag in re.findall(r"--[a-z-]+", rest) if name in helps and flag not in helps[name]]
            if flags or name in LATER - helps.keys():
                wrong.append(f"{place} lbcontrol {name} {' '.join(flags)}")
    assert wrong == []


@pytest.fixture
def tab(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what the Tab key offers after these words, of which the last is not whole."""

    def pressed(*words: str) -> list[str]:
        monkeypatch.setenv("_LBCONTROL_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", shlex.join(["lbcontrol", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            build()([], prog_name="lbcontrol")
        told = capsys.readouterr()
        assert told.err == ""
        return told.out.split()

    return pressed


def test_tab_completes_services_and_endpoints(cli: Cli, tab: Callable[..., list[str]]) -> None:
    """From the server that the environment names, unless the line names one."""
    assert tab("get", "gr") == ["greeter"]
    assert tab("why", "greeter", "10.0.1") == [A]
    assert tab("get", "--server", cli.server_address, "gr") == ["greeter"]
    assert tab("bootstrap", "gr") == ["greeter"]


def test_tab_without_a_server_offers_nothing_and_says_nothing(cli: Cli, tab: Callable[..., list[str]]) -> None:
    """Nor does it with half of what TLS needs."""
    assert cli.server_address
    assert tab("get", "--server", "unix:/nowhere", "gr") == []
    assert tab("why", "--server", "unix:/nowhere", "greeter", "10") == []
    assert tab("get", "--tls-cert", "/half", "gr") == []


def test_admin_socket_of_the_state_directory_is_the_default(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a socket, that one; else the port of a server without a state directory."""
    monkeypatch.setenv("LBCONTROL_STATE_DIR", str(cli.folder))
    assert default_admin() == cli.admin_address
    monkeypatch.setenv("LBCONTROL_STATE_DIR", "/nowhere")
    assert default_admin() == "127.0.0.1:18001"
    monkeypatch.setenv("LBCONTROL_STATE_DIR", str(cli.folder))
    monkeypatch.delenv("LBCONTROL_ADMIN")
    assert cli("clients").code == 0
