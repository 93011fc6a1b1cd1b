"""Many changes in a short time, from the source to the stream: few messages, the last state, nothing urgent late."""

from __future__ import annotations

import pytest

from lbcontrol.engine import events
from lbcontrol.model.services import ServiceSnapshot
from tests.support.builders import address, drain, endpoint
from tests.support.spine import Spine, XdsClient, hosts


def service(*weights: int) -> events.SourceUpdated:
    """Return greeter with one endpoint for each weight."""
    endpoints = tuple(endpoint(number, weight=weight) for number, weight in enumerate(weights))
    return events.SourceUpdated("one", (ServiceSnapshot("greeter", "one", endpoints=endpoints),))


def follows(kind: str, *weights: int) -> tuple[Spine, XdsClient]:
    """Return a client at rest."""
    spine = Spine()
    spine.feed(service(*weights), events.SourceSynced("one"))
    client = spine.client(kind, "greeter")
    spine.rest()
    client.read()
    return spine, client


@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go", "grpc-node"])
def test_fifty_changes_in_a_tenth_of_a_second_are_at_most_five_messages(kind: str) -> None:
    """And the last of them holds the last state."""
    spine, client = follows(kind, 1, 1)
    for number in range(50):
        spine.feed(service(*([1] * (1 + number % 3)), number + 1))
        spine.clock.advance(0.002)
    spine.clock.advance(0.05)
    told = client.read()
    assert 1 <= len(told) <= 5
    assert len(hosts(client.held["EDS"]["greeter"])) == 50 % 3 + 1
    spine.rest()
    assert len(client.read()) <= 1


@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-node"])
def test_drain_waits_for_nothing_and_takes_waiting_weights_along(kind: str) -> None:
    """At the client within 50 ms, with the weights of that service that wait for their interval."""
    spine, client = follows(kind, 1, 1, 1)
    spine.feed(service(2, 1, 1))
    spine.clock.advance(0.1)
    client.read()
    spine.feed(service(3, 1, 1))
    spine.clock.advance(0.01)
    assert client.read() == []
    spine.feed(events.OverrideSet(drain(2)))
    spine.clock.advance(0.05)
    (told,) = client.read()
    assert hosts(told.bodies["greeter"]) == {address(0).host, address(1).host}
    spine.rest()
    assert client.read() == []


def test_there_and_back_between_two_flushes_sends_nothing() -> None:
    """Equal bytes are never sent again."""
    spine, client = follows("grpc-go", 1, 1)
    spine.feed(service(2, 1))
    spine.feed(service(1, 1))
    spine.rest()
    assert client.read() == []
