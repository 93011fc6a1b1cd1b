"""A control plane that dies and comes back before it knows anything must not be felt."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import GO, GRPCIO, Client, Language
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.recorder import Recorder
from tests.support.stats import shares
from tests.support.waiting import wait_until

CHANNELS = 50
VARIANTS = ("sotw", "delta")
AFTERWARDS_SECONDS = 2.0
RPS = 100
P_MIN = 1e-6


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("state", "late"), [(False, 8.0), (True, 3.0)], ids=["forgetful", "with state directory"])
def test_restart_under_load_with_a_late_source_is_not_felt(
    state: bool, late: float, backends: Backends, wanted: dict[str, int], turned: dict[str, int], tmp_path: Path
) -> None:
    """50 grpcio and 50 go channels under load: no failed call or new connection, nothing taken away, all come back."""
    names = [f"greeter-{number}" for number in range(CHANNELS)]  # a target each, and so an ADS stream each
    plane = ControlPlane(tmp_path / "plane", state=state)
    with ExitStack() as stack:
        stack.callback(plane.kill9)
        plane.start({"greeter.yaml": services_yaml("greeter", wanted, aliases=names)})
        clients = [stack.enter_context(connected(language, plane, tmp_path)) for language in (GRPCIO, GO)]
        recorders = [stack.enter_context(Recorder(plane.grpc, service="greeter", variant=each)) for each in VARIANTS]
        for recorder in recorders:
            recorder.wait()
        warm = [client.call(20 * CHANNELS) for client in clients]
        wait_until(lambda: len(backends.connections()) == 2 * CHANNELS * len(wanted), "every channel is connected")
        before = backends.connections()
        assert plane.metrics()['lbcontrol_streams{protocol="xds"}'] >= 2 * CHANNELS + len(recorders)
        restart_under_load(plane, clients, recorders[0], late=late)
        plane.write({"greeter.yaml": services_yaml("greeter", turned, aliases=names)})
        wait_until(lambda: all(follows(client, turned) for client in clients), "new weights", seconds=20.0)
        loads = [client.stop_load() for client in clients]
        dialled = backends.connections() - before
    assert [answer.failed for answer in (*warm, *loads)] == [0, 0, 0, 0], [answer.errors for answer in loads]
    assert dialled == frozenset()
    assert [recorder.tombstones for recorder in recorders] == [[], []]
    assert [len(recorder.bodies("LDS")) for recorder in recorders] == [1, 1]


def follows(client: Client, weights: dict[str, int]) -> bool:
    """Whether the calls of 8 rounds over all channels fit these weights."""
    seen = client.call(8 * CHANNELS).backends
    return all(share.p_value > P_MIN for share in shares(seen, weights))


def connected(language: Language, plane: ControlPlane, home: Path) -> Client:
    """A client with 50 channels to targets of their own."""
    return Client(language, "xds:///greeter-{}", server=plane.grpc, log=home / f"{language}.log", channels=CHANNELS)


def restart_under_load(plane: ControlPlane, clients: list[Client], recorder: Recorder, *, late: float) -> None:
    """Kill -9, restart without the files, bring them ``late`` seconds later, go on until streams are served again."""
    for client in clients:
        client.start_load(RPS)
    plane.kill9()
    hidden = plane.files.rename(plane.files.with_suffix(".hidden"))
    plane.begin()
    time.sleep(late)  # the whole point: a source that is late
    hidden.rename(plane.files)
    plane.wait_until_ready()
    recorder.wait(stream=2)
    time.sleep(AFTERWARDS_SECONDS)  # what a wrong answer would break, breaks now
