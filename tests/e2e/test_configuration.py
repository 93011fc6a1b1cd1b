"""What a configuration file says is what a running server does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.watchers import watching

WATCH = "/lbcontrol.v1.LookasideService/WatchAssignments"
CONFIG = """
apiVersion: lbcontrol.io/v1alpha1
kind: Server
listen: {{grpc: "{grpc}", probe: "{probe}"}}
sources:
  one: {{type: file, path: plane/lbcontrol.d}}
  two: {{type: file, path: more.yaml}}
stateDir: state
limits: {{streams: 2, streamMaxAge: 12s}}
shutdownGrace: 1s
"""


class Configured(ControlPlane):
    """A control plane with a configuration file in place of flags."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "plane")
        self.config = home / "server.yaml"
        self.config.write_text(CONFIG.format(grpc=self.grpc, probe=self.probe))
        self.admin = f"unix:{home}/state/admin.sock"

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config)]


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Configured]:
    """A running control plane with two file sources."""
    (tmp_path / "more.yaml").write_text(services_yaml("cart", {"127.0.0.1:50061": 1}))
    made = Configured(tmp_path)
    try:
        made.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        yield made
    finally:
        made.kill9()


async def test_sources_socket_and_limits_are_as_written(plane: Configured) -> None:
    """Two sources, operators on the socket of the state directory, two streams at most, and none older than 14.4 s."""
    sources = await asyncio.to_thread(plane.cli, "sources")
    assert [line.split()[0] for line in sources.splitlines()[1:]] == ["one", "registry", "two"]
    async with watching(plane.grpc, "greeter"), watching(plane.grpc, "cart") as (cart,):
        assert [each.address for each in cart.last.assignment.endpoints] == ["127.0.0.1:50061"]
        async with grpc.aio.insecure_channel(plane.grpc) as channel:
            # Writing would race with the refusal in grpc.aio.
            refused: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(WATCH)()
            assert await refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "limits.streams" in str(await refused.details())
        aged = await cart.end()
        assert "greatest age" in str(aged.details())
