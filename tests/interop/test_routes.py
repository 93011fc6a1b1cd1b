"""Routes that change under load, and routes that lead nowhere, as stock clients take them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.clients import GO, LANGUAGES, Client, Language
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.waiting import wait_until

RULES = "    rules: [{backendRefs: [{name: split, weight: 1}, {name: nobody, weight: 1}]}]\n"
RACE = "unknown cluster selected for RPC"
"""grpc-go's own race between its route and its balancer; it is there whatever the control plane sends."""


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_backend_that_nobody_serves_takes_its_share_and_no_more(
    language: Language, plane: ControlPlane, backends: Backends, tmp_path: Path
) -> None:
    """Its calls fail at once, the others succeed; a client that waited for it would hold back all for 15 s."""
    plane.write({"split.yaml": services_yaml("split", dict.fromkeys(backends.addresses, 1)) + RULES})
    wait_until(lambda: "split" in plane.cli("services", "--server", plane.grpc), "the service is there")
    with Client(language, "xds:///split", server=plane.grpc, log=tmp_path / "client.log") as client:
        answer = client.call(200)
    assert answer.ok > 50, answer
    assert answer.failed > 50, answer
    assert {error.code for error in answer.errors} == {"UNAVAILABLE"}
    assert max(error.seconds for error in answer.errors) < 5.0, answer.errors


def _has_calls(backends: Backends, address: str, enough: int) -> bool:
    return backends.stats()[address].calls >= enough


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_renamed_service_loses_no_call(
    language: Language, plane: ControlPlane, backends: Backends, tmp_path: Path
) -> None:
    """The alias stays and what it leads to changes name and backends, under load: made before broken."""
    names = ("one", "two")
    texts = [services_yaml(name, {backends.addresses[place]: 1}, aliases=["g"]) for place, name in enumerate(names)]
    plane.write({"g.yaml": texts[0]})
    wait_until(lambda: "one" in plane.cli("services", "--server", plane.grpc), "the service is there")
    with Client(language, "xds:///g", server=plane.grpc, log=tmp_path / "client.log") as client:
        assert client.call(20).failed == 0
        client.start_load(200)
        for turn in (1, 0, 1):
            address = backends.addresses[turn]
            enough = backends.stats()[address].calls + 50
            plane.write({"g.yaml": texts[turn]})
            wait_until(partial(_has_calls, backends, address, enough), "calls have moved")
        answer = client.stop_load()
    assert [error for error in answer.errors if RACE not in error.details] == [], answer
    assert answer.failed <= (3 if language is GO else 0), answer
