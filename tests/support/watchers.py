"""Clients of the native API that watch one service, and note when and how their stream ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from tests.support.aio import calm

WATCH = "/lbcontrol.v1.LookasideService/WatchAssignments"


class Watcher:
    """One open watch on a channel of its own."""

    def __init__(self, call: Any, *, first: pb.WatchAssignmentsResponse) -> None:
        """Keep the stream and its first answer."""
        self._call = call
        self.last = first
        self.ended_at = 0.0
        """Monotonic seconds."""

    async def next(self) -> pb.WatchAssignmentsResponse:
        """Return the next answer."""
        self.last = await self._call.read()
        return self.last

    async def end(self) -> grpc.aio.AioRpcError:
        """Read to the end of the stream, which is an error."""
        try:
            while True:
                self.last = await self._call.read()
        except grpc.aio.AioRpcError as error:
            self.ended_at = time.monotonic()
            return error


@contextlib.asynccontextmanager
async def watching(target: str, service: str, *, count: int = 1) -> AsyncIterator[list[Watcher]]:
    """Watch ``service`` with as many clients; each has its first answer."""
    async with calm(), contextlib.AsyncExitStack() as stack:
        yield await asyncio.gather(*(_open(stack, target, service) for _ in range(count)))


async def _open(stack: contextlib.AsyncExitStack, target: str, service: str) -> Watcher:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
    call: Any = channel.stream_stream(
        WATCH,
        request_serializer=pb.WatchAssignmentsRequest.SerializeToString,
        response_deserializer=pb.WatchAssignmentsResponse.FromString,
    )()
    await call.write(pb.WatchAssignmentsRequest(client={"node_id": "watcher"}, subscribe=[service]))
    return Watcher(call, first=await call.read())
