"""Documents: links lead somewhere, lengths are kept, records are numbered, targets are explained."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.code import ROOT

MAX_README_LINES = 150
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
FILE = re.compile(r"`([\w.<>-]+(?:/[\w.<>-]+)+(?:\.py|/))")
"""A path in code quotes: a module, or a folder with its slash."""
TOPS = (ROOT, ROOT / "lbcontrol", ROOT / "lbcontrol" / "engine")
NAMING = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "adr").glob("*.md"))]
ADR = re.compile(r"docs/adr/(\d{4})")


def documents() -> list[Path]:
    """Every Markdown file at the top, in docs and beside packages."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").rglob("*.md")]
    return [path for path in sorted(found) if "node_modules" not in path.parts]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    """Every relative link and every record named in a text exists."""
    text = path.read_text()
    dead = [link for link in LINK.findall(text) if not (path.parent / link).exists()]
    dead += [number for number in ADR.findall(text) if not list((ROOT / "docs" / "adr").glob(f"{number}-*.md"))]
    assert dead == []


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_named_in_a_text_exist(path: Path) -> None:
    """A path in code quotes leads to a file or folder of the checkout, or of the package."""
    named = {name for name in FILE.findall(path.read_text()) if "<" not in name}
    assert [name for name in sorted(named) if not any((top / name).exists() for top in TOPS)] == []


def test_readme_is_short() -> None:
    """Who opens the README sees the end of it, and both commands."""
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= MAX_README_LINES
    assert "make demo" in text
    assert "make test" in text


def test_records_are_numbered_without_gaps() -> None:
    """Decisions count up from 0001, one file each."""
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_make_targets_are_listed_and_explained() -> None:
    """Each phony target has its line in ``make help``, and each line a target."""
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    explained = re.findall(r"^([a-z0-9-]+):.*## \S", text, re.MULTILINE)
    assert explained == [name for line in phony for name in line.split()]


def test_locks_have_hashes_and_no_address() -> None:
    """Every locked package has hashes, no lock names a host, and every runtime dependency is locked."""
    for path in (ROOT / "requirements").glob("*.lock"):
        text = path.read_text()
        pins = re.findall(
            r"^[A-Za-z0-9_.-]+==[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE
        )
        assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 0, path.name
        assert "://" not in text
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=\[ ]", line)[0].lower() for line in wanted} - {"lookaside"}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements" / "runtime.lock").read_text(), re.MULTILINE))
    assert names <= locked
