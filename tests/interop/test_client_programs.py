"""The client programs themselves, against go-control-plane: where the product differs, the product is the cause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conformance.control_group import ControlGroup
from tests.support.backends import Backends
from tests.support.clients import LANGUAGES, Client, Language
from tests.support.recorder import Recorder
from tests.support.require import component
from tests.support.stats import assert_split
from tests.support.waiting import wait_until

WEIGHTS = (1, 2, 5)


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    """Three backends in one process."""
    started = Backends(3, log=tmp_path_factory.mktemp("backends") / "log")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def control_group(backends: Backends) -> Iterator[ControlGroup]:
    """A go-control-plane that serves the backends as greeter-0 and greeter-1, with weights 1:2:5."""
    started = ControlGroup(component("control-group"))
    services = [service(f"greeter-{number}", backends.addresses, WEIGHTS) for number in range(2)]
    asyncio.run(started.publish(services, complete=True))
    yield started
    started.stop()


def service(name: str, addresses: Sequence[str], weights: Sequence[int]) -> dict[str, object]:
    """One service as the control group wants it."""
    pairs = zip(addresses, weights, strict=True)
    return {
        "name": name,
        "endpoints": [{"address": address, "weight": weight, "health": "Serving"} for address, weight in pairs],
    }


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_program_calls_by_weight_on_every_channel(
    language: Language, control_group: ControlGroup, backends: Backends, tmp_path: Path
) -> None:
    """Two channels with targets of their own split their calls 1:2:5, and each has connections of its own."""
    before = sum(one.connections for one in backends.stats().values())
    log = tmp_path / "client.log"
    with Client(language, "xds:///greeter-{}", server=control_group.ads, log=log, channels=2) as client:
        answer = client.call(1600)
        after = sum(one.connections for one in backends.stats().values())
    assert (answer.ok, answer.failed) == (1600, 0), answer.errors
    assert_split(answer.backends, dict(zip(backends.addresses, WEIGHTS, strict=True)))
    assert after - before == 6


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_program_does_slow_calls_and_steady_load(
    language: Language, control_group: ControlGroup, tmp_path: Path
) -> None:
    """Slow calls run at the same time and beside a steady load; both are answered with their counts."""
    with Client(language, "xds:///greeter-0", server=control_group.ads, log=tmp_path / "client.log") as client:
        began = time.monotonic()
        client.start_load(100)
        client.begin_slow_calls(3)
        slow = client.finish_slow_calls()
        load = client.stop_load()
        most = 100 * (time.monotonic() - began) + 1
    assert (slow.ok, slow.failed) == (3, 0), slow.errors
    assert load.failed == 0, load.errors
    assert 100 <= load.ok <= most


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_recorder_sees_a_service_taken_away(variant: str) -> None:
    """What the restart test looks for is seen when it is there."""
    plane = ControlGroup(component("control-group"))
    try:
        asyncio.run(plane.publish([service("greeter", ["127.0.0.1:1"], [1])], complete=True))
        with Recorder(plane.ads, service="greeter", variant=variant) as recorder:
            recorder.wait()
            assert recorder.tombstones == []
            asyncio.run(plane.publish([], complete=True))
            wait_until(lambda: len({one.kind for one in recorder.tombstones}) >= 2, "listener and cluster gone")
    finally:
        plane.stop()


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_client_program_tells_how_a_call_failed(language: Language, tmp_path: Path) -> None:
    """A call to where nothing listens is counted as failed, with code and words."""
    with Client(language, "dns:///127.0.0.1:1", server="127.0.0.1:1", log=tmp_path / "client.log") as client:
        answer = client.call(1, parallel=1)
    assert (answer.ok, answer.failed) == (0, 1)
    assert answer.errors[0].code == "UNAVAILABLE"
    assert answer.errors[0].details
    assert answer.errors[0].seconds < 5.0
