"""A client of a TLS listener that a test drives step by step: records can be cut, spoiled and held back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.h2raw import Raw
from tests.support.pki import Pair

CHUNK = 65_536


def client_context(
    believed: Path, own: Pair | None = None, *, alpn: str = "h2", most: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """What a client believes and how it proves itself."""
    context = ssl.create_default_context(cafile=str(believed))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    if alpn:
        context.set_alpn_protocols([alpn])
    if most is not None:
        context.maximum_version = most
    return context


class TlsRaw(Raw):
    """Frames through TLS."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        """Take over a connected, non-blocking socket."""
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    async def shake(self, *, cut: int = CHUNK) -> None:
        """Do the handshake, sending at most ``cut`` bytes at a time; raises SSLError when it fails."""
        while True:
            done = self._step()
            out = self.outgoing.read()
            for at in range(0, len(out), cut):
                await super().send(out[at : at + cut])
                await asyncio.sleep(0)
            if done:
                return
            await self._fill()

    def _step(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    async def _fill(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self.sock, CHUNK)
        if not data:
            raise ConnectionResetError("the connection ended during the handshake")
        self.incoming.write(data)

    def sealed(self, data: bytes) -> bytes:
        """Return ``data`` as records, without sending them."""
        self.tls.write(data)
        return self.outgoing.read()

    async def send(self, data: bytes) -> None:
        """Encrypt and write."""
        with contextlib.suppress(ssl.SSLError):
            await super().send(self.sealed(data))

    async def send_raw(self, data: bytes) -> None:
        """Write as it is."""
        await super().send(data)

    async def receive(self) -> bool:
        """Read once; False when the connection is over."""
        while True:
            try:
                data = self.tls.read(CHUNK)
            except ssl.SSLWantReadError:
                try:
                    await self._fill()
                except OSError:
                    return False
                continue
            except ssl.SSLError:
                return False
            self.keep(data)
            return bool(data)


@contextlib.asynccontextmanager
async def tls_raw(target: str, context: ssl.SSLContext) -> AsyncIterator[TlsRaw]:
    """Connect to HOST:PORT; the handshake is the test's."""
    host, _, port = target.rpartition(":")
    with socket.socket() as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        yield TlsRaw(sock, context)
