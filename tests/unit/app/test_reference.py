"""The generated pages of docs/reference say what the code says."""

from __future__ import annotations

import re

import pytest

from lbcontrol.app.cli.grammar import VERBS
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.documents.schema import json_schema, keys
from scripts.reference import FOLDER, PAGES, main


@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_the_code_says(name: str) -> None:
    """Nobody edits it by hand, and a change of the code brings the page along."""
    assert (FOLDER / name).read_text() == PAGES[name](), "run scripts/reference.py"


def test_check_says_that_all_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """The form for scripts: exit code 0."""
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == "reference: up to date\n"


def test_configuration_has_every_key_of_the_schema() -> None:
    """No key is left out, at whatever depth; those without an effect are marked."""
    rows = dict(re.findall(r"^\| `(\S+)` (\|.*)$", PAGES["config.md"](), re.MULTILINE))
    wanted = {path[1:].replace("[].", "[]."): refused for path, refused in keys(json_schema())}
    assert wanted.keys() <= rows.keys()
    assert all(("*not supported yet*" in rows[path]) == refused for path, refused in wanted.items())


def test_command_line_has_every_verb_with_its_flags() -> None:
    """Each verb has a section; a flag and an argument of its own stand in it."""
    page = PAGES["cli.md"]()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == [verb.name for verb in VERBS]
    assert "| `--expires-after` `DURATION` | End by itself. | never |" in page
    assert "| `SERVICE` | Service or alias. | required |" in page
    assert "| `--color` `auto\\|always\\|never` |" in page


def test_metrics_have_the_names_that_are_scraped() -> None:
    """Every family stands on the page as Prometheus sees it."""
    scraped = set(re.findall(r"^# TYPE (\S+) ", Metrics().render().decode(), re.MULTILINE))
    written = set(re.findall(r"^\| `(lbcontrol_\w+)`", PAGES["metrics.md"](), re.MULTILINE))
    assert written == {name for name in scraped if not name.endswith("_created")}
