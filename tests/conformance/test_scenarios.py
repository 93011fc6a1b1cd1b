"""The scenarios themselves, and their run against go-control-plane."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.conformance.control_group import ControlGroup
from tests.conformance.runner import MismatchError, Run
from tests.conformance.scenario import Scenario, load
from tests.support.require import component

SCENARIOS = load()


@pytest.fixture(scope="module")
def control_group() -> Iterator[ControlGroup]:
    """One go-control-plane for all scenarios of this module."""
    subject = ControlGroup(component("control-group"))
    yield subject
    subject.stop()


async def outcome(scenario: Scenario, subject: ControlGroup) -> MismatchError | None:
    """Run once; return what did not match."""
    try:
        await Run(scenario, subject)()
    except MismatchError as error:
        return error
    finally:
        await subject.close()
    return None


def test_scenarios_are_many_distinct_and_cited() -> None:
    """There are at least 80 scenarios, in both variants, with ids of their own, a claim and a citation each."""
    assert len(SCENARIOS) >= 80
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)
    assert {scenario.variant for scenario in SCENARIOS} == {"sotw", "delta"}
    assert [scenario.id for scenario in SCENARIOS if not (scenario.claim and len(scenario.cites) > 15)] == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_control_group_differs_exactly_where_listed(scenario: Scenario, control_group: ControlGroup) -> None:
    """go-control-plane passes a scenario if and only if the scenario lists no difference."""
    failures = [asyncio.run(outcome(scenario, control_group)) for _ in range(scenario.runs)]
    found = next((failure for failure in failures if failure), None)
    if not scenario.differs:
        assert found is None, str(found)
        return
    assert found, f"listed as different ({scenario.differs}), but it passes"
    assert scenario.differs_at in (0, found.step), f"differs elsewhere than listed: {found}"
