"""Our own state machines pass every scenario, survive every abuser, and keep any client's picture right."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conformance.product import MACHINES
from tests.conformance.runner import Run
from tests.conformance.scenario import Scenario
from tests.conformance.test_abuse import ABUSERS, bystander_is_served
from tests.conformance.test_scenarios import SCENARIOS
from tests.conformance.test_subscriptions import Subscriptions


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_machine_passes_scenario(scenario: Scenario, machine: str) -> None:
    """Every scenario passes on the state machines, those where go-control-plane differs included."""
    asyncio.run(Run(scenario, MACHINES[machine]())())


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ABUSERS)
def test_machine_serves_bystander_beside_abuser(name: str, machine: str) -> None:
    """A NACK storm, a client that never ACKs and 10,000 names leave another stream unharmed."""
    asyncio.run(bystander_is_served(MACHINES[machine](), name))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_machine_client_holds_what_is_published(variant: str, machine: str) -> None:
    """Over random subscriptions, changes, NACKs, foreign nonces and reconnects a client's picture stays right."""
    bound = {"variant": variant, "subject": MACHINES[machine](), "strict": True, "rerenders": machine == "spine"}
    run_state_machine_as_test(
        type("Bound", (Subscriptions,), bound),
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
