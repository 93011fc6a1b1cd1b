"""What stock clients do when the name is wrong or the control plane is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clients import GRPCIO, LANGUAGES, Client, Language
from tests.support.control_plane import ControlPlane, on_every_transport
from tests.support.stats import assert_split

DATA_ERRORS = {"GRPC_EXPERIMENTAL_XDS_DATA_ERROR_HANDLING": "true"}
"""Lets grpcio read what a control plane says of a name (gRFC A88); off by default in 1.85."""


@on_every_transport
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_call_fails_fast_when_the_service_is_unknown(language: Language, plane: ControlPlane, tmp_path: Path) -> None:
    """A name that nobody serves fails in less than 2 s, where xDS alone would let the client wait for 15 s."""
    with Client(language, "xds:///nobody", server=plane.grpc, log=tmp_path / "client.log") as client:
        answer = client.call(1)
    assert answer.failed == 1
    print(f"{language}: {answer.errors[0]}")
    assert answer.errors[0].code == "UNAVAILABLE"
    assert answer.errors[0].seconds < 2.0


@pytest.mark.parametrize("env", [{}, DATA_ERRORS], ids=["by default", "reading errors"])
def test_grpcio_shows_our_words_when_the_service_is_unknown(
    env: dict[str, str], plane: ControlPlane, tmp_path: Path
) -> None:
    """The caller reads which name is wrong, and the number under which more is written."""
    with Client(GRPCIO, "xds:///nobody", server=plane.grpc, log=tmp_path / "client.log", env=env) as client:
        answer = client.call(1)
    print(answer.errors)
    assert answer.errors[0].seconds < 2.0
    assert 'LB310: nobody serves "nobody"' in answer.errors[0].details


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_calls_go_on_when_the_control_plane_is_down(
    language: Language, plane: ControlPlane, wanted: dict[str, int], tmp_path: Path
) -> None:
    """After kill -9 the last weights stay in force and no call fails."""
    with Client(language, "xds:///greeter", server=plane.grpc, log=tmp_path / "client.log") as client:
        client.reach(wanted)
        plane.kill9()
        answer = client.call(2000)
    assert answer.failed == 0, answer.errors
    assert_split(answer.backends, wanted)
