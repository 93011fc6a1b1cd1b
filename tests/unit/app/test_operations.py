"""Operators' reads and writes over a real engine, with stand-ins for everything that runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lbcontrol.app.operations import OperationsParts, ServerOperations
from lbcontrol.app.running import RunningSource
from lbcontrol.engine import events
from lbcontrol.engine.events import Event
from lbcontrol.frontends.admin_ports import ClientView, ServerInfo, SubscriptionView, Told
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.clients import ClientProfile, Peer
from lbcontrol.model.endpoints import Locality
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.ports import Sink
from tests.support.builders import Fed, claim, drain, endpoint, lost, set_weight, snapshot, updated

WARNED = Finding("LB127", "weights do not reach everybody")


@dataclass
class Hub:
    """Applies what is submitted to the engine."""

    fed: Fed
    submitted: list[Event] = field(default_factory=list)

    async def submit(self, event: Event) -> tuple[Decision, ...]:
        """Apply at once."""
        self.submitted.append(event)
        return self.fed.feed(event)


@dataclass
class FrontEnd:
    """Shows the clients a test gives it."""

    name: str = "xds"
    clients: list[ClientView] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def client_views(self) -> Sequence[ClientView]:
        """Return them."""
        return self.clients

    def told(self, view: ClientView, service: str) -> Told:
        """Remember who was asked for."""
        self.asked.append(f"{view.id} {service}")
        return Told(SubscriptionView(service), ())


class Files:
    """A source that warns."""

    def findings(self) -> Sequence[Finding]:
        """Return the warning."""
        return (WARNED,)

    async def run(self, sink: Sink) -> None:
        """Never called here."""


class World:
    """Two endpoints of greeter, weights 1 and 3, in a running server."""

    def __init__(self) -> None:
        self.fed = Fed("one")
        self.fed.feed(updated(snapshot([endpoint(1, weight=1), endpoint(2, weight=3)])))
        self.hub = Hub(self.fed)
        self.xds, self.native = FrontEnd("xds"), FrontEnd("native")
        self.tellers: list[Files] = []
        self.operations = ServerOperations(
            OperationsParts(
                engine=self.fed.engine,
                hub=self.hub,
                clock=FakeClock(wall=self.fed.wall + 5.0),
                sources=[RunningSource("one", "file", Files())],
                front_ends=[self.xds, self.native],
                findings=self.tellers,
                durable=True,
                server=ServerInfo("1.2.3", 7.0),
            )
        )

    def connect(self, name: str, *services: str, zone: str = "", rejection: Finding | None = None) -> None:
        """Add an xDS client."""
        profile = ClientProfile(id=name, kind="grpc-go", locality=Locality("r", zone))
        subscriptions = tuple(SubscriptionView(each, rejection=rejection) for each in services)
        self.xds.clients.append(ClientView(profile, Peer("192.0.2.1:1"), "xds", "locality", 1.0, subscriptions))

    async def codes(self) -> list[str]:
        """Codes of all problems."""
        return [each.finding.code for each in await self.operations.problems()]


@pytest.fixture
def world() -> World:
    """A running server."""
    return World()


async def test_drain_says_who_is_touched_and_what_becomes_of_the_share(world: World) -> None:
    """Clients that follow the service, share before and after, and the mark that carries it."""
    world.connect("a", "greeter")
    world.connect("b", "other")
    change = await world.operations.apply(drain(2), dry_run=False)
    assert (change.clients, change.share_before, change.share_after) == (1, 0.75, 0.0)
    assert change.mark == world.fed.last["greeter"].mark
    assert world.operations.find("greeter", drain(2).address, kind=drain(2).kind) == drain(2)


async def test_dry_run_changes_nothing_and_says_the_same(world: World) -> None:
    """The preview has the shares of the real thing, and no mark."""
    change = await world.operations.apply(set_weight(1, 3), dry_run=True)
    assert (change.share_before, change.share_after, change.mark) == (0.25, 0.5, None)
    assert world.hub.submitted == []
    assert world.operations.overrides() == ()


async def test_clear_takes_back_or_says_that_there_is_nothing(world: World) -> None:
    """LB313 without an override; with one, the share returns, in a dry run too."""
    with pytest.raises(NotFoundError, match="LB313"):
        await world.operations.clear(drain(2), dry_run=False)
    await world.operations.apply(drain(2), dry_run=False)
    preview = await world.operations.clear(drain(2), dry_run=True)
    change = await world.operations.clear(drain(2), dry_run=False)
    assert (preview.share_after, change.share_before, change.share_after) == (0.75, 0.0, 0.75)


async def test_write_to_what_nobody_names_is_not_found(world: World) -> None:
    """An unknown endpoint is LB311, a service that is gone LB310."""
    with pytest.raises(NotFoundError, match="LB311"):
        await world.operations.apply(drain(9), dry_run=False)
    world.fed.feed(updated(removed=["greeter"]))
    with pytest.raises(NotFoundError, match="LB310"):
        await world.operations.apply(drain(1), dry_run=True)


def test_reads_come_from_who_knows(world: World) -> None:
    """Explanations, documents and what a client was told."""
    assert [each.weight for each in world.operations.explain("greeter", EVERYONE, only=None)] == [1, 3]
    documents = world.operations.documents("greeter")
    assert "name: greeter" in documents.yaml
    assert documents.sources == ("one",)
    world.connect("a", "greeter")
    world.operations.told(next(iter(world.operations.clients())), "greeter")
    assert (world.xds.asked, world.native.asked) == (["a greeter"], [])
    assert world.operations.server() == ServerInfo("1.2.3", 7.0)
    assert world.operations.durable


def test_sources_show_both_sides(world: World) -> None:
    """What the engine knows of a source, and what the source says of itself; an unknown one has no type."""
    world.fed.feed(events.SourceStale("one", lost()), events.SourceAdded("two"))
    one, two = world.operations.sources()
    assert (one.name, one.type, one.up, one.synced, one.endpoints) == ("one", "file", False, True, 2)
    assert one.findings == (lost(), WARNED)
    assert one.stale_for is not None
    assert one.stale_for >= 0.0
    assert (two.type, two.up, two.synced, two.findings) == ("-", True, False, ())


async def test_problems_are_collected_once_each(world: World) -> None:
    """Sources, clients and this process; the same finding twice is one problem."""
    world.tellers.append(Files())
    assert await world.codes() == ["LB127"]
    world.fed.feed(events.SourceStale("one", lost()), events.SourceAdded("two"))
    assert await world.codes() == ["LB201", "LB127", "LB220"]


async def test_problems_of_policies_are_told_with_the_service(world: World) -> None:
    """A client policy that drops weights is a warning about the service."""
    world.fed.feed(updated(snapshot([endpoint(1)], policies=(claim(prefer_zone=True),))))
    assert "LB314" not in await world.codes()
    world.connect("placed", "greeter", zone="a")
    world.connect("lost", "greeter")
    world.connect("lost too", "greeter")
    (found,) = (each for each in await world.operations.problems() if each.finding.code == "LB314")
    assert found.subject == "service greeter"
    assert found.finding.what.startswith("2 grpc-go clients do not say their zone")


async def test_client_without_a_zone_is_told_where_endpoints_have_several(world: World) -> None:
    """Also where no policy prefers one: nobody could; with endpoints in one zone there is nothing to choose."""
    world.connect("lost", "greeter", "nobody's")
    world.fed.feed(updated(snapshot([endpoint(1, zone="a"), endpoint(2, zone="a"), endpoint(3)])))
    assert "LB314" not in await world.codes()
    world.fed.feed(updated(snapshot([endpoint(1, zone="a"), endpoint(2, zone="b")])))
    (found,) = (each for each in await world.operations.problems() if each.finding.code == "LB314")
    assert found.finding.what == '1 grpc-go client does not say its zone, though "greeter" has endpoints in 2 zones'


async def test_rejections_of_one_kind_are_one_problem(world: World) -> None:
    """A thousand clients that reject the same are one line with a number."""
    rejection = Finding("LB301", "grpc-go rejected it")
    for number in range(3):
        world.connect(f"c{number}", "greeter", rejection=rejection)
    (found,) = (each for each in await world.operations.problems() if each.finding.code == "LB301")
    assert found.finding.what == "grpc-go rejected it, and 2 more clients of that kind"
