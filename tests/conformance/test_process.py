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
from tests.support.waiting import wait_until

AGAIN = 3
MB = 1_048_576
MOST_GROWTH = 16 * MB
"""Measured: 0.1 to 3.4 MB, most while a stream has 10,000 names."""


WAYS = {"http2": ("http2", True), "http2-long-way": ("http2", False), "grpcio": ("grpcio", True)}
"""Every transport, and http2 once more with its fast path switched off."""
OFF = "fast path off"
"""What the log says then."""


@pytest.fixture(scope="module", params=WAYS)
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSubject]:
    """One control plane for all scenarios, restarted where one asks for it."""
    transport, fast_path = WAYS[request.param]
    subject = ProcessSubject(tmp_path_factory.mktemp("process"), transport=transport, fast_path=fast_path)
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


def test_process_runs_the_way_it_is_told(process: ProcessSubject) -> None:
    """The log names the transport, and says so when the fast path is off."""
    asyncio.run(closing(process, process.publish([], complete=True)))
    words = [f"transport={process.transport}", *([] if process.fast_path else [OFF])]
    wait_until(lambda: all(word in process.plane.log.read_text("utf-8") for word in words), str(words))
    assert (OFF in process.plane.log.read_text("utf-8")) != process.fast_path


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
