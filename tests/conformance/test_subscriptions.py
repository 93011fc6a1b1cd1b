"""Random subscriptions, changes and reconnects: whatever happens, the client ends up holding what is published."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from envoy.config.endpoint.v3 import endpoint_pb2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.conformance.control_group import ControlGroup
from tests.conformance.runner import Client, World
from tests.conformance.scenario import Scenario
from tests.conformance.test_scenarios import control_group

__all__ = ["control_group"]  # The fixture.
NAMES = ("a", "b", "c", "d")


class Holder(Client):
    """A client that applies what it is sent, as a real one does."""

    def __init__(self, *arguments: Any) -> None:
        """Hold nothing yet."""
        super().__init__(*arguments)
        self.picture: dict[str, int] = {}
        """Number of endpoints by service."""

    async def settle(self, subscribed: set[str]) -> None:
        """Take in and ACK all that is under way; two barriers prove that nothing is left."""
        for _ in range(2):
            name = f"barrier-{self._barriers}"
            self._barriers += 1
            names = [*self._names.get("RDS", []), name]
            await self.send({"type": "RDS", "names": names, "subscribe": [name]})
            while name not in (response := await self.next()).bodies:
                for key, body in response.bodies.items():
                    assert key in subscribed, f"{key} was sent, but is not subscribed"
                    self.picture[key] = len(endpoint_pb2.ClusterLoadAssignment.FromString(body).endpoints)
                for key in response.removed:
                    self.picture.pop(key, None)
                await self.acknowledge(response.kind)
            await self.acknowledge("RDS")


class Subscriptions(RuleBasedStateMachine):
    """The model: a set of subscribed names, and the number of endpoints of each service."""

    variant: ClassVar[str]
    strict: ClassVar[bool]
    """False: NACKs and foreign nonces are left out (where the control group differs, see the scenarios)."""
    rerenders: ClassVar[bool] = False
    """True: endpoints that left are taken out of what a client keeps that refused (DESIGN: removals are not parked)."""
    subject: ClassVar[ControlGroup]

    def __init__(self) -> None:
        """Open a loop of its own: a channel belongs to one."""
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.sizes = dict.fromkeys(NAMES, 1)
        self.subscribed = {"a"}
        self.refused: dict[str, int] = {}
        """What the client still holds of services whose published state it refused."""
        self.scenario = Scenario("model", self.variant, "", "", (), {}, True, "RDS", "", 0, 1)
        self.world = World(self.scenario)

    @initialize()
    def start(self) -> None:
        """Publish the first state and subscribe to one name."""
        self.loop.run_until_complete(self.subject.reset())
        self.publish(dict(self.sizes))
        self.connect()

    def connect(self) -> None:
        """Open a stream and ask for everything the model says, holding nothing."""

        async def connecting() -> None:
            self.client = Holder(self.subject.open(self.variant), self.scenario, 2.0)
            self.refused.clear()
            await self.ask(sorted(self.subscribed), [])

        self.loop.run_until_complete(connecting())
        self.check()

    async def ask(self, subscribe: list[str], unsubscribe: list[str]) -> None:
        """Send the change as the variant has it: the whole set, or the difference."""
        names = sorted(self.subscribed)
        await self.client.send({"type": "EDS", "names": names, "subscribe": subscribe, "unsubscribe": unsubscribe})

    def publish(self, sizes: dict[str, int]) -> None:
        """Publish services of these numbers of endpoints."""
        self.sizes.update(sizes)
        for name in sizes:
            self.refused.pop(name, None)
        self.world.change({"set": {name: [1] * size for name, size in sizes.items()}})
        self.loop.run_until_complete(self.subject.publish(self.world.documents(), complete=True))

    def check(self) -> None:
        """Once nothing is under way the client holds exactly what is published for its names."""
        self.loop.run_until_complete(self.client.settle(self.subscribed))
        wanted = {name: self.refused.get(name, self.sizes[name]) for name in self.subscribed}
        assert self.client.picture == wanted

    @rule(name=st.sampled_from(NAMES[1:]))
    def toggle(self, name: str) -> None:
        """Subscribe, or unsubscribe and forget."""
        leaves = name in self.subscribed
        self.subscribed ^= {name}
        if leaves:
            self.client.picture.pop(name)
            self.refused.pop(name, None)
        self.loop.run_until_complete(self.ask([] if leaves else [name], [name] if leaves else []))
        self.check()

    @precondition(lambda self: self.strict)
    @rule(name=st.sampled_from(NAMES), more=st.integers(1, 3))
    def refuse(self, name: str, more: int) -> None:
        """NACK a change: the last good one stays, and the refused bytes do not come again."""
        if name not in self.subscribed or name in self.refused:
            return
        good = self.client.picture[name]

        async def refusing() -> None:
            assert name in (await self.client.next()).bodies
            await self.client.send({"type": "EDS", "version": "last-good", "error": "no good"})

        self.publish({name: (self.sizes[name] + more - 1) % 4 + 1})
        self.loop.run_until_complete(refusing())
        self.refused[name] = min(good, self.sizes[name]) if self.rerenders else good
        self.check()

    @precondition(lambda self: self.strict)
    @rule()
    def foreign_nonce(self) -> None:
        """Send an ACK with a nonce never seen: nothing happens."""
        self.loop.run_until_complete(self.client.send({"type": "EDS", "nonce": "unknown"}))
        self.check()

    @rule(name=st.sampled_from(NAMES), size=st.integers(1, 4))
    def change(self, name: str, size: int) -> None:
        """Publish another number of endpoints, perhaps the same."""
        self.publish({name: size})
        self.check()

    @rule(name=st.sampled_from(NAMES), sizes=st.lists(st.integers(1, 4), min_size=2, max_size=3))
    def change_in_a_row(self, name: str, sizes: list[int]) -> None:
        """Publish several states before the client reads any."""
        for size in sizes:
            self.publish({name: size})
        self.check()

    @rule()
    def reconnect(self) -> None:
        """Break off and begin anew."""
        self.loop.run_until_complete(self.client.wire.close())
        self.connect()

    def teardown(self) -> None:
        """Close what was opened."""
        self.loop.run_until_complete(self.subject.close())
        self.loop.close()


@pytest.fixture(params=["sotw", "delta"])
def machine(request: pytest.FixtureRequest, control_group: ControlGroup) -> type[Subscriptions]:
    """The state machine of one variant, on the control group."""
    bound = {"variant": request.param, "subject": control_group, "strict": request.param == "delta"}
    return type("Bound", (Subscriptions,), bound)


def test_control_group_client_holds_what_is_published(machine: type[Subscriptions]) -> None:
    """Over random subscriptions, changes and reconnects a client's picture converges to the published one."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
