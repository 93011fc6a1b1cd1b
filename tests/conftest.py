"""Rules for every test: a marker and a time limit by folder, no task left behind, a list of what was not run."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.kube import Kube
from tests.support.own_network import MARKER, is_inside, run_inside
from tests.support.require import NOT_RUN

TESTS = Path(__file__).parent
UNIT_SECONDS = 5
"""Time limit of a unit test; others have the 60 s of pyproject.toml unless they ask for more."""
PROCESSES_SECONDS = 180
"""Time limit where processes are started: each costs seconds of CPU on a machine that does much else."""
WITH_PROCESSES = frozenset({"conformance", "demo", "e2e", "integration", "interop"})

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Hypothesis' own 100 examples of each; how long one takes on a busy machine says nothing."""
settings.register_profile("quick", settings.get_profile("suite"), max_examples=20)
"""For the quick gate (scripts/check)."""
if settings.get_current_profile_name() == "default":  # Else the command line has chosen one.
    settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; give unit tests their short limit and async tests the leak check."""
    for item in items:
        tier = item.path.relative_to(TESTS).parts[0]
        if (TESTS / tier).is_dir():
            item.add_marker(tier)
        limit = UNIT_SECONDS if tier == "unit" else PROCESSES_SECONDS if tier in WITH_PROCESSES else 0
        if limit and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limit))
        if isinstance(item, pytest.Function) and _moves(item):
            item.fixturenames.clear()  # They are made inside.
        elif isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "no_task_left_behind")  # first set up is last torn down: after all others


def _moves(item: pytest.Function) -> bool:
    """Whether a test runs in another pytest, inside a network of its own."""
    return item.get_closest_marker(MARKER) is not None and not is_inside()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test marked ``own_network`` inside one; True means that it was run."""
    if not _moves(pyfuncitem):
        return None
    run_inside(pyfuncitem.nodeid, root=pyfuncitem.config.rootpath)
    return True


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fail an async test after which tasks are still running that it or its fixtures started."""
    before = asyncio.all_tasks()
    yield
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    if leaked:  # Those of grpc.aio that are ending need a turn or two.
        leaked = (await asyncio.wait(leaked, timeout=1.0))[1]
    for task in leaked:
        task.cancel()
    if leaked:
        await asyncio.wait(leaked, timeout=1.0)
        pytest.fail("tasks left behind: " + ", ".join(sorted(repr(task.get_coro()) for task in leaked)), pytrace=False)


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A real Kubernetes API server; whoever uses it keeps to a namespace of its own."""
    with Kube(tmp_path_factory.mktemp("kube")) as cluster:
        yield cluster


def _reasons(skipped: list[pytest.TestReport]) -> Iterator[str]:
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(NOT_RUN):
            yield reason


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line per reason what was not run here."""
    for reason, count in sorted(Counter(_reasons(terminalreporter.stats.get("skipped", []))).items()):
        terminalreporter.write_line(f"{reason} ({count} tests)", yellow=True)
