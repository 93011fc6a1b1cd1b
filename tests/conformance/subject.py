"""What a scenario can be run against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import grpc

from tests.conformance.wire import METHODS, StreamEndedError, Wire

Document = Mapping[str, Any]
"""One entry of ``services:`` as a service file has it."""


class Subject(Protocol):
    """A control plane under test."""

    name: str
    patience: float
    """Seconds after which an expected response counts as missing."""

    async def reset(self) -> None:
        """Forget everything; nothing has synced."""
        ...

    async def publish(self, services: Sequence[Document], *, complete: bool) -> None:
        """Make ``services`` the whole state; return once every open stream has been told of it.

        ``complete=False``: another source has not synced yet, so that further names may exist.
        """
        ...

    def open(self, variant: str) -> Wire:
        """Open one ADS stream, ``sotw`` or ``delta``."""
        ...


class GrpcWire:
    """A stream over a real socket, with the bytes passed through as they are."""

    def __init__(self, channel: grpc.aio.Channel, variant: str) -> None:
        """Start the call on ``channel``."""
        self._call: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(METHODS[variant], None, None)(None)

    async def send(self, message: bytes) -> None:
        """Send one request; a stream that already ended shows at the next ``receive``."""
        try:
            await self._call.write(message)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError):
            return

    async def receive(self) -> bytes:
        """Wait for one response."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise StreamEndedError(error.code().name, error.details() or "") from error
        if not isinstance(message, bytes):
            status = await self._call.code()
            raise StreamEndedError(status.name, await self._call.details() or "")
        return message

    async def close(self) -> None:
        """Cancel the call."""
        self._call.cancel()
