"""Codes, their pages and ``lbcontrol help`` belong together."""

from __future__ import annotations

import re

import pytest

from lbcontrol.app.cli import pages, run
from tests.architecture.code import ROOT, sources

HEADINGS = ["Why it happens", "What still works", "What to do", "Example"]
FOLDER = ROOT / "docs" / "errors"


def used() -> set[str]:
    """Every code that stands in the product."""
    return {code for source in sources("lbcontrol") for code in re.findall(r"\bLB\d{3}\b", source.text)}


def test_every_code_has_a_page() -> None:
    """A code without a page would send its reader nowhere; a page outlives its code, which never gets a new meaning."""
    assert used() - set(pages.codes()) == set()


def test_help_reads_the_pages_of_the_docs() -> None:
    """One text, in the checkout and in the wheel."""
    assert pages.codes() == sorted(path.stem for path in FOLDER.glob("*.md"))
    assert {pages.page(code) for code in pages.codes()} == {path.read_text() for path in FOLDER.glob("*.md")}


@pytest.mark.parametrize("code", pages.codes())
def test_page_is_uniform(code: str) -> None:
    """Title with the code, what it means, four headings, an example that shows the code; short."""
    text = pages.page(code)
    assert re.match(rf"# {code}: \S[^\n]{{5,80}}\n\n[^#\s]", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert code in text.partition("## Example")[2]
    assert "\n\n## " in text
    assert text.count("\n") <= 40
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("topic", ["LB310", "lb310"])
def test_help_prints_a_page(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In either case of letters."""
    assert run(["help", topic]) == 0
    assert capsys.readouterr().out == pages.page("LB310")


def test_help_lists_codes_and_verbs_and_explains_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone it lists both; with a verb it is that verb's --help."""
    assert run(["help"]) == 0
    listed = capsys.readouterr().out
    assert all(code in listed for code in pages.codes())
    assert "drain" in listed
    assert run(["help", "drain"]) == 0
    assert "--dry-run" in capsys.readouterr().out


def test_help_for_nothing_that_exists_is_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, and where to look."""
    assert run(["help", "LB999"]) == 3
    assert "LB999" in capsys.readouterr().err
    with pytest.raises(KeyError):
        pages.page("../LB310")
