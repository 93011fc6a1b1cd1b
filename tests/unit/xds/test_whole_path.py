"""From a source's words to a client's picture: names that come, go, change hands, or may not be read."""

from __future__ import annotations

from typing import Any

import pytest

from lbcontrol.engine import events
from lbcontrol.frontends.xds.departures import PATIENCE
from lbcontrol.frontends.xds.ticks import PERIOD
from lbcontrol.model.services import BackendRef, RouteRule, ServiceSnapshot
from tests.support.builders import endpoint
from tests.support.spine import Spine, XdsClient, clusters, hosts, route_name

VARIANTS = pytest.mark.parametrize("variant", ["sotw", "delta"])
SYNCED = events.SourceSynced("one")


def service(name: str, *numbers: int, **more: Any) -> ServiceSnapshot:
    """Return what source ``one`` says of a service with these endpoints."""
    return ServiceSnapshot(name, "one", endpoints=tuple(endpoint(number) for number in numbers), **more)


def says(*services: ServiceSnapshot, removed: tuple[str, ...] = ()) -> events.SourceUpdated:
    """Return the event by which source ``one`` says so."""
    return events.SourceUpdated("one", services, removed)


def rule_to(*names: str) -> tuple[RouteRule, ...]:
    """Return a rule that splits evenly over services."""
    return (RouteRule(tuple(BackendRef(name) for name in names)),)


def leads_to(client: XdsClient, name: str) -> set[str]:
    """Return the hosts that calls to ``name`` reach, by what the client holds."""
    route = client.held["RDS"].get(route_name(client.held["LDS"].get(name, b"")), b"")
    return {host for cluster in clusters(route) for host in hosts(client.held["EDS"].get(cluster, b""))}


@VARIANTS
@pytest.mark.parametrize(("before", "after"), [("b", "a"), ("a", "b")])
def test_alias_moves_from_one_service_to_another(variant: str, before: str, after: str) -> None:
    """Whoever has the alias already follows it, and so does whoever asks later."""
    spine = Spine()
    first = {"a": service("a", 0), "b": service("b", 1)}
    spine.feed(says(*({**first, before: service(before, 5, aliases=("x",))}).values()), SYNCED)
    early = spine.client("grpc-go", "x", variant=variant)
    spine.rest()
    early.read()
    assert leads_to(early, "x") == {"10.0.0.5"}
    spine.feed(says(*({**first, after: service(after, 7, aliases=("x",))}).values()))
    spine.rest()
    late = spine.client("grpc-go", "x", variant=variant)
    for client in (early, late):
        client.read()
        assert leads_to(client, "x") == {"10.0.0.7"}


@VARIANTS
@pytest.mark.parametrize("kind", ["grpc-cpp", "unknown"])
@pytest.mark.parametrize("name", ["secret", "x"])
def test_forbidden_name_is_told_as_one_that_does_not_exist(variant: str, kind: str, name: str) -> None:
    """Before the sources have synced both are silent, after it both are told the same, service or alias."""
    spine = Spine("one", "two", denied=["secret"])
    spine.feed(says(service("secret", 1, aliases=("x",))), SYNCED, events.GraceEnded())
    forbidden = spine.client(kind, name, variant=variant)
    absent = spine.client(kind, "nope", variant=variant)
    spine.rest()
    assert forbidden.read() == absent.read() == []
    spine.feed(events.SourceSynced("two"))
    spine.rest()
    told, other = forbidden.read(), absent.read()
    assert told
    assert [(each.kind, len(each.bodies), len(each.removed)) for each in told] == [
        (each.kind, len(each.bodies), len(each.removed)) for each in other
    ]
    assert leads_to(forbidden, name) == set()


@pytest.mark.parametrize("brought", [{}, {"LDS": "version-of-before"}])
def test_set_waits_for_a_name_that_may_still_come_but_not_for_one_given_up(brought: dict[str, str]) -> None:
    """A set without the name could take it away from who holds it; who gives it up is served at once."""
    spine = Spine("one", "two")
    spine.feed(says(service("a", 1)), SYNCED, events.GraceEnded())
    client = spine.client("grpc-cpp", "a", "late", brought=brought)
    spine.rest()
    assert client.read() == []
    client.names("a")
    client.read()
    assert leads_to(client, "a") == {"10.0.0.1"}
    client.names("a", "late")
    spine.feed(events.SourceUpdated("two", (ServiceSnapshot("late", "two", endpoints=(endpoint(2),)),)))
    spine.rest()
    client.read()
    assert (leads_to(client, "a"), leads_to(client, "late")) == ({"10.0.0.1"}, {"10.0.0.2"})


BROKEN = events.SourceSynced("one", complete=False)


@pytest.mark.parametrize("late", ["before", "after"])
def test_file_that_is_broken_from_the_start_keeps_only_its_own_names_from_a_new_client(late: str) -> None:
    """A client that holds nothing can lose nothing: it gets the rest, changes of the rest, and the name in the end."""
    spine = Spine()
    spine.feed(says(service("a", 1)), *((BROKEN,) if late == "after" else ()))
    client = spine.client("grpc-cpp", "a", "broken")
    spine.feed(BROKEN)
    spine.rest()
    client.read()
    assert leads_to(client, "a") == {"10.0.0.1"}
    assert "broken" not in client.held["LDS"]
    spine.feed(says(service("a", 1, rules=rule_to("c")), service("c", 3)))
    spine.rest()
    client.read()
    assert leads_to(client, "a") == {"10.0.0.3"}
    spine.feed(says(service("broken", 2)), SYNCED)
    spine.rest()
    client.read()
    assert (leads_to(client, "a"), leads_to(client, "broken")) == ({"10.0.0.3"}, {"10.0.0.2"})


def test_client_that_comes_back_keeps_what_a_broken_file_may_name() -> None:
    """It may hold the name from before: a set without it would take it away."""
    spine = Spine()
    spine.feed(says(service("a", 1)), BROKEN)
    client = spine.client("grpc-cpp", "a", "broken", brought={"LDS": "version-of-before"})
    spine.rest()
    assert not client.read()
    spine.feed(says(service("broken", 2)), SYNCED)
    spine.rest()
    client.read()
    assert leads_to(client, "broken") == {"10.0.0.2"}


@VARIANTS
def test_new_envoy_gets_every_cluster_that_no_broken_file_hides(variant: str) -> None:
    """Its wildcard is answered with what is known, and with the rest when the file is repaired; nothing is removed."""
    spine = Spine()
    spine.feed(says(service("a", 1)), BROKEN)
    client = spine.client("envoy", variant=variant)
    spine.rest()
    client.read()
    assert set(client.held["CDS"]) == {"a"}
    spine.feed(says(service("b", 2)))
    spine.rest()
    client.read()
    assert set(client.held["CDS"]) == {"a", "b"}
    spine.feed(says(service("c", 3)), SYNCED)
    spine.rest()
    client.read()
    assert set(client.held["CDS"]) == {"a", "b", "c"}


@VARIANTS
def test_source_that_turns_unreadable_freezes_nothing_else(variant: str) -> None:
    """A broken file makes absence uncertain again; a service that goes then is kept, and the others go on changing."""
    spine = Spine()
    spine.feed(says(service("a", 1), service("b", 2)), SYNCED)
    client = spine.client("grpc-cpp", "a", "b", "typo", variant=variant)
    spine.rest()
    client.read()
    spine.feed(events.SourceSynced("one", complete=False), says(removed=("b",)))
    spine.rest()
    client.read()
    assert leads_to(client, "b") == {"10.0.0.2"}
    spine.feed(says(service("a", 1, rules=rule_to("c")), service("c", 3)))
    spine.rest()
    client.read()
    assert leads_to(client, "a") == {"10.0.0.3"}
    spine.feed(SYNCED)
    spine.rest()
    client.read()
    assert leads_to(client, "b") == set()


@VARIANTS
@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go", "grpc-node"])
def test_rule_that_names_nobody_holds_back_no_other_call(variant: str, kind: str) -> None:
    """The client gets a cluster without endpoints for it at once, and the real one when somebody serves it."""
    spine = Spine()
    spine.feed(says(service("a", 1, rules=rule_to("a", "nobody"))), SYNCED)
    client = spine.client(kind, "a", variant=variant)
    spine.rest()
    client.read()
    assert set(client.held["CDS"]) == {"a", "nobody"}
    assert hosts(client.held["EDS"]["nobody"]) == set()
    assert leads_to(client, "a") == {"10.0.0.1"}
    spine.feed(says(service("nobody", 2)))
    spine.rest()
    client.read()
    assert leads_to(client, "a") == {"10.0.0.1", "10.0.0.2"}


def renamed(variant: str) -> tuple[Spine, XdsClient]:
    """Return a client that gives up nothing by itself, of an alias whose service was just renamed from one to two."""
    spine = Spine()
    spine.feed(says(service("one", 1, aliases=("g",))), SYNCED)
    client = spine.client("grpc-cpp", "g", variant=variant)
    spine.rest()
    client.read()
    client.gives_up = False
    spine.feed(says(service("two", 2, aliases=("g",)), removed=("one",)))
    spine.clock.advance(0.05)
    client.read()
    return spine, client


@VARIANTS
def test_renamed_service_keeps_its_old_cluster_until_the_client_has_moved(variant: str) -> None:
    """Calls stay where they are until what the new route leads to is there; then the client lets go by itself."""
    spine, client = renamed(variant)
    assert leads_to(client, "g") == {"10.0.0.2"}
    assert set(client.held["CDS"]) == {"one", "two"}
    assert hosts(client.held["EDS"]["one"]) == {"10.0.0.1"}
    client.let_go()
    spine.rest()
    assert client.read() == []
    assert set(client.held["CDS"]) == {"two"}


@VARIANTS
def test_client_that_never_lets_go_is_told_in_the_end(variant: str) -> None:
    """After the time it has to move, what is gone is gone."""
    spine, client = renamed(variant)
    spine.clock.advance(PATIENCE + PERIOD)
    client.read()
    assert set(client.held["CDS"]) == {"two"}
    spine.rest()
    assert client.read() == []


@VARIANTS
def test_removed_service_goes_at_once(variant: str) -> None:
    """Nobody has to move anywhere: no removal waits."""
    spine = Spine()
    spine.feed(says(service("one", 1), service("two", 2)), SYNCED)
    client = spine.client("grpc-cpp", "one", "two", variant=variant)
    spine.rest()
    client.read()
    client.gives_up = False
    spine.feed(says(removed=("one",)))
    spine.clock.advance(0.05)
    client.read()
    assert set(client.held["CDS"]) == {"two"}
