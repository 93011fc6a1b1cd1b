"""A fleet behind a real gRPC server, and the environment that leads the command line to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.front_end_server import Loop, serving
from tests.unit.app.cli.world import Cli


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line, led to a fleet by its environment."""
    fleet = Cli(tmp_path, capsys)
    monkeypatch.setenv("LBCONTROL_SERVER", fleet.server_address)
    monkeypatch.setenv("LBCONTROL_ADMIN", fleet.admin_address)
    listeners = (fleet.server_address, fleet.native.front.methods()), (fleet.admin_address, fleet.admin.methods())
    with serving(*listeners) as loop:
        fleet.loop = loop
        yield fleet


@pytest.fixture
def loop(cli: Cli) -> Loop:
    """The loop on which the fleet lives: changes are made there."""
    return cli.loop
