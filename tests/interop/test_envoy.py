"""Envoy obeys endpoint weights exactly, in both variants of the protocol, and rejects nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import GRPCIO, Client
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.envoy import Envoy, bootstrap
from tests.support.procs import free_port
from tests.support.require import component
from tests.support.waiting import wait_until

CYCLES = 50
SUM = 8
"""The weights add up to 8, so that Envoy's order of picks repeats after 8 calls."""
WARM_UP = 40


@pytest.fixture
def listen() -> str:
    """Where Envoy takes calls."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(params=["GRPC", "DELTA_GRPC"])
def envoy(request: pytest.FixtureRequest, plane: ControlPlane, listen: str, tmp_path: Path) -> Iterator[Envoy]:
    """An Envoy whose listener routes to greeter, once with state of the world and once with delta."""
    document = bootstrap(plane.grpc, listen=listen, route="greeter", api_type=request.param)
    with Envoy(component("envoy"), document, home=tmp_path) as started:
        yield started


@pytest.fixture
def caller(envoy: Envoy, listen: str, tmp_path: Path) -> Iterator[Client]:
    """A plain gRPC client that calls through Envoy, with connections to all backends open already."""
    with Client(GRPCIO, listen, server="", log=tmp_path / "caller.log") as started:
        started.call(WARM_UP)
        yield started


def exact(weights: dict[str, int]) -> dict[str, int]:
    """The calls that each backend gets out of whole cycles."""
    return {address: weight * CYCLES for address, weight in weights.items()}


def test_envoy_obeys_weights_exactly_and_follows_a_change(
    envoy: Envoy, caller: Client, plane: ControlPlane, wanted: dict[str, int], turned: dict[str, int]
) -> None:
    """1:2:5 and after a live change 5:2:1, to the call; nothing that was sent was rejected."""
    first = caller.call(CYCLES * SUM, parallel=1)
    assert (first.failed, first.backends) == (0, exact(wanted)), first.errors
    updates = envoy.stats()["cluster.greeter.update_success"]
    plane.write({"greeter.yaml": services_yaml("greeter", turned)})
    envoy.wait(lambda: envoy.stats()["cluster.greeter.update_success"] > updates, "told of new weights")
    caller.call(SUM, parallel=1)  # its worker thread may learn of them a little later than its statistics
    second = caller.call(CYCLES * SUM, parallel=1)
    assert (second.failed, second.backends) == (0, exact(turned)), second.errors
    rejected = envoy.rejected()
    assert set(rejected) >= {
        "cluster_manager.cds.update_rejected",
        "http.in.rds.greeter.update_rejected",
        "cluster.greeter.update_rejected",
    }
    assert set(rejected.values()) == {0}, rejected


def test_envoy_stops_calling_a_drained_backend_and_lets_its_calls_end(
    envoy: Envoy, caller: Client, plane: ControlPlane, backends: Backends
) -> None:
    """The last call arrives at most 1 s after the command; 1.5 s calls under way there succeed."""
    drained = backends.addresses[2]
    caller.start_load(200)
    caller.begin_slow_calls(SUM)
    wait_until(lambda: backends.stats()[drained].in_flight > 0, "slow calls at the backend")
    plane.cli("drain", "greeter", drained, "--reason", "test")
    done = time.monotonic()
    slow = caller.finish_slow_calls()
    time.sleep(max(0.0, done + 2.0 - time.monotonic()))  # a late call would arrive meanwhile
    stats = backends.stats()
    load = caller.stop_load()
    assert (load.failed, slow.failed) == (0, 0), load.errors + slow.errors
    assert slow.backends[drained] > 0
    assert stats[drained].last_arrival - done <= 1.0
    assert max(one.last_arrival for one in stats.values()) - done > 1.5
    assert set(envoy.rejected().values()) == {0}


@pytest.mark.parametrize("flags", [(), ("--delta",)], ids=["state of the world", "delta"])
def test_envoy_takes_the_printed_bootstrap(
    flags: tuple[str, ...], plane: ControlPlane, listen: str, wanted: dict[str, int], tmp_path: Path
) -> None:
    """What ``lbcontrol bootstrap greeter --language envoy`` prints is all that Envoy needs."""
    document = json.loads(plane.bootstrap("greeter", "--language", "envoy", "--listen", listen, *flags))
    with Envoy(component("envoy"), document, home=tmp_path) as envoy:
        log = tmp_path / "caller.log"
        with Client(GRPCIO, listen, server="", log=log) as caller:
            caller.call(WARM_UP)
            answer = caller.call(CYCLES * SUM, parallel=1)
        assert (answer.failed, answer.backends) == (0, exact(wanted)), answer.errors
        assert set(envoy.rejected().values()) == {0}
