"""Self-registration: leases, their end, limits, and how few updates a storm of them makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from lbcontrol.frontends.native_ports import Registrar
from lbcontrol.model.clients import Identity, Peer
from lbcontrol.model.endpoints import Address, Endpoint, Health
from lbcontrol.model.errors import LimitExceededError
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.registrations import Registration, Restorable, ServiceRegistrations
from lbcontrol.sources.registry import GATHER, LATE, SPARE, Registry, RegistryOptions
from tests.support.sinks import RecordingSink

ANA = Peer("192.0.2.1:999", Identity("ana", authenticated=True))
BEN = Peer("192.0.2.2:999", Identity("ben", authenticated=True))
NOBODY = Peer("192.0.2.3:999")


def registration(
    address: str = "192.0.2.1:80", service: str = "a", *, owner: Peer = ANA, ttl: float = 30.0, weight: int = 1
) -> Registration:
    """Return a registration."""
    return Registration(service, Endpoint(Address.parse(address), weight=weight), owner, ttl)


@dataclass
class World:
    """A running registry on a virtual clock."""

    clock: FakeClock
    registry: Registry
    sink: RecordingSink

    def pass_time(self, seconds: float = GATHER) -> None:
        """Let time pass in small steps, as a loop that is never late does."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.advance(min(0.5, end - self.clock.now()))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A registry that has synced."""
    clock, sink = FakeClock(), RecordingSink()
    options = RegistryOptions.model_validate({"services": 3, "endpointsPerService": 4, "registrationsPerIdentity": 5})
    registry = Registry("self", options, scheduler=clock)
    task = asyncio.create_task(registry.run(sink))
    await sink.has_synced.wait()
    yield World(clock, registry, sink)
    task.cancel()
    await asyncio.wait([task])


def test_registry_is_what_the_front_end_asks_for() -> None:
    """It fits the port of the native API, and that of the composition root."""
    restorable: Restorable = Registry("self", RegistryOptions(), scheduler=FakeClock())
    restorable.restore([])
    registrar: Registrar = Registry("self", RegistryOptions(), scheduler=FakeClock())
    assert registrar.find("a", Address.parse("192.0.2.1:80")) is None
    registrar.withdraw("a", Address.parse("192.0.2.1:80"))
    assert registrar.held_by("192.0.2.1") == 0


async def test_registry_syncs_at_once_with_nothing(world: World) -> None:
    """There is nobody to wait for."""
    assert world.sink.calls == ["update ", "synced True"]


async def test_registration_is_served_and_found(world: World) -> None:
    """It becomes an endpoint of its service, and is known by service and address."""
    one = registration(weight=3)
    world.registry.register(one)
    world.pass_time()
    assert world.sink.weights("a") == {"192.0.2.1:80": 3}
    assert (world.sink.picture["a"].source, world.sink.picture["a"].origin) == ("self", "self-registration")
    assert world.registry.find("a", one.endpoint.address) == one
    assert world.registry.find("b", one.endpoint.address) is None
    assert world.registry.held_by("192.0.2.1") == 1


async def test_many_registrations_make_one_update(world: World) -> None:
    """Changes of a moment are gathered, over services too."""
    for number in range(3):
        world.registry.register(registration(f"192.0.2.1:{number + 1}"))
    world.registry.register(registration(service="b"))
    world.pass_time()
    assert world.sink.calls[2:] == ["update +a,+b"]


async def test_renewal_without_news_says_nothing(world: World) -> None:
    """A heartbeat is no change; new content is."""
    world.registry.register(registration())
    world.pass_time()
    world.registry.register(registration())
    world.pass_time()
    assert len(world.sink.calls) == 3
    world.registry.register(registration(weight=2))
    world.pass_time()
    assert world.sink.weights("a") == {"192.0.2.1:80": 2}
    assert world.registry.held_by("192.0.2.1") == 1


async def test_lease_ends_when_it_is_not_renewed(world: World) -> None:
    """At its end, not before; the service goes with its last endpoint."""
    world.registry.register(registration("192.0.2.1:1", ttl=10))
    world.registry.register(registration("192.0.2.1:2", ttl=20))
    world.pass_time(9.5)
    assert len(world.sink.picture["a"].endpoints) == 2
    world.pass_time(1)
    assert world.sink.weights("a") == {"192.0.2.1:2": 1}
    world.pass_time(10)
    assert world.sink.calls[-1] == "update -a"
    assert world.registry.held_by("192.0.2.1") == 0


async def test_renewed_lease_goes_on(world: World) -> None:
    """Each renewal counts from its own moment, longer or shorter than what was left."""
    world.registry.register(registration(ttl=10))
    for _ in range(5):
        world.pass_time(9)
        world.registry.register(registration(ttl=10))
    assert "a" in world.sink.picture
    world.registry.register(registration(ttl=60))
    world.pass_time(30)
    assert "a" in world.sink.picture
    world.registry.register(registration(ttl=10))
    world.pass_time(10.5)
    assert world.sink.picture == {}


async def test_withdrawn_registration_is_gone_at_once(world: World) -> None:
    """Withdrawing is told with the next update; a later registration begins anew."""
    one = registration(ttl=10)
    world.registry.register(one)
    world.pass_time()
    world.registry.withdraw("a", one.endpoint.address)
    world.registry.withdraw("a", one.endpoint.address)
    world.pass_time()
    assert world.sink.calls[-1] == "update -a"
    world.pass_time(5)
    world.registry.register(one)
    world.pass_time(8)
    assert "a" in world.sink.picture


async def test_pause_of_our_own_ends_no_lease(world: World) -> None:
    """A process that was stopped for a minute gives all leases that minute back."""
    world.registry.register(registration("192.0.2.1:1", ttl=10))
    world.registry.register(registration("192.0.2.1:2", ttl=20))
    world.pass_time()
    world.clock._now += 60  # Time passes, and no timer runs.
    world.pass_time(LATE)
    assert len(world.sink.picture["a"].endpoints) == 2
    world.pass_time(10)
    assert world.sink.weights("a") == {"192.0.2.1:2": 1}
    world.pass_time(10)
    assert world.sink.picture == {}


async def test_limits_are_told_with_their_keys(world: World) -> None:
    """Services, endpoints of a service and registrations of an identity are bounded; renewing is always allowed."""
    for number in range(4):
        world.registry.register(registration(f"192.0.2.1:{number + 1}"))
    for service in ("b", "c"):
        world.registry.register(registration(service=service, owner=BEN))
    refused = {
        '4 endpoints of "a" are registered already': registration("192.0.2.1:9"),
        "3 services are registered already": registration(service="d"),
    }
    for what, one in refused.items():
        with pytest.raises(LimitExceededError) as caught:
            world.registry.register(one)
        assert "of the source of type registry" in caught.value.finding.why
        assert (caught.value.finding.code, caught.value.finding.what) == ("LB210", what)
    world.registry.register(registration("192.0.2.1:1", weight=9))
    assert world.registry.held_by("192.0.2.1") == 4


async def test_identity_may_hold_so_many_registrations_and_no_more(world: World) -> None:
    """The budget belongs to the identity; one without login has the budget of its address alone."""
    places = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1)]
    for service, port in places:
        world.registry.register(registration(f"192.0.2.1:{port}", service))
    with pytest.raises(LimitExceededError) as caught:
        world.registry.register(registration("192.0.2.1:3"))
    assert caught.value.finding.what == '5 registrations of "ana" are registered already'
    assert "registrationsPerIdentity" in caught.value.finding.why
    world.registry.register(registration("192.0.2.3:1", owner=NOBODY))
    world.registry.register(registration("192.0.2.1:1", owner=BEN))
    world.registry.register(registration("192.0.2.1:3"))


async def test_registry_that_runs_anew_hands_over_everything(world: World) -> None:
    """What was registered while nobody listened is not lost."""
    registry = Registry("self", RegistryOptions(), scheduler=world.clock)
    registry.register(registration())
    world.pass_time()
    sink = RecordingSink()
    task = asyncio.create_task(registry.run(sink))
    await sink.has_synced.wait()
    task.cancel()
    await asyncio.wait([task])
    assert sink.calls == ["update +a", "synced True"]


async def test_restored_leases_begin_anew_and_what_a_limit_refuses_is_left_out(world: World) -> None:
    """All are there at once; who does not renew within one lease of the restart is gone, who does stays."""
    options = RegistryOptions.model_validate({"services": 1})
    registry, sink = Registry("self", options, scheduler=world.clock), RecordingSink()
    kept, gone = registration(ttl=20), registration("192.0.2.1:81", ttl=10)
    registry.restore([kept, gone, registration(service="b")])
    task = asyncio.create_task(registry.run(sink))
    await sink.has_synced.wait()
    assert sink.weights("a") == {"192.0.2.1:80": 1, "192.0.2.1:81": 1}
    assert registry.find("b", kept.endpoint.address) is None
    world.pass_time(9)
    registry.register(kept)
    world.pass_time(2)
    assert sink.weights("a") == {"192.0.2.1:80": 1}
    task.cancel()
    await asyncio.wait([task])


async def test_changes_are_noted_with_all_of_a_service_and_renewals_are_not(world: World) -> None:
    """What is noted can be restored; a service without registrations is noted as such."""
    notes: list[ServiceRegistrations] = []
    world.registry.keep(notes.append)
    one, two = registration(), registration("192.0.2.1:81")
    for each in (one, two):
        world.registry.register(each)
    world.pass_time()
    world.registry.register(one)
    world.pass_time()
    assert notes == [ServiceRegistrations("a", (one, two))]
    for each in (one, two):
        world.registry.withdraw("a", each.endpoint.address)
    world.pass_time()
    assert notes[1:] == [ServiceRegistrations("a", ())]


async def test_queue_of_leases_does_not_grow_with_withdrawals(world: World) -> None:
    """Registering and withdrawing for ever needs no more room than the registrations in force."""
    one = registration(ttl=600)
    for _ in range(5 * SPARE):
        world.registry.register(one)
        world.registry.withdraw("a", one.endpoint.address)
    world.registry.register(registration("192.0.2.1:81", ttl=10))
    assert len(world.registry._queue) <= SPARE + 2
    world.pass_time(9)
    assert world.sink.weights("a") == {"192.0.2.1:81": 1}
    world.pass_time(2)
    assert world.sink.picture == {}


async def test_draining_registration_is_told(world: World) -> None:
    """A backend that says it is draining is handed on as such."""
    world.registry.register(Registration("a", Endpoint(Address.parse("192.0.2.1:1"), health=Health.DRAINING), ANA, 30))
    world.pass_time()
    assert [each.health for each in world.sink.picture["a"].endpoints] == [Health.DRAINING]
