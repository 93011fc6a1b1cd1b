"""A server without descriptors left: whoever is connected is served, nothing spins, and it recovers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.watchers import watching

EXTRA = 6
"""Descriptors that the server may still open."""
CALLERS = 40
SECONDS = 1.5


def services(weight: int) -> dict[str, str]:
    """A service file."""
    return {"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1, "127.0.0.1:50052": weight})}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane on our own HTTP/2."""
    made = ControlPlane(tmp_path / "plane", transport="http2")
    try:
        made.start(services(1))
        yield made
    finally:
        made.kill9()


def seconds_used(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files_open(pid: int) -> int:
    """Descriptors that a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


async def test_server_without_descriptors_rests_serves_and_recovers(plane: ControlPlane) -> None:
    """Callers are turned away and counted, the CPU is left alone, a change reaches who is there, then all is well."""
    assert plane.proc is not None
    pid = plane.proc.popen.pid
    host, _, port = plane.grpc.rpartition(":")
    async with watching(plane.grpc, "greeter") as (watcher,):
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        opened = files_open(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + EXTRA, before[1]))
        with contextlib.ExitStack() as callers:
            for _ in range(CALLERS):
                callers.enter_context(socket.create_connection((host, int(port)), timeout=5.0))
            used = seconds_used(pid)
            await asyncio.sleep(SECONDS)  # the time over which a server that spins would be seen
            assert seconds_used(pid) - used < 0.5 * SECONDS
            plane.write(services(7))
            told = await asyncio.wait_for(watcher.next(), 10.0)
            assert "50052" in str(told)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        async with watching(plane.grpc, "greeter"):
            metrics = await asyncio.to_thread(plane.metrics)
        assert metrics['lbcontrol_rejected_total{layer="transport",reason="descriptors"}'] >= 1.0
