"""``lbcontrol serve`` passes every scenario over a real socket, beside every abuser."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator

import pytest

from tests.conformance.process import ProcessSubject
from tests.conformance.runner import Run
from tests.conformance.scenario import Scenario
from tests.conformance.test_abuse import ABUSERS, bystander_is_served
from tests.conformance.test_scenarios import SCENARIOS

AGAIN = 3
MB = 1_048_576
MOST_GROWTH = 16 * MB
"""Measured: 0.1 to 3.4 MB, most while a stream has 10,000 names."""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSubject]:
    """One control plane for all scenarios, restarted where one asks for it."""
    subject = ProcessSubject(tmp_path_factory.mktemp("process"))
    yield subject
    subject.plane.kill9()


async def closing(subject: ProcessSubject, work: Coroutine[None, None, None]) -> None:
    """Do something, and close the channel whatever comes of it."""
    try:
        await work
    finally:
        await subject.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_process_passes_scenario(scenario: Scenario, process: ProcessSubject) -> None:
    """Every scenario passes over the wire, those where go-control-plane differs included."""
    asyncio.run(closing(process, Run(scenario, process)()))


@pytest.mark.parametrize("name", ABUSERS)
def test_process_serves_bystander_beside_abuser(name: str, process: ProcessSubject) -> None:
    """A NACK storm, a client that never ACKs and 10,000 names leave another stream unharmed and cost little memory."""
    asyncio.run(closing(process, bystander_is_served(process, name)))
    before = process.plane.memory()
    for _ in range(AGAIN):
        asyncio.run(closing(process, bystander_is_served(process, name)))
    grown = process.plane.memory(peak=True) - before
    print(f"{name}: at most {grown / MB:.1f} MB more while it misbehaved {AGAIN} times")
    assert grown < MOST_GROWTH
