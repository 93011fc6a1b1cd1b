"""Many raw ADS streams in a child process, driven by JSON lines: ``python -m tests.support.ads_load ADDRESS``.

Commands: ``open {n, names, channels, agent, zone}`` (each stream asks for endpoints of the names and has its answer;
agent is the node's ``user_agent_name``), ``wait {not}`` (no stream holds one of these versions any more),
``cycles {n, names}`` (connect, ask, be answered, disconnect), ``counts``. Each answer carries
``{"versions": {version: streams}, "messages": all received}``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
EDS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
GRPC = "gRPC Go"
FIRST_SECONDS = 40.0


class Stream:
    """One ADS stream that ACKs everything."""

    def __init__(self, channel: Any, names: Sequence[str], *, agent: str = GRPC, zone: str = "") -> None:
        """Nothing is sent yet."""
        self._call: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(METHOD, None, None)(None)
        self._names = list(names)
        self._node = base_pb2.Node(id="load", user_agent_name=agent, user_agent_version="1.0", locality={"zone": zone})
        self.version = ""
        self.messages = 0
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Ask, then read and ACK until the stream ends."""
        request = discovery_pb2.DiscoveryRequest(type_url=EDS, resource_names=self._names, node=self._node)
        await self._call.write(request.SerializeToString())
        while isinstance(raw := await self._call.read(), bytes):
            response = discovery_pb2.DiscoveryResponse.FromString(raw)
            self.messages += 1
            self.version = response.version_info
            self.changed.set()
            ack = discovery_pb2.DiscoveryRequest(
                type_url=EDS, resource_names=self._names, version_info=self.version, response_nonce=response.nonce
            )
            await self._call.write(ack.SerializeToString())

    async def newer_than(self, *versions: str) -> None:
        """Wait until the stream holds another version than these."""
        while self.version in ("", *versions):
            self.changed.clear()
            await self.changed.wait()

    def close(self) -> None:
        """Break the stream off."""
        self._call.cancel()


class Load:
    """All streams of this process."""

    def __init__(self, address: str) -> None:
        """Connect nothing yet."""
        self._address = address
        self._channels: list[Any] = []
        self._streams: list[Stream] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, *, n: int, channels: int, **stream: Any) -> None:
        """Open streams over some connections; returns when each has its first answer."""
        fresh = [
            grpc.aio.insecure_channel(self._address, [*OPTIONS, ("lab", len(self._channels) + i)])
            for i in range(channels)
        ]
        self._channels += fresh
        made = [Stream(fresh[i % channels], **stream) for i in range(n)]
        self._streams += made
        self._tasks += [asyncio.create_task(stream.run()) for stream in made]
        async with asyncio.timeout(FIRST_SECONDS):
            await asyncio.gather(*(stream.newer_than() for stream in made))

    async def wait(self, versions: Sequence[str]) -> None:
        """Wait until no stream holds one of the versions."""
        async with asyncio.timeout(FIRST_SECONDS):
            await asyncio.gather(*(stream.newer_than(*versions) for stream in self._streams))

    async def cycles(self, *, n: int, names: Sequence[str]) -> None:
        """Connect, be answered, disconnect, again and again."""
        for number in range(n):
            async with grpc.aio.insecure_channel(self._address, [*OPTIONS, ("lab.cycle", number)]) as channel:
                stream = Stream(channel, names)
                task = asyncio.create_task(stream.run())
                await stream.newer_than()
                stream.close()
                await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()

    def counts(self) -> dict[str, Any]:
        """How many streams hold which version, and how much they received."""
        versions = Counter(stream.version for stream in self._streams)
        return {"versions": versions, "messages": sum(stream.messages for stream in self._streams)}


async def _handle(load: Load, command: dict[str, Any]) -> None:
    word = command.pop("cmd")
    if word == "open":
        await load.open(**command)
    elif word == "wait":
        await load.wait(command["not"])
    elif word == "cycles":
        await load.cycles(**command)
    elif word != "counts":
        raise ValueError(f"no such command: {word}")


async def _main(address: str) -> None:
    load = Load(address)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await _handle(load, json.loads(line))
        print(json.dumps(load.counts()), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
