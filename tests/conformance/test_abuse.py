"""Clients that misbehave: what they cost is bounded, and a bystander is served as if they were not there.

``ABUSERS`` work on any subject; here the control group proves that they and their judge are right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.conformance.control_group import ControlGroup
from tests.conformance.runner import Client, World
from tests.conformance.scenario import Scenario
from tests.conformance.subject import Subject
from tests.conformance.test_scenarios import control_group

__all__ = ["control_group"]  # The fixture.
SCENARIO = Scenario("abuse", "sotw", "", "", (), {"a": [1], "b": [1]}, True, "RDS", "", 0, 1)
STORM = 300
PATIENCE = 30.0
"""Seconds; measuring coverage slows the server several times, and each flush makes the next one wait as long."""


async def _publish(subject: Subject, world: World, weight: int) -> None:
    world.change({"set": {"a": [weight], "b": [weight]}})
    await subject.publish(world.documents(), complete=True)


async def nack_storm(subject: Subject, world: World) -> int:
    """Refuse the same response again and again; return the number of answers."""
    del world
    client = Client(subject.open("sotw"), SCENARIO, PATIENCE)
    await client.send({"type": "EDS", "names": ["a"]})
    await client.next()
    for _ in range(STORM):
        await client.send({"type": "EDS", "version": "none", "error": "no"})
    return await _count_until_barrier(client)


async def never_acks(subject: Subject, world: World) -> int:
    """Subscribe, and neither read nor ACK through many changes; return the number of messages that waited."""
    client = Client(subject.open("sotw"), SCENARIO, PATIENCE)
    await client.send({"type": "EDS", "names": ["a"]})
    for weight in range(2, 42):
        await _publish(subject, world, weight)
    return await _count_until_barrier(client)


async def ten_thousand_names(subject: Subject, world: World) -> int:
    """Subscribe to as many names as are allowed, through several requests; return the number of answers."""
    del world
    client = Client(subject.open("sotw"), SCENARIO, PATIENCE)
    await client.send({"type": "EDS", "many": {"count": 9_999}})
    await client.send({"type": "EDS", "many": {"count": 10_000}})
    return await _count_until_barrier(client)


async def _count_until_barrier(client: Client) -> int:
    """Count what comes before the answer to one more request, which proves the stream alive; then break off."""
    await client.send({"type": "RDS", "names": ["barrier-0"]})
    seen = 0
    while (await client.next()).kind != "RDS":
        seen += 1
    await client.wire.close()
    return seen


ABUSERS: dict[str, tuple[Callable[[Subject, World], Awaitable[int]], int]] = {
    "nack-storm": (nack_storm, STORM + 1),
    "never-acks": (never_acks, 41),
    "ten-thousand-names": (ten_thousand_names, 2),
}
"""What each does, and the most messages it may be sent: never more than there were requests and changes."""


async def bystander_is_served(subject: Subject, name: str) -> None:
    """Let one client misbehave between two changes that a bystander must see, one message each."""
    act, most = ABUSERS[name]
    await subject.reset()
    world = World(SCENARIO)
    await subject.publish(world.documents(), complete=True)
    bystander = Client(subject.open("sotw"), SCENARIO, PATIENCE)
    await bystander.send({"type": "CDS", "names": ["b"]})
    assert (await bystander.next()).kind == "CDS"
    await bystander.acknowledge("CDS")
    assert await act(subject, world) <= most
    await bystander.quiet()
    await bystander.send({"type": "EDS", "names": ["b"]})
    before = await bystander.next()
    await bystander.acknowledge("EDS")
    await bystander.quiet()
    await _publish(subject, world, 99)
    after = await bystander.next()
    assert before.kind == after.kind == "EDS"
    assert before.bodies["b"] != after.bodies["b"]
    await bystander.wire.close()


@pytest.mark.parametrize("name", ABUSERS)
def test_control_group_serves_bystander_beside_abuser(name: str, control_group: ControlGroup) -> None:
    """A NACK storm, a client that never ACKs and 10,000 names leave another stream unharmed."""

    async def run() -> None:
        try:
            await bystander_is_served(control_group, name)
        finally:
            await control_group.close()

    asyncio.run(run())
