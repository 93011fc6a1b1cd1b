"""What operators see of clients of the native API."""

from __future__ import annotations

import dataclasses

import pytest
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.model.assignment import Mark
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.ports import StreamHandler
from tests.unit.frontends.fakes import MemoryOutlet, World, decision, endpoint


def watching(world: World, name: str) -> tuple[StreamHandler, MemoryOutlet]:
    """Open a watch of one name."""
    handler, outlet = world.open("WatchAssignments")
    handler.received(pb.WatchAssignmentsRequest(client={"node_id": "n"}, subscribe=[name]).SerializeToString())
    return handler, outlet


def accept(handler: StreamHandler, outlet: MemoryOutlet) -> None:
    """Acknowledge what was sent last."""
    last = outlet.news()[-1].assignment
    verdict = pb.AssignmentVerdict(service=last.service, version=last.version, verdict=pb.VERDICT_ACCEPTED)
    handler.received(pb.WatchAssignmentsRequest(verdicts=[verdict]).SerializeToString())


def test_client_is_behind_from_the_oldest_change_it_has_not_answered() -> None:
    """Marks and seconds follow what was sent and acknowledged; an alias counts for its service."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1"), aliases=("alias",)))
    handler, outlet = watching(world, "alias")
    accept(handler, outlet)
    world.directory.put(decision("a", 2, endpoint("10.0.0.1:1", 2), aliases=("alias",)))
    world.clock.advance(2.0)
    world.directory.put(decision("a", 3, endpoint("10.0.0.1:1", 3), aliases=("alias",)))
    world.clock.advance(1.0)
    (view,) = world.front.client_views()
    (subscription,) = view.subscriptions
    assert (view.id, view.protocol, view.carrier, view.stream_age) == ("n", "native", "native", 3.0)
    assert (subscription.service, subscription.sent, subscription.acknowledged) == ("a", Mark(1, 3), Mark(1, 1))
    assert subscription.behind == 3.0
    accept(handler, outlet)
    (subscription,) = next(world.front.client_views()).subscriptions
    assert (subscription.acknowledged, subscription.behind) == (Mark(1, 3), None)


def test_client_that_has_the_content_of_a_newer_mark_is_not_behind() -> None:
    """Equal content is not sent again, and counts as sent and acknowledged."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1")))
    handler, outlet = watching(world, "a")
    accept(handler, outlet)
    world.directory.put(decision("a", 2, endpoint("10.0.0.1:1")))
    (subscription,) = next(world.front.client_views()).subscriptions
    assert (subscription.sent, subscription.acknowledged, subscription.behind) == (Mark(1, 2), Mark(1, 2), None)


def test_told_is_what_was_sent() -> None:
    """Weights, shares and bytes are those of the response."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1", 1), endpoint("10.0.0.2:1", 3)))
    _, outlet = watching(world, "a")
    (view,) = world.front.client_views()
    told = world.front.told(view, "a")
    (sent,) = outlet.news()
    assert [(str(e.address), e.weight, e.share, e.sent_as) for e in told.endpoints] == [
        ("10.0.0.1:1", 1, 0.25, "weight 1"),
        ("10.0.0.2:1", 3, 0.75, "weight 3"),
    ]
    (resource,) = told.resources
    assert (resource.type, resource.version) == (ResourceType.ASSIGNMENT.value, sent.assignment.version)


def test_told_of_somebody_gone_or_something_else_is_not_found() -> None:
    """A client that left, and a service it never asked for, are LB312."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1")))
    watching(world, "a")
    (view,) = world.front.client_views()
    gone = dataclasses.replace(view, peer=dataclasses.replace(view.peer, address="192.0.2.9:1"))
    for client, service in ((view, "b"), (gone, "a")):
        with pytest.raises(NotFoundError, match="LB312"):
            world.front.told(client, service)


def test_clients_answers_and_encodings_are_counted() -> None:
    """One encoding for two clients; pushes, answers and who is there by kind."""
    world = World()
    world.directory.put(decision("a", 1, endpoint("10.0.0.1:1")))
    handler, outlet = watching(world, "a")
    watching(world, "a")
    accept(handler, outlet)
    sample = world.metrics.registry.get_sample_value
    labels = {"protocol": "native", "type": "assignment"}
    assert sample("lbcontrol_encodes_total", labels) == 1.0
    assert sample("lbcontrol_pushes_total", labels) == 2.0
    assert sample("lbcontrol_acks_total", {"verdict": "ack"}) == 1.0
    assert sample("lbcontrol_clients", {"client_kind": "unknown"}) == 2.0
    handler.closed("client")
    assert sample("lbcontrol_clients", {"client_kind": "unknown"}) == 1.0
