"""Clients that come and go leave nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.watchers import watching

WARM, MEASURED, AT_ONCE = 600, 1_400, 20
MOST_BYTES = 1_024
"""Growth per connection. It is 0 where streams and connections leave no cycle behind."""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A running control plane."""
    made = ControlPlane(tmp_path / "plane")
    try:
        made.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        yield made
    finally:
        made.kill9()


def resident(plane: ControlPlane) -> int:
    """Resident bytes of the process."""
    assert plane.proc is not None
    status = Path(f"/proc/{plane.proc.popen.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1_024


async def come_and_go(plane: ControlPlane, times: int) -> None:
    """Connect, watch, take the first answer and leave, that often."""
    for _ in range(times // AT_ONCE):
        async with watching(plane.grpc, "greeter", count=AT_ONCE):
            pass


async def growth(plane: ControlPlane) -> float:
    """Bytes that one connection leaves behind."""
    before = resident(plane)
    await come_and_go(plane, MEASURED)
    return (resident(plane) - before) / MEASURED


async def test_memory_grows_by_less_than_a_kilobyte_per_connection(plane: ControlPlane) -> None:
    """And no stream is counted that is gone."""
    await come_and_go(plane, WARM)
    grown = await growth(plane)
    print(f"{grown:.0f} bytes per connection")
    assert grown <= MOST_BYTES
    async with asyncio.timeout(10.0):
        while (await asyncio.to_thread(plane.metrics))['lbcontrol_streams{protocol="native"}']:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the last ones are still being noticed
