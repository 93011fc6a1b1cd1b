"""Tests marked ``own_network``: each runs in a pytest of its own, inside a network namespace (tests/support/netns.py).

Its fixtures are made inside, too. Its output is the output of that pytest; what was not run inside is not run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.require import NOT_RUN, component, not_run

MARKER = "own_network"
_INSIDE = "LBCONTROL_TEST_OWN_NETWORK"


def is_inside() -> bool:
    """Whether this process is in such a network already."""
    return _INSIDE in os.environ


def run_inside(test: str, *, root: Path) -> None:
    """Run one test by its node id, from the root of the tests; fails or skips as it does."""
    entry = str(component("netns"))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-s", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command = [entry, sys.executable, "-m", "pytest", *options, test]
        done = subprocess.run(
            command, cwd=root, env={**os.environ, _INSIDE: "1"}, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            pytest.fail(f"{test} failed inside a network of its own; its output is above", pytrace=False)
        skipped = ET.parse(report).find(".//skipped")  # noqa: S314  our own pytest has written it
    if skipped is not None:
        not_run(str(skipped.get("message")).removeprefix(NOT_RUN))
