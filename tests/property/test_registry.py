"""Self-registration against a plain model: who is served is who has a lease."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbcontrol.model.clients import Peer
from lbcontrol.model.endpoints import Address, Endpoint
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.registrations import Registration
from lbcontrol.sources.registry import GATHER, Registry, RegistryOptions
from tests.support.sinks import RecordingSink

SERVICES = st.sampled_from(["a", "b"])
PORTS = st.integers(1, 3)
HOSTS = st.sampled_from(["192.0.2.1", "192.0.2.2"])
STEPS = st.one_of(
    st.tuples(st.just("register"), SERVICES, PORTS, HOSTS, st.integers(10, 40), st.integers(1, 2)),
    st.tuples(st.just("withdraw"), SERVICES, PORTS),
    st.tuples(st.just("wait"), st.integers(1, 200).map(lambda tenths: tenths / 10)),
)


class World:
    """A registry and a dict that should say the same."""

    def __init__(self, sink: RecordingSink, clock: FakeClock, registry: Registry) -> None:
        """Begin with nothing."""
        self.sink, self.clock, self.registry = sink, clock, registry
        self.leases: dict[tuple[str, int], tuple[float, int, str]] = {}

    def step(self, action: tuple[Any, ...]) -> None:
        """Do one thing to both."""
        kind, *rest = action
        if kind == "register":
            service, port, host, ttl, weight = rest
            endpoint = Endpoint(Address("192.0.2.9", port), weight=weight)
            self.registry.register(Registration(service, endpoint, Peer(f"{host}:1"), ttl))
            self.leases[service, port] = (self.clock.now() + ttl, weight, host)
        elif kind == "withdraw":
            service, port = rest
            self.registry.withdraw(service, Address("192.0.2.9", port))
            self.leases.pop((service, port), None)
        else:
            self.wait(rest[0])

    def wait(self, seconds: float) -> None:
        """Let time pass without being late, and end the leases whose time is over."""
        self.clock.advance(seconds)
        self.leases = {key: lease for key, lease in self.leases.items() if lease[0] > self.clock.now()}

    def check(self) -> None:
        """Compare what is served and counted."""
        before = None
        while before != self.leases:  # An end that falls on the last moment is told a moment later.
            before = dict(self.leases)
            self.wait(2 * GATHER)
        served = {(name, e.address.port): e.weight for name, s in self.sink.picture.items() for e in s.endpoints}
        assert served == {key: weight for key, (_, weight, _) in self.leases.items()}
        for host in ("192.0.2.1", "192.0.2.2"):
            assert self.registry.held_by(host) == sum(lease[2] == host for lease in self.leases.values())


async def play(actions: list[tuple[Any, ...]]) -> None:
    """Do all steps, comparing after each."""
    clock, sink = FakeClock(), RecordingSink()
    registry = Registry("self", RegistryOptions(), scheduler=clock)
    task = asyncio.create_task(registry.run(sink))
    await sink.has_synced.wait()
    world = World(sink, clock, registry)
    for action in actions:
        world.step(action)
        world.check()
    world.wait(50)
    world.check()
    task.cancel()
    await asyncio.wait([task])
    assert world.sink.picture == {}


@settings(deadline=None)
@example([("register", "a", 2, "192.0.2.1", 36, 1), ("wait", 2.7), ("wait", 2.7), ("wait", 10.9), ("wait", 19.605)])
@given(st.lists(STEPS, max_size=30))
def test_who_has_a_lease_is_served(actions: list[tuple[Any, ...]]) -> None:
    """After any registrations, renewals, withdrawals and pauses the picture is that of the leases in force."""
    asyncio.run(play(actions))
