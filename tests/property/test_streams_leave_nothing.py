"""Nothing is left of streams that came and went: counted by object, not by memory."""

from __future__ import annotations

import gc

from lbcontrol.engine import events
from lbcontrol.frontends.xds.resources.endpoints import LOCALITIES
from lbcontrol.frontends.xds.responses import KEPT_SECONDS, MOST_KEPT
from lbcontrol.frontends.xds.stream import AdsStream
from lbcontrol.frontends.xds.subscription import Subscription
from lbcontrol.model.endpoints import Address
from lbcontrol.model.rendering import EndpointForm, LocalityForm, Resource
from lbcontrol.model.services import BackendRef, RouteRule, ServiceSnapshot
from lbcontrol.runtime.collector import collector_paused
from lbcontrol.runtime.publisher import PublisherOptions
from lbcontrol.runtime.view import PublishedView
from tests.support.builders import endpoint
from tests.support.spine import Spine
from tests.unit.runtime.fakes import ENDPOINTS, LISTENER, HeldWorker, World

KINDS = ("grpc-go", "grpc-cpp", "grpc-node", "envoy", "unknown")
ASKED = (("g",), ("one", "two"), ("secret",), ("hidden", "typo"), ())
RULES = (RouteRule((BackendRef("two"), BackendRef("nobody"))),)


def one(number: int) -> events.SourceUpdated:
    """Return a change of service one, now at this endpoint."""
    return events.SourceUpdated("one", (ServiceSnapshot("one", "one", endpoints=(endpoint(number),), aliases=("g",)),))


def alive(*types: type, collect: bool = True) -> list[int]:
    """Count the objects of these types that anything still refers to, or that a cycle keeps without ``collect``."""
    if collect:
        gc.collect()
    found = [type(each) for each in gc.get_objects()]
    return [found.count(each) for each in types]


def come_and_go(spine: Spine, number: int) -> None:
    """Connect a client of some kind, change something while it is there, and break it off."""
    kind, names = KINDS[number % 5], ASKED[number // 5 % 5]
    variant = ("sotw", "delta")[number % 2]
    client = spine.client(kind, *names, variant=variant, zone=f"z{number % 3}")
    if number % 3 == 0:
        client.stall()
    if number % 7 == 0:
        spine.feed(one(number % 5))
    spine.clock.advance(0.01 * (number % 4))
    client.read()
    client.close()


def test_nothing_is_left_of_a_thousand_streams() -> None:
    """Streams of all kinds, views, followers, timers, stand-ins and what was compiled for them."""
    spine = Spine(denied=["secret"])
    spine.feed(
        one(1),
        events.SourceUpdated("one", (ServiceSnapshot("secret", "one", aliases=("hidden",)),)),
        events.SourceUpdated("one", (ServiceSnapshot("two", "one", endpoints=(endpoint(9),), rules=RULES),)),
        events.SourceSynced("one"),
    )
    before = alive(AdsStream, Subscription, PublishedView)
    for number in range(1000):
        come_and_go(spine, number)
    spine.rest()
    assert alive(AdsStream, Subscription, PublishedView) == before
    assert list(spine.front.client_views()) == []
    assert spine.waiting_timers() == 0
    parts = spine.publisher._parts
    assert (len(parts.stand_ins), len(parts.parking.findings())) == (0, 0)
    assert len(spine.front.responses._kept) <= MOST_KEPT
    assert spine.metrics.registry.get_sample_value("lbcontrol_streams", {"protocol": "xds"}) == 0.0


def test_closed_streams_do_not_wait_for_the_collector() -> None:
    """Nothing of a closed stream is in a cycle: the collector looks at old objects every ten minutes only."""
    spine = Spine()
    spine.feed(one(1), events.SourceSynced("one"))
    (before,) = alive(AdsStream)
    with collector_paused():
        for number in range(50):
            come_and_go(spine, number)
        spine.rest()
        assert sum(type(each) is AdsStream for each in gc.get_objects()) == before


def test_nothing_is_left_of_backends_that_came_and_went() -> None:
    """Each change brings an address that was never there; what was made for the one before it ends with it."""
    spine = Spine()
    spine.feed(one(1), events.SourceSynced("one"))
    clients = [spine.client(kind, "g") for kind in KINDS]

    def counted(numbers: range) -> list[int]:
        for number in numbers:
            spine.feed(one(number))
            spine.clock.advance(KEPT_SECONDS)
            for client in clients:
                client.read()
        return [*alive(Address, EndpointForm, LocalityForm, Resource), len(LOCALITIES)]

    before = counted(range(2, 5))
    assert counted(range(5, 155)) == before


def test_view_lets_go_of_a_big_service_that_was_left_before_it_was_made() -> None:
    """The worker finishes for nobody: neither the list nor the service stays in the view."""
    worker = HeldWorker()
    world = World(PublisherOptions(worker=worker, big=1))
    world.decide("a", 1, 2, 3, aliases=("x",))
    keeper = world.stream((LISTENER, "other"))
    world.stream((ENDPOINTS, "a")).leave()
    world.clock.advance(1)
    while worker.jobs:
        worker.step()
        world.clock.advance(1)
    assert keeper.view._held == {}
