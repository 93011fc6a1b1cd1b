"""A drained backend gets no new call and may end those it has; judged where the calls arrive."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import LANGUAGES, Client, Language
from tests.support.control_plane import ControlPlane, on_every_transport
from tests.support.waiting import wait_until

SLOW_CALLS = 24
"""At a weight of 5 in 8 all but certain (1 - 6e-11) to reach the backend that will be drained."""
WATCHED_SECONDS = 2.0
"""How long after the drain a late call would be seen."""


@on_every_transport
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_drained_backend_gets_no_call_after_a_second_and_finishes_its_own(
    language: Language, plane: ControlPlane, backends: Backends, tmp_path: Path
) -> None:
    """The last call arrives at most 1 s after the drain; 1.5 s calls under way on the drained backend succeed."""
    drained = backends.addresses[2]
    with Client(language, "xds:///greeter", server=plane.grpc, log=tmp_path / "client.log") as client:
        client.reach(backends.addresses)
        client.start_load(200)
        client.begin_slow_calls(SLOW_CALLS)
        wait_until(lambda: backends.stats()[drained].in_flight > SLOW_CALLS / 4, "slow calls at the backend")
        given = time.monotonic()
        plane.drain("greeter", drained)
        under_way = backends.stats()[drained].in_flight
        slow = client.finish_slow_calls()
        time.sleep(max(0.0, given + WATCHED_SECONDS - time.monotonic()))  # a late call would arrive meanwhile
        stats = backends.stats()
        load = client.stop_load()
    last = stats[drained].last_arrival
    print(f"{language}: last call {last - given:.3f} s after the drain was asked for, {under_way} slow ones under way")
    assert (load.failed, slow.failed) == (0, 0), load.errors + slow.errors
    assert under_way > 0
    assert slow.backends[drained] >= under_way
    assert last - given <= 1.0
    assert max(one.last_arrival for one in stats.values()) - given > WATCHED_SECONDS - 0.5
