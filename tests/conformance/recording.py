"""Clients written frame by frame, of which every byte they are sent is kept.

Windows are given back only when they are used up to the last byte, and a PING follows what must have been read before
the next change: so the order in which the server hears and says things is the same in every run.
"""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict, deque

from hpack import Encoder

from lbcontrol.http2.frames import (
    ACK,
    END_HEADERS,
    HEAD_BYTES,
    PREFACE,
    SETTINGS_ACK,
    WINDOW_BYTES,
    Kind,
    frame,
    long_frame,
    settings_frame,
)
from lbcontrol.http2.grpc import PREFIX_BYTES, prefixed
from tests.conformance.wire import METHODS
from tests.support.h2raw import request


class Recorded:
    """One connection and all that it received."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected, non-blocking socket."""
        self.received = bytearray()
        """Every byte, from the first."""
        self._socket = sock
        self._encoder = Encoder()
        self._at = 0
        self._next_stream = 1
        self._pings = 0
        self._bodies: dict[int, bytearray] = defaultdict(bytearray)
        self._left: dict[int, int] = defaultdict(lambda: WINDOW_BYTES)
        """What the server may still send, by stream; 0 is the connection's."""
        self._messages: dict[int, deque[bytes]] = defaultdict(deque)

    async def hello(self) -> None:
        """Send the preface."""
        await self.send(PREFACE + settings_frame({}) + SETTINGS_ACK)

    async def send(self, data: bytes) -> None:
        """Write."""
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def open(self, variant: str) -> RecordedStream:
        """Open an ADS stream."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        block = self._encoder.encode(list(request(METHODS[variant])))
        await self.send(frame(Kind.HEADERS, END_HEADERS, stream=stream, payload=block))
        return RecordedStream(self, stream)

    async def message(self, stream: int) -> bytes:
        """Wait for the next message of a stream."""
        while not self._messages[stream]:
            await self._read()
        return self._messages[stream].popleft()

    def is_spoken_to(self, stream: int) -> bool:
        """Return whether a message of a stream, or its beginning, is here."""
        return bool(self._messages[stream] or self._bodies[stream])

    async def settle(self) -> None:
        """Wait until the server has read all that was sent."""
        self._pings, wanted = self._pings + 1, self._pings
        await self.send(frame(Kind.PING, 0, payload=bytes(8)))
        while self._pings > wanted:
            await self._read()

    async def _read(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._socket, 65_536)
        assert data, "the server closed the connection"
        self.received += data
        while len(self.received) - self._at >= HEAD_BYTES:
            head = self.received[self._at : self._at + HEAD_BYTES]
            end = self._at + HEAD_BYTES + int.from_bytes(head[:3])
            if end > len(self.received):
                break
            payload = bytes(self.received[self._at + HEAD_BYTES : end])
            self._at = end
            await self._frame(head[3], head[4], stream=int.from_bytes(head[5:]), payload=payload)

    async def _frame(self, kind: int, flags: int, *, stream: int, payload: bytes) -> None:
        assert kind not in (Kind.GOAWAY, Kind.RST_STREAM), payload
        if kind == Kind.PING and flags & ACK:
            self._pings -= 1
        if kind != Kind.DATA:
            return
        self._cut(stream, payload)
        updates = b""
        for which in (stream, 0):
            self._left[which] -= len(payload)
            if not self._left[which]:
                self._left[which] = WINDOW_BYTES
                updates += long_frame(Kind.WINDOW_UPDATE, which, value=WINDOW_BYTES)
        if updates:
            await self.send(updates)

    def _cut(self, stream: int, payload: bytes) -> None:
        body = self._bodies[stream]
        body += payload
        while len(body) >= PREFIX_BYTES and len(body) >= (size := PREFIX_BYTES + int.from_bytes(body[1:PREFIX_BYTES])):
            self._messages[stream].append(bytes(body[PREFIX_BYTES:size]))
            del body[:size]


class RecordedStream:
    """One ADS stream of a recorded connection; a ``Wire``."""

    def __init__(self, connection: Recorded, stream: int) -> None:
        """Bind it to its connection."""
        self.connection = connection
        self.id = stream

    async def send(self, message: bytes) -> None:
        """Send one request as one DATA frame."""
        await self.connection.send(frame(Kind.DATA, 0, stream=self.id, payload=prefixed(message)))

    async def receive(self) -> bytes:
        """Wait for one response."""
        return await self.connection.message(self.id)

    def is_spoken_to(self) -> bool:
        """Return whether a message, or its beginning, is here."""
        return self.connection.is_spoken_to(self.id)

    async def close(self) -> None:
        """Leave it to the end of the connection."""
