"""Stock grpcio over xDS against `lbcontrol serve`, judged at the backends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.procs import Proc
from tests.support.stats import assert_split

_CALLS = 8000
_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    """Three backends in one process."""
    started = Backends(3, log=tmp_path / "backends.log")
    yield started
    started.stop()


@pytest.fixture
def plane(tmp_path: Path, backends: Backends) -> Iterator[ControlPlane]:
    """A control plane that serves greeter with weights 1:2:5."""
    started = ControlPlane(tmp_path / "plane")
    weights = dict(zip(backends.addresses, (1, 2, 5), strict=True))
    try:
        started.start({"greeter.yaml": services_yaml("greeter", weights)})
        yield started
    finally:
        started.kill9()


@pytest.fixture
def client(tmp_path: Path, plane: ControlPlane) -> Iterator[Proc]:
    """A stock client of xds:///greeter, ready for commands."""
    argv = [sys.executable, "-m", "tests.support.clients_grpcio", "xds:///greeter"]
    env = {"GRPC_XDS_BOOTSTRAP_CONFIG": plane.bootstrap(), "PYTHONPATH": str(_ROOT)}
    with Proc(argv, log=tmp_path / "client.log", env=env) as proc:
        proc.line(20.0)
        yield proc


def _connections(backends: Backends) -> int:
    return sum(one.connections for one in backends.stats().values())


def test_grpcio_obeys_weights_one_two_five(backends: Backends, client: Proc) -> None:
    """Each backend's share of 8,000 calls fits its weight."""
    answer = client.ask({"cmd": "call", "n": _CALLS})
    assert answer["failed"] == 0, answer["errors"]
    assert_split(answer["backends"], dict(zip(backends.addresses, (1, 2, 5), strict=True)))


def test_grpcio_follows_a_live_change_without_failure_or_new_connection(
    backends: Backends, plane: ControlPlane, client: Proc
) -> None:
    """From 1:2:5 to 5:2:1 under load no call fails and no backend is dialled again."""
    client.ask({"cmd": "call", "n": 200})
    before = _connections(backends)
    client.ask({"cmd": "start_load", "rps": 200})
    weights = dict(zip(backends.addresses, (5, 2, 1), strict=True))
    plane.write({"greeter.yaml": services_yaml("greeter", weights)})
    time.sleep(3.0)  # the file is watched and weight-only changes coalesce for about 1 s
    after = client.ask({"cmd": "call", "n": _CALLS})
    load = client.ask({"cmd": "stop_load"})
    assert (load["failed"], after["failed"]) == (0, 0), load["errors"] + after["errors"]
    assert_split(after["backends"], weights)
    assert _connections(backends) == before


def test_grpcio_stops_calling_a_drained_backend_within_a_second(
    backends: Backends, plane: ControlPlane, client: Proc
) -> None:
    """The drained backend's last call arrives at most 1 s after the command; load goes on."""
    drained = backends.addresses[2]
    client.ask({"cmd": "start_load", "rps": 200})
    time.sleep(0.5)  # load must be flowing before the drain
    commanded = time.monotonic()
    plane.cli("drain", "greeter", drained, "--reason", "test")
    time.sleep(3.0)  # long enough for a late call to arrive and be seen
    stats = backends.stats()
    load = client.ask({"cmd": "stop_load"})
    assert load["failed"] == 0, load["errors"]
    assert stats[drained].calls > 0
    assert stats[drained].last_arrival - commanded <= 1.0
    assert max(one.last_arrival for one in stats.values()) - commanded > 2.0


def test_grpcio_fails_fast_when_the_service_is_unknown(tmp_path: Path, plane: ControlPlane) -> None:
    """A name nobody serves fails UNAVAILABLE in less than 2 s."""
    argv = [sys.executable, "-m", "tests.support.clients_grpcio", "xds:///nobody"]
    env = {"GRPC_XDS_BOOTSTRAP_CONFIG": plane.bootstrap(), "PYTHONPATH": str(_ROOT)}
    with Proc(argv, log=tmp_path / "unknown.log", env=env) as proc:
        proc.line(20.0)
        answer = proc.ask({"cmd": "call", "n": 1})
    print(answer)
    assert answer["failed"] == 1
    assert answer["errors"][0]["code"] == "UNAVAILABLE"
    assert answer["errors"][0]["seconds"] < 2.0


def test_grpcio_keeps_calling_when_the_control_plane_is_down(plane: ControlPlane, client: Proc) -> None:
    """After kill -9 the last configuration goes on serving."""
    client.ask({"cmd": "call", "n": 100})
    plane.kill9()
    answer = client.ask({"cmd": "call", "n": 500})
    assert answer["failed"] == 0, answer["errors"]
