"""What a test needs of the machine: tools and real components. The one place that decides between skip and error.

Without a tool the test is skipped as ``NOT RUN: ...``; with ``LBCONTROL_REQUIRE=all`` (as in .ci/run) it fails.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

NOT_RUN = "NOT RUN: "
"""How every reason of a skipped test begins; the closing summary collects them by it."""
MISSING = 3
"""Exit code of a script in tests/components for "a toolchain is missing" (its stderr says which)."""
_COMPONENTS = Path(__file__).resolve().parents[1] / "components"


def required() -> bool:
    """Whether a missing toolchain is an error."""
    return os.environ.get("LBCONTROL_REQUIRE") == "all"


def not_run(reason: str) -> NoReturn:
    """Skip the running test with ``reason``, or fail it where everything is required."""
    if required():
        pytest.fail(f"{NOT_RUN}{reason} (LBCONTROL_REQUIRE=all makes this an error)", pytrace=False)
    pytest.skip(NOT_RUN + reason)


def need(tool: str) -> str:
    """Return the path of ``tool`` (go, node, npm ...), or end the test as not run."""
    path = shutil.which(tool)
    if path is None:
        not_run(f"needs {tool}")
    return path


def component(name: str, *, is_right: bool = False) -> Path:
    """Return the program that tests/components/``name`` installs (cached between runs), or end the test as not run.

    What needs a right of the machine, which no script of ours can install, is skipped without it wherever it runs.
    """
    code, out, err = _installed(name)
    if code == MISSING and is_right:
        pytest.skip(NOT_RUN + err.strip().removeprefix(NOT_RUN))
    if code == MISSING:
        not_run(err.strip().removeprefix(NOT_RUN))
    if code != 0:
        pytest.fail(f"tests/components/{name} ended with {code}:\n{err}", pytrace=False)
    return Path(out.strip())


@functools.cache
def _installed(name: str) -> tuple[int, str, str]:
    done = subprocess.run([_COMPONENTS / name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
