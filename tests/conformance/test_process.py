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
    """A NACK storm, a client that never ACKs and 10,000 names leave another stream unharmed."""
    asyncio.run(closing(process, bystander_is_served(process, name)))
