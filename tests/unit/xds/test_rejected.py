"""A list that clients reject, from the source to every stream: who is parked, what still gets through, who sees it."""

from __future__ import annotations

from typing import Any

import pytest

from lbcontrol.engine import events
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.view import MOST_SPARES
from tests.support.builders import address, drain, endpoint
from tests.support.spine import Spine, XdsClient, hosts

HOSTS = tuple(address(number).host for number in range(6))
VARIANTS = pytest.mark.parametrize("variant", ["sotw", "delta"])


def service(*numbers: int, weight: int = 1) -> events.SourceUpdated:
    """Return greeter with these endpoints."""
    endpoints = tuple(endpoint(number, weight=weight) for number in numbers)
    return events.SourceUpdated("one", (ServiceSnapshot("greeter", "one", endpoints=endpoints),))


def rejects_third(kind: str, name: str, body: bytes) -> bool:
    """Refuse every list with endpoint 3."""
    del name
    return kind == "EDS" and HOSTS[3] in hosts(body)


def crowd(spine: Spine, variant: str, *, confused: int, of: int) -> list[XdsClient]:
    """Connect clients of one kind, each from a host of its own; the first ones refuse endpoint 3."""
    clients = []
    for number in range(of):
        more: dict[str, Any] = {"rejects": rejects_third} if number < confused else {}
        peer = f"192.0.2.{number}:40000"
        clients.append(spine.client("grpc-go", "greeter", variant=variant, peer=peer, **more))
    settle(spine, clients)
    return clients


def settle(spine: Spine, clients: list[XdsClient]) -> None:
    """Let every change and every verdict arrive."""
    for _ in range(3):
        spine.rest()
        for client in clients:
            client.read()


def lists(clients: list[XdsClient]) -> list[set[str]]:
    """Return the endpoints each client holds."""
    return [hosts(client.held["EDS"]["greeter"]) for client in clients]


@VARIANTS
@pytest.mark.parametrize(("confused", "of", "parked"), [(2, 4, False), (3, 15, True), (3, 16, False)])
def test_bytes_are_parked_for_the_kind_by_three_peers_and_a_fifth(
    variant: str, confused: int, of: int, *, parked: bool
) -> None:
    """Below that, those who refuse keep what they had, and are shown, and the others go on."""
    spine = Spine()
    spine.feed(service(1, 2), events.SourceSynced("one"))
    clients = crowd(spine, variant, confused=confused, of=of)
    spine.feed(service(1, 2, 3))
    settle(spine, clients)
    good, new = {HOSTS[1], HOSTS[2]}, {HOSTS[1], HOSTS[2], HOSTS[3]}
    assert lists(clients) == [good] * of if parked else [good] * confused + [new] * (of - confused)
    found = [finding.code for finding in spine.publisher.findings()]
    assert found == (["LB905"] if parked else [])
    count = spine.metrics.registry.get_sample_value("lbcontrol_parked_resources", {"client_kind": "grpc-go"})
    assert count == (1.0 if parked else float(confused))
    shown = [view.subscriptions[0] for view in spine.front.client_views()]
    refusing = [each.behind is not None and each.rejection is not None for each in shown]
    assert refusing == [False] * of if parked else [True] * confused + [False] * (of - confused)


@VARIANTS
def test_removals_and_drains_reach_who_rejected_the_list(variant: str) -> None:
    """Once parked for the kind, what leaves is taken out of the last good list; a good list ends it all."""
    spine = Spine()
    spine.feed(service(1, 2, 4), events.SourceSynced("one"))
    clients = crowd(spine, variant, confused=3, of=4)
    spine.feed(service(1, 2, 4, 3))
    settle(spine, clients)
    spine.feed(service(2, 4, 3))
    settle(spine, clients)
    assert lists(clients) == [{HOSTS[2], HOSTS[4]}] * 4
    spine.feed(events.OverrideSet(drain(4)))
    settle(spine, clients)
    assert lists(clients) == [{HOSTS[2]}] * 4
    spine.feed(service(2, 4, 5))
    settle(spine, clients)
    assert lists(clients) == [{HOSTS[2], HOSTS[5]}] * 4
    assert spine.publisher.findings() == []


def parked(spine: Spine) -> float | None:
    """Value of the gauge."""
    return spine.metrics.registry.get_sample_value("lbcontrol_parked_resources", {"client_kind": "grpc-go"})


@VARIANTS
@pytest.mark.parametrize("way", ["removal", "drain"])
def test_single_client_that_rejects_is_told_of_what_leaves(variant: str, way: str) -> None:
    """Removals are never parked: its last good list goes out again without that endpoint; it is counted meanwhile."""
    spine = Spine()
    spine.feed(service(1, 2, 4), events.SourceSynced("one"))
    clients = crowd(spine, variant, confused=1, of=2)
    spine.feed(service(1, 2, 3, 4))
    settle(spine, clients)
    assert parked(spine) == 1.0
    spine.feed(service(1, 3, 4) if way == "removal" else events.OverrideSet(drain(2)))
    settle(spine, clients)
    assert lists(clients) == [{HOSTS[1], HOSTS[4]}, {HOSTS[1], HOSTS[3], HOSTS[4]}]
    spine.feed(service(1, 3) if way == "removal" else events.OverrideSet(drain(4)))
    settle(spine, clients)
    assert lists(clients) == [{HOSTS[1]}, {HOSTS[1], HOSTS[3]}]
    spine.feed(service(1, 5))
    settle(spine, clients)
    assert lists(clients)[0] == {HOSTS[1], HOSTS[5]}
    assert parked(spine) == 0.0


@VARIANTS
def test_client_that_rejects_everything_is_not_asked_for_ever(variant: str) -> None:
    """What is left of its last good list is offered once for each change; then it keeps what it has."""
    spine = Spine()
    spine.feed(service(1, 2), events.SourceSynced("one"))
    (client,) = crowd(spine, variant, confused=0, of=1)
    client.rejects_from_now_on()
    spine.feed(service(1, 3))
    spine.rest()
    said = len(client.read())
    assert said == 2
    settle(spine, [client])
    assert (lists([client]), parked(spine)) == ([{HOSTS[1], HOSTS[2]}], 1.0)
    client.close()
    assert parked(spine) == 0.0


def test_leftovers_of_rejected_lists_are_bounded() -> None:
    """A view keeps the last few; what is made again is equal."""
    spine = Spine()
    spine.feed(service(1, 2), events.SourceSynced("one"))
    (client,) = crowd(spine, "sotw", confused=0, of=1)
    client.rejects_from_now_on()
    for number in range(MOST_SPARES + 3):
        spine.feed(service(1, 3, weight=number + 2))
        settle(spine, [client])
    view = spine.publisher._all()[0]
    assert len(view._spares) == MOST_SPARES
