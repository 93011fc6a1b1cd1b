"""A socket as ``asyncio.Transport``: what a connection needs of one, for a third of asyncio's memory and CPU.

Nothing is kept but what the socket has not taken yet; the protocol hears of that as asyncio would tell it
(``pause_writing``, ``resume_writing``), and of the end by ``connection_lost`` in a turn of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from lbcontrol.transport.http2.polling import READ, WRITE, Poller

MAPPED = "::ffff:"
"""How an IPv6 socket writes an IPv4 address."""


def host_of(name: object) -> str:
    """Return the IP address of a socket's peer, of whichever family it is; empty for a Unix socket."""
    return str(name[0]).removeprefix(MAPPED) if isinstance(name, tuple) else ""


HIGH_WATER = 65_536
"""Unsent bytes above which the protocol is told to pause, unless it says another number."""


class SocketTransport(asyncio.Transport):
    """A connected socket and the protocol that speaks on it."""

    __slots__ = ("_closing", "_events", "_high", "_kept", "_paused", "_peer", "_poller", "_protocol", "_socket")

    def __init__(
        self, sock: socket.socket, protocol: asyncio.BufferedProtocol, *, poller: Poller, peer: object = None
    ) -> None:
        """Begin: the protocol learns of its transport at once, and then of what arrives.

        Args:
            sock: Connected, not blocking; closed with the transport.
            protocol: Its ``get_buffer`` lends what is read into; it may be shared.
            poller: Tells when the socket is ready.
            peer: Address of the other end, as ``accept`` told it.
        """
        self._socket: socket.socket | None = sock
        self._protocol = protocol
        self._poller = poller
        self._kept: bytearray | None = None
        """What the socket has not taken."""
        self._high = HIGH_WATER
        self._paused = False
        """The protocol was told to write nothing more."""
        self._closing = False
        self._events = 0
        self._peer = peer
        """Known while the protocol learns of its transport; who asks later has the system asked."""
        protocol.connection_made(self)
        self._peer = None
        if not self._closing:
            self._watch(READ)

    # What the poller calls.

    def ready(self, events: int) -> None:
        """Write what is kept, then read; a peer that is gone shows in either."""
        if events & WRITE:
            self._send_kept()
        if events & ~WRITE and self._events & READ:
            self._receive()

    def _receive(self) -> None:
        sock = self._socket
        if sock is None:
            return
        try:
            size = sock.recv_into(self._protocol.get_buffer(-1))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if size:
            self._protocol.buffer_updated(size)
        elif not self._protocol.eof_received():
            self.close()
        else:
            self._watch(self._events & ~READ)

    def _send_kept(self) -> None:
        kept, sock = self._kept, self._socket
        if kept is None or sock is None:
            return
        try:
            del kept[: sock.send(kept)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if not kept:
            self._kept = None
            if self._closing:
                self._lose(None)
                return
            self._watch(self._events & ~WRITE)
        if self._paused and len(kept) <= self._high // 4:
            self._paused = False
            self._protocol.resume_writing()

    # What the protocol calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now what the socket takes, and keep the rest; after ``close`` nothing is taken any more."""
        self._poller.has_written = True
        if self._kept is not None:
            if not self._closing:
                self._keep(data)
            return
        sock = self._socket
        if sock is None or self._closing:
            return
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        if sent < len(data):
            self._kept = bytearray()
            self._watch(self._events | WRITE)
            self._keep(memoryview(data)[sent:])

    def _keep(self, data: bytes | bytearray | memoryview) -> None:
        kept = self._kept
        if kept is not None:
            kept += data
            if len(kept) > self._high and not self._paused:
                self._paused = True
                self._protocol.pause_writing()

    def close(self) -> None:
        """Read nothing more, write what is kept, then close."""
        if self._closing:
            return
        if self._kept is None:
            self._lose(None)
        else:
            self._closing = True
            self._watch(WRITE)

    def abort(self) -> None:
        """Close at once; what is kept is lost."""
        self._lose(None)

    def is_closing(self) -> bool:
        """True once nothing more is taken."""
        return self._closing

    def pause_reading(self) -> None:
        """Leave what arrives to the system."""
        self._watch(self._events & ~READ)

    def resume_reading(self) -> None:
        """Read on."""
        if not self._closing:
            self._watch(self._events | READ)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set how many bytes may be kept before the protocol is told to pause; it resumes at a quarter of them."""
        del low
        self._high = HIGH_WATER if high is None else high

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are kept."""
        return len(self._kept or b"")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the ``socket``, or its ``peername``: "" and 0 when the peer has gone before it was asked for."""
        sock = self._socket
        if sock is None:
            return default
        if name == "peername":
            if self._peer is not None:
                return self._peer
            with contextlib.suppress(OSError):
                return sock.getpeername()
            return ("", 0)
        return sock if name == "socket" else default

    # The end.

    def _watch(self, events: int) -> None:
        if self._socket is not None and events != self._events:
            self._events = events
            self._poller.watch(self._socket.fileno(), self, events=events)

    def _lose(self, error: OSError | None) -> None:
        """Close, and tell the protocol in a turn of its own: it may be the one who asks."""
        sock = self._socket
        if sock is None:
            return
        self._watch(0)
        self._closing, self._kept, self._socket = True, None, None
        asyncio.get_running_loop().call_soon(self._lost, sock, error)

    def _lost(self, sock: socket.socket, error: OSError | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            sock.close()
