"""`locality.prefer: Zone`: each client calls its own zone while that serves, and the others when it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import GRPCIO, LANGUAGES, Client, Language
from tests.support.control_plane import ControlPlane
from tests.support.envoy import Envoy
from tests.support.procs import free_port
from tests.support.require import component
from tests.support.waiting import wait_until

ZONES = ("a", "b", "b")
"""Zone of each backend."""


def zoned(backends: Backends, *, health: str = "Serving") -> dict[str, str]:
    """A service file whose clients prefer their zone; those of zone b are in this state."""
    ends = [
        f'{{address: "{address}", health: {health if zone == "b" else "Serving"}, '
        f"locality: {{region: r1, zone: {zone}}}}}"
        for address, zone in zip(backends.addresses, ZONES, strict=True)
    ]
    policy = "policy: {locality: {prefer: Zone}}"
    return {"greeter.yaml": f"services: [{{name: greeter, {policy}, endpoints: [{', '.join(ends)}]}}]\n"}


@pytest.fixture
def plane(tmp_path: Path, backends: Backends) -> Iterator[ControlPlane]:
    """A control plane that serves the backends in their zones."""
    started = ControlPlane(tmp_path / "plane")
    try:
        started.start(zoned(backends))
        yield started
    finally:
        started.kill9()


def reached(client: Client, calls: int) -> set[str]:
    """Backends that answered some calls, all of which succeeded."""
    answer = client.call(calls)
    assert (answer.ok, answer.failed) == (calls, 0), answer.errors
    return set(answer.backends)


def follows_its_zone(client: Client, plane: ControlPlane, backends: Backends) -> None:
    """Both backends of zone b, and no other; without them the one of zone a; then theirs again."""
    far, *near = backends.addresses
    for health, wanted in (("Serving", set(near)), ("NotServing", {far}), ("Serving", set(near))):
        plane.write(zoned(backends, health=health))
        wait_until(partial(goes_to, client, wanted), f"calls follow {health}", seconds=30.0)
        assert reached(client, 200) == wanted


def goes_to(client: Client, wanted: set[str]) -> bool:
    """Whether calls reach just these: enough calls that none is left out by chance (2 ** -49)."""
    return reached(client, 50) == wanted


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_calls_its_own_zone_while_that_serves(
    language: Language, plane: ControlPlane, backends: Backends, tmp_path: Path
) -> None:
    """The zone is what `lbcontrol bootstrap --zone` prints."""
    printed = plane.bootstrap("--region", "r1", "--zone", "b")
    env = {"GRPC_XDS_BOOTSTRAP_CONFIG": printed}
    log = tmp_path / "client.log"
    with Client(language, "xds:///greeter", server=plane.grpc, log=log, env=env) as client:
        follows_its_zone(client, plane, backends)


@pytest.mark.parametrize("flags", [(), ("--delta",)], ids=["state of the world", "delta"])
def test_envoy_calls_its_own_zone_while_that_serves(
    flags: tuple[str, ...], plane: ControlPlane, backends: Backends, tmp_path: Path
) -> None:
    """The same, by the bootstrap that is printed for it."""
    listen = f"127.0.0.1:{free_port()}"
    zone = ("--region", "r1", "--zone", "b")
    document = json.loads(plane.bootstrap("greeter", "--language", "envoy", "--listen", listen, *zone, *flags))
    with (
        Envoy(component("envoy"), document, home=tmp_path) as envoy,
        Client(GRPCIO, listen, server="", log=tmp_path / "caller.log") as caller,
    ):
        follows_its_zone(caller, plane, backends)
        assert set(envoy.rejected().values()) == {0}
