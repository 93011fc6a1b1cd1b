"""Stock gRPC clients obey weights, and follow them when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import LANGUAGES, Client, Language
from tests.support.control_plane import ControlPlane, on_every_transport, services_yaml
from tests.support.stats import assert_split
from tests.support.waiting import wait_until

CALLS = 8000
PROBE = 400


@on_every_transport
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_obeys_weights_one_two_five(
    language: Language, plane: ControlPlane, wanted: dict[str, int], tmp_path: Path
) -> None:
    """Each backend's share of 8,000 calls fits its weight."""
    with Client(language, "xds:///greeter", server=plane.grpc, log=tmp_path / "client.log") as client:
        client.reach(wanted)
        answer = client.call(CALLS)
    assert (answer.ok, answer.failed) == (CALLS, 0), answer.errors
    assert_split(answer.backends, wanted)


@on_every_transport
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_follows_a_live_change_without_a_failed_call(
    language: Language, plane: ControlPlane, backends: Backends, turned: dict[str, int], tmp_path: Path
) -> None:
    """From 1:2:5 to 5:2:1 under load no call fails, and who keeps connections dials nobody again."""
    last = backends.addresses[2]
    with Client(language, "xds:///greeter", server=plane.grpc, log=tmp_path / "client.log") as client:
        client.reach(backends.addresses)
        before = backends.connections()
        client.start_load(200)
        plane.write({"greeter.yaml": services_yaml("greeter", turned)})
        seconds = wait_until(lambda: client.call(PROBE).backends.get(last, 0) < PROBE * 0.35, "the new weights")
        after = client.call(CALLS)
        load = client.stop_load()
        dialled = backends.connections() - before
    print(f"{language}: new weights seen after {seconds:.2f} s, {len(dialled)} new connections")
    assert (load.failed, after.failed) == (0, 0), load.errors + after.errors
    assert_split(after.backends, turned)
    assert len(before) == 3
    assert not (language.keeps_connections and dialled), dialled


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_takes_the_printed_bootstrap(language: Language, plane: ControlPlane, tmp_path: Path) -> None:
    """What ``lbcontrol bootstrap`` prints is all that a stock client needs."""
    env = {"GRPC_XDS_BOOTSTRAP_CONFIG": plane.bootstrap()}
    with Client(language, "xds:///greeter", server=plane.grpc, log=tmp_path / "client.log", env=env) as client:
        answer = client.call(20)
    assert (answer.ok, answer.failed) == (20, 0), answer.errors
