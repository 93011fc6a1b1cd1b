"""README and how-to pages, followed to the letter by somebody who has nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.control_plane import lbcontrol
from tests.support.documents import ROOT, Followed
from tests.support.grpcurl import blocks, commands
from tests.support.require import component

README = (ROOT / "README.md").read_text()
SERVICES = blocks(README, "yaml", mark="readme")[0]
HOW_TO = sorted(page for page in (ROOT / "docs" / "how-to").glob("*.md") if commands(page.read_text(), mark="how-to"))


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    """Three backends."""
    started = Backends(3, log=tmp_path / "backends.log")
    yield started
    started.stop()


def follow(document: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    """Return a reader of a document, with what the README has him export."""
    reader = Followed(document, folder)
    for name, value in reader.environment().items():
        monkeypatch.setenv(name, value)
    return reader


def test_commands_of_the_readme_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate, services, get, drain and why, in order, against the server that the README starts."""
    reader = follow("README.md", tmp_path, monkeypatch)
    with reader.serving(services=SERVICES):
        assert list(reader.differences()) == []


@pytest.mark.parametrize("page", HOW_TO, ids=lambda path: path.stem)
def test_commands_of_a_how_to_page_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page can be done by itself with the server of the README; grpcurl is there if it needs it."""
    reader = follow(str(page.relative_to(ROOT)), tmp_path, monkeypatch)
    if "$ grpcurl" in reader.text:
        monkeypatch.setenv("PATH", f"{component('grpcurl').parent}{os.pathsep}{os.environ['PATH']}")
    with reader.serving(services=SERVICES):
        assert list(reader.differences(mark="how-to")) == []


def test_client_of_the_readme_finds_its_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backends: Backends
) -> None:
    """The shell line and the Python lines, pasted, connect a stock client."""
    reader = follow("README.md", tmp_path, monkeypatch)
    services = SERVICES
    for written, actual in zip((50051, 50052, 50053), backends.addresses, strict=True):
        services = services.replace(f"127.0.0.1:{written}", actual)
    (line,) = blocks(README, "sh", mark="readme-client")
    (code,) = blocks(README, "python", mark="readme-client")
    script = f"PATH={Path(lbcontrol()).parent}:$PATH\n{line}{sys.executable} -c '{code}'"
    with reader.serving(services=services):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30.0, check=False)
    assert done.returncode == 0, done.stderr


def test_bootstrap_lines_of_the_other_languages_work() -> None:
    """Go, Node.js and Java read the same variable; Envoy's is the line that the README has."""
    for language in ("go", "node", "java"):
        done = subprocess.run(
            [lbcontrol(), "bootstrap", "--language", language], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith("export GRPC_XDS_BOOTSTRAP_CONFIG=")
    assert "lbcontrol bootstrap greeter --language envoy" in README
    subprocess.run([lbcontrol(), "bootstrap", "greeter", "--language", "envoy"], capture_output=True, check=True)
