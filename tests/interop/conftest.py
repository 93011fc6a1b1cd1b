"""Backends and a control plane for the tests of real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backends import Backends
from tests.support.control_plane import TRANSPORT, ControlPlane, services_yaml

WEIGHTS = (1, 2, 5)
TURNED = (5, 2, 1)


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    """Three backends in one process."""
    started = Backends(3, log=tmp_path / "backends.log")
    yield started
    started.stop()


@pytest.fixture
def wanted(backends: Backends) -> dict[str, int]:
    """The weights 1:2:5 by address."""
    return dict(zip(backends.addresses, WEIGHTS, strict=True))


@pytest.fixture
def turned(backends: Backends) -> dict[str, int]:
    """The weights 5:2:1 by address."""
    return dict(zip(backends.addresses, TURNED, strict=True))


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> str:
    """The product's default, or what the whole run or ``on_every_transport`` has chosen."""
    return str(getattr(request, "param", TRANSPORT))


@pytest.fixture
def plane(tmp_path: Path, wanted: dict[str, int], transport: str) -> Iterator[ControlPlane]:
    """A control plane that serves the backends as greeter with weights 1:2:5."""
    started = ControlPlane(tmp_path / "plane", transport=transport)
    try:
        started.start({"greeter.yaml": services_yaml("greeter", wanted)})
        yield started
    finally:
        started.kill9()
