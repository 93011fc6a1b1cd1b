"""What a name without a namespace means to clients of a namespace, from source to stream, as names come and go."""

from __future__ import annotations

import pytest

from lbcontrol.engine import events
from lbcontrol.frontends.native_names import NamespaceDirectory, directory_for
from lbcontrol.model.clients import Identity
from lbcontrol.model.namespaces import bare, is_namespace, qualified
from lbcontrol.runtime.directory import Directory
from tests.support.builders import address, endpoint, snapshot, updated
from tests.support.spine import Spine, XdsClient, hosts

SHOP, BANK, DEFAULT, FILE = (address(number).host for number in (1, 2, 3, 4))


def service(number: int, name: str, *aliases: str) -> events.Event:
    """Return the event by which a service with one endpoint is there."""
    return updated(snapshot([endpoint(number)], service=name, aliases=aliases))


def spine() -> Spine:
    """A world in which three namespaces have an ``echo``; the one of ``default`` has the bare name for an alias."""
    made = Spine()
    made.feed(
        service(1, "echo.shop", "echo.shop:grpc"),
        service(2, "echo.bank"),
        service(3, "echo.default", "echo"),
        events.SourceSynced("one"),
    )
    made.rest()
    return made


def dialled(client: XdsClient) -> set[str]:
    """Return whom a client dials now."""
    client.read()
    return {host for body in client.held["EDS"].values() for host in hosts(body)}


@pytest.mark.parametrize("variant", ["sotw", "delta"])
@pytest.mark.parametrize("kind", ["grpc-go", "grpc-cpp", "grpc-node", "unknown"])
def test_bare_name_is_looked_for_in_the_clients_namespace_first(kind: str, variant: str) -> None:
    """Each client gets its own, one of no namespace and one of a namespace without it the configured default's."""
    world = spine()
    wanted = {"shop": SHOP, "bank": BANK, "": DEFAULT, "other": DEFAULT, "Not_A_Namespace": DEFAULT}
    found = {each: world.client(kind, "echo", variant=variant, namespace=each) for each in wanted}
    world.rest()
    assert {each: dialled(client) for each, client in found.items()} == {each: {host} for each, host in wanted.items()}
    full = world.client(kind, "echo.bank", variant=variant, namespace="shop")
    port = world.client(kind, "echo:grpc", variant=variant, namespace="shop")
    world.rest()
    assert (dialled(full), dialled(port)) == ({BANK}, {SHOP})


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_meaning_follows_what_is_there(variant: str) -> None:
    """The namespace's own comes, changes beside the other's change, and goes; a service so called is meant before."""
    world = Spine()
    world.feed(service(3, "echo.default", "echo"), events.SourceSynced("one"))
    client = world.client("grpc-go", "echo", variant=variant, namespace="shop")
    other = world.client("grpc-go", "echo", variant=variant)
    world.rest()
    assert (dialled(client), dialled(other)) == ({DEFAULT}, {DEFAULT})
    world.feed(service(1, "echo.shop"))
    world.rest()
    assert (dialled(client), dialled(other)) == ({SHOP}, {DEFAULT})
    world.feed(updated(snapshot([endpoint(3), endpoint(5)], service="echo.default", aliases=("echo",))))
    world.rest()
    assert (dialled(client), len(dialled(other))) == ({SHOP}, 2)
    world.feed(updated(removed=["echo.shop"]))
    world.rest()
    assert dialled(client) == dialled(other) == {DEFAULT, address(5).host}
    world.feed(service(4, "echo"))
    world.rest()
    assert dialled(client) == {FILE}
    world.feed(service(1, "echo.shop"))
    world.rest()
    assert dialled(client) == {FILE}


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_name_that_nobody_has_yet_comes_into_being(variant: str) -> None:
    """A client that waits for ``echo`` gets its namespace's as soon as it is there."""
    world = Spine()
    world.feed(events.SourceSynced("one"))
    client = world.client("grpc-go", "echo", variant=variant, namespace="shop")
    world.rest()
    assert dialled(client) == set()
    world.feed(service(1, "echo.shop"))
    world.rest()
    assert dialled(client) == {SHOP}


def test_endpoint_lists_are_shared_by_clients_of_all_namespaces() -> None:
    """Only listeners differ: equal bytes for one service, whoever asks by whatever name."""
    world = spine()
    names = {"shop": "echo", "bank": "echo.shop", "": "echo.shop"}
    clients = [world.client("grpc-go", name, namespace=space) for space, name in names.items()]
    world.rest()
    for client in clients:
        client.read()
    assert len({client.held["EDS"]["echo.shop"] for client in clients}) == 1
    assert len({client.held["RDS"]["echo.shop"] for client in clients}) == 1


def test_native_clients_mean_the_same() -> None:
    """By the namespace they proved; watches hear of either name."""
    world = Spine()
    directory = Directory(world, world.clock, metrics=world.metrics)
    world.listen(directory.receive)
    world.feed(service(1, "echo.shop"), service(3, "echo.default", "echo"), events.SourceSynced("one"))
    shop = directory_for(Identity("system:serviceaccount:shop:web", authenticated=True), directory)
    assert isinstance(shop, NamespaceDirectory)
    assert [getattr(each.decision("echo"), "service", "") for each in (shop, directory)] == [
        "echo.shop",
        "echo.default",
    ]
    assert directory_for(Identity("system:serviceaccount:shop:web"), directory) is directory
    told: list[None] = []
    undo = shop.watch("echo", lambda: told.append(None))
    world.feed(updated(removed=["echo.shop"]))
    world.rest()
    assert told
    assert shop.decision("echo") is directory.decision("echo")
    assert (shop.is_unknown("echo"), shop.is_unknown("nobody"), shop.ready) == (False, True, directory.ready)
    assert (shop.decisions(), shop.changed_at("echo.bank")) == (
        directory.decisions(),
        directory.changed_at("echo.bank"),
    )
    undo()
    told.clear()
    world.feed(service(1, "echo.shop"))
    world.rest()
    assert not told


@pytest.mark.parametrize(
    ("name", "namespace", "full"),
    [
        ("echo", "shop", "echo.shop"),
        ("echo:grpc", "shop", "echo.shop:grpc"),
        ("echo.bank", "shop", ""),
        ("echo", "", ""),
        ("", "shop", ""),
        (":1", "shop", ""),
    ],
)
def test_only_bare_names_are_qualified(name: str, namespace: str, full: str) -> None:
    """And a full name of the namespace has a bare one."""
    assert qualified(name, namespace) == full
    assert not full or bare(full, namespace) == name


@pytest.mark.parametrize(
    ("text", "good"), [("shop", True), ("a-1", True), ("", False), ("a.b", False), ("A", False), ("a" * 64, False)]
)
def test_namespaces_are_labels(text: str, good: bool) -> None:
    """Anything else that a client says is as if nothing had been said."""
    assert is_namespace(text) is good


def test_invented_namespaces_leave_nothing_behind() -> None:
    """What a client calls its namespace is its own affair: bytes are made for those that a service has names in."""
    world = spine()

    def kept() -> int:
        return sum(map(len, world.publisher._parts.cache._entries.values()))

    for space in ("", "shop", "bank"):
        world.client("grpc-go", "echo.shop", namespace=space)
    world.rest()
    before = kept()
    for number in range(200):
        client = world.client("grpc-go", "echo.shop", namespace=f"n{number}")
        world.rest()
        assert dialled(client) == {SHOP}
        client.close()
    assert kept() == before
    assert len(world.publisher._all()) <= 4
