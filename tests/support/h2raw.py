"""A client written frame by frame over a real socket: what no stock client would send."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

from hpack import Decoder, Encoder

from lbcontrol.http2.frames import (
    END_HEADERS,
    HEAD_BYTES,
    PREFACE,
    Kind,
    Setting,
    frame,
    long_frame,
    long_of,
    settings_frame,
)
from lbcontrol.http2.grpc import prefixed

WINDOW = 2**30
STREAM = "/test.Echo/Stream"


def request(path: str = STREAM) -> Sequence[tuple[str, str]]:
    """Return the fields of a gRPC request."""
    pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path)]
    return [*pseudo, ("content-type", "application/grpc"), ("te", "trailers")]


class Raw:
    """One connection; nothing is answered that a test does not answer."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected, non-blocking socket."""
        self.sock = sock
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.frames: list[tuple[int, int, int, bytes]] = []
        """What was received: type, flags, stream, payload."""
        self._kept = b""

    async def send(self, data: bytes) -> None:
        """Write; a connection that is gone is what some tests wait for."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def hello(self) -> None:
        """Send preface and SETTINGS with wide windows."""
        settings = settings_frame({Setting.INITIAL_WINDOW_SIZE: WINDOW})
        await self.send(PREFACE + settings + long_frame(Kind.WINDOW_UPDATE, 0, value=WINDOW))

    def opening(self, stream: int = 1, path: str = STREAM) -> bytes:
        """Return HEADERS that open a stream."""
        block = self.encoder.encode(list(request(path)))
        return frame(Kind.HEADERS, END_HEADERS, stream=stream, payload=block)

    async def say(self, message: bytes, stream: int = 1) -> None:
        """Send one message."""
        await self.send(frame(Kind.DATA, 0, stream=stream, payload=prefixed(message)))

    async def receive(self) -> bool:
        """Read once; False when the connection is over."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65_536)
        except OSError:
            return False
        self.keep(data)
        return bool(data)

    def keep(self, data: bytes) -> None:
        """Take in what was read: whole frames go into ``frames``."""
        self._kept += data
        while len(self._kept) >= HEAD_BYTES + (size := int.from_bytes(self._kept[:3])):
            head, payload = self._kept[:HEAD_BYTES], self._kept[HEAD_BYTES : HEAD_BYTES + size]
            self.frames.append((head[3], head[4], int.from_bytes(head[5:]), payload))
            self._kept = self._kept[HEAD_BYTES + size :]

    async def wait_for(self, kind: Kind, *, flags: int = 0) -> bytes:
        """Read until a frame of this kind has come (with these flags); return its payload."""
        while True:
            for at, (found, has, _, payload) in enumerate(self.frames):
                if found == kind and has & flags == flags:
                    del self.frames[: at + 1]
                    return payload
            assert await self.receive(), "the connection ended before"

    async def end(self) -> tuple[int, str] | None:
        """Read to the end; return code and words of the last GOAWAY, None when there was none."""
        while await self.receive():
            pass
        said = [payload for kind, _, _, payload in self.frames if kind == Kind.GOAWAY]
        return (long_of(said[-1][4:]), said[-1][8:].decode()) if said else None


@contextlib.asynccontextmanager
async def raw(target: str, *, receive_bytes: int = 0) -> AsyncIterator[Raw]:
    """Connect to HOST:PORT or unix:PATH; with ``receive_bytes`` the kernel keeps few bytes for us."""
    path = target.removeprefix("unix:")
    host, _, port = target.rpartition(":")
    is_unix = path != target
    family = socket.AF_UNIX if is_unix else socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family) as sock:
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, path if is_unix else (host.strip("[]"), int(port)))
        yield Raw(sock)
