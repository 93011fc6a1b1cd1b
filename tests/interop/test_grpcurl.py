"""The grpcurl commands of our documents do what is written there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.grpcurl import Command, blocks, commands, missing, run
from tests.support.require import component

ROOT = Path(__file__).resolve().parents[2]
TEXT = "\n".join((ROOT / name).read_text() for name in ("README.md", "docs/how-to/grpcurl.md"))
COMMANDS = commands(TEXT)
GRPC, ADMIN = "127.0.0.1:18000", "127.0.0.1:18001"
"""The addresses that documents use."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the service file of the document."""
    started = ControlPlane(tmp_path_factory.mktemp("plane") / "home")
    try:
        started.start({"greeter.yaml": blocks(TEXT, "yaml")[0]})
        yield started
    finally:
        started.kill9()


def test_documents_show_each_kind_of_question() -> None:
    """List, describe, assignment, health and a one-shot ADS request are all there."""
    text = "\n".join(command.text for command in COMMANDS)
    for word in (" list", " describe ", "/GetAssignment", "Health/Check", "/StreamAggregatedResources"):
        assert word in text


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text.split()[-1])
def test_command_prints_what_the_document_says(command: Command, served: ControlPlane) -> None:
    """It ends well, and the lines of the document are in its output, in order."""
    output = run(command, component("grpcurl"), ports={GRPC: served.grpc, ADMIN: served.admin})
    print(output)
    assert missing(command, output) is None


@pytest.mark.parametrize(
    ("promised", "printed", "answer"),
    [
        (("a", "b"), "a\nb\n", None),
        (("a", "..."), "a\nb\n", None),
        (("...", "b"), "a\nb\n", None),
        (("a", "c"), "a\nb\nc\n", "c"),
        (("a",), "a\nb\n", "(nothing), but there is 'b'"),
        (("b", "...", "a"), "a\nb\n", "b"),
    ],
)
def test_comparison_sees_what_a_document_gets_wrong(
    promised: tuple[str, ...], printed: str, answer: str | None
) -> None:
    """A missing line, a line too many and a wrong order are found; ``...`` stands for any lines."""
    assert missing(Command("", promised), printed) == answer
