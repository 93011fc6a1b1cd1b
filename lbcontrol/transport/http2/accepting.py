"""Takes connections off a listening socket: some in each turn of the loop, and in peace when descriptors run out.

asyncio's own accept loop does not stop at EMFILE: it calls its handler again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from lbcontrol.transport.http2.polling import READ, Poller
from lbcontrol.transport.http2.seats import Seats
from lbcontrol.transport.http2.sockets import SocketTransport, host_of

ACCEPTS = 32
"""Connections accepted and greeted in one turn of the loop: the others wait in the backlog."""
FULL_SECONDS = 0.1
"""Pause of accepting when there is no descriptor left."""
FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
USER_TIMEOUT_MS = 30_000


class Acceptor:
    """The accept loop of one listener."""

    def __init__(
        self,
        sock: socket.socket,
        seats: Seats,
        *,
        make: Callable[[str], asyncio.BufferedProtocol],
        refused: Callable[[str], None],
        poller: Poller,
        has_room: Callable[[], bool] | None = None,
    ) -> None:
        """Wait for ``start``.

        Args:
            sock: Listening, not blocking; closed by ``stop``.
            seats: Whoever gets none is closed at once.
            make: Makes the protocol of a connection from this address; it gives the seat back when it is over.
            refused: Counts a connection that was not taken.
            poller: Watches the sockets of connections.
            has_room: Asked before each connection; while it says no, callers wait in the backlog until ``wake``. None:
                there is always room.
        """
        no_delay(sock)
        self._socket = sock
        self._seats = seats
        self._make = make
        self._refused = refused
        self._poller = poller
        self._has_room = has_room
        self._waiting = False
        self._loop = asyncio.get_running_loop()
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)
        """A descriptor to give up when there is none left, so that a caller can be told so instead of waiting."""
        self._accepting = False
        self.per_turn = ACCEPTS
        """Connections accepted in one turn."""

    def start(self) -> None:
        """Accept."""
        self._accepting = True
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def stop(self) -> bool:
        """Accept no more; True the first time."""
        if not self._accepting:
            return False
        self._accepting = False
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._give_up_spare()
        return True

    def wake(self) -> None:
        """Go on accepting, if there is room again."""
        if self._accepting and self._waiting:
            self._waiting = False
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(self.per_turn):
            if self._has_room is not None and not self._has_room():
                self._waiting = True
                self._loop.remove_reader(self._socket.fileno())
                return
            try:
                sock, name = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._full(error)
                return
            address = host_of(name)
            why = self._seats.take(address)
            if why:
                self._refused(why)
                sock.close()
                continue
            sock.setblocking(False)
            transport = SocketTransport(sock, self._make(address), poller=self._poller, peer=name)
            self._poller.at_once(transport, events=READ)  # Who waited in the backlog has spoken long ago.

    def _full(self, error: OSError) -> None:
        """Turn one caller away with the spare descriptor, then rest: an accept loop must not spin without any."""
        if error.errno not in FULL:
            raise error
        self._refused("descriptors")
        self._give_up_spare()
        with contextlib.suppress(OSError):
            self._socket.accept()[0].close()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.call_later(FULL_SECONDS, self._again)

    def _again(self) -> None:
        if not self._accepting:
            return
        with contextlib.suppress(OSError):
            self._spare = self._spare or os.open(os.devnull, os.O_RDONLY)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _give_up_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


def no_delay(sock: socket.socket) -> None:
    """Have connections of a listening socket send at once, and give up a peer that is silent for 30 s.

    What is set on it holds for what it accepts (Linux, tcp(7)); on each of those it were two system calls more.
    """
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
