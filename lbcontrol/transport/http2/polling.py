"""Which sockets are ready: one epoll descriptor for all connections of a listener, which the loop watches in turn.

asyncio spends about 1 us of CPU on each event of a descriptor that it watches itself, and a handle, a key and a context
on each descriptor. A push to 10,000 clients is 10,000 acknowledgements that become readable (docs/adr/0013).
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterator
from typing import Protocol

from lbcontrol.transport.supervised import Caught, attempt

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
"""What a socket is watched for."""
MOST = 256
"""Sockets that are served in one turn of the loop; the others are still ready in the next."""
TURN_SECONDS = 0.005
"""Time for which they are served in one turn: a new client costs thirty times what an acknowledgement does."""
BETWEEN = 16
"""Sockets that are served between two looks at the clock."""


class Watched(Protocol):
    """Something with a socket."""

    def ready(self, events: int) -> None:
        """The socket is ready; ``events`` has further bits when its peer is gone."""
        ...

    def abort(self) -> None:
        """Close at once: its code raised."""
        ...


class Poller:
    """Tells the owners of sockets when they are ready."""

    def __init__(self, caught: Caught) -> None:
        """Watch nothing yet; ``caught`` is told what an owner raises, which ends that one alone."""
        self._caught = caught
        self._watched: dict[int, Watched] = {}
        self._at: Watched | None = None
        """Whose turn it is."""
        self._epoll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._turn)

    def watch(self, descriptor: int, watched: Watched, *, events: int) -> None:
        """Watch for these from now on, and for no others; 0 watches no longer."""
        if not events:
            if self._watched.pop(descriptor, None) is not None:
                self._epoll.unregister(descriptor)
        elif descriptor in self._watched:
            self._epoll.modify(descriptor, events)
        else:
            self._watched[descriptor] = watched
            self._epoll.register(descriptor, events)

    def at_once(self, watched: Watched, *, events: int) -> None:
        """Let somebody look whether it is ready, without waiting for its turn."""
        if not attempt(self._caught, watched.ready, events):
            watched.abort()

    def stop(self) -> None:
        """Close at once what is still watched, and watch nothing any more; harmless the second time."""
        if self._epoll.closed:
            return
        for watched in list(self._watched.values()):
            watched.abort()
        self._watched.clear()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _turn(self) -> None:
        """Serve while there is time, a few at a time: those that are served go to the end of the system's line."""
        end = self._loop.time() + TURN_SECONDS
        for _ in range(MOST // BETWEEN):
            found = self._epoll.poll(0, BETWEEN)
            rest = iter(found)
            while not attempt(self._caught, self._serve, rest):
                if self._at is not None:
                    self._at.abort()
            if len(found) < BETWEEN or self._loop.time() >= end:
                break
        self._at = None

    def _serve(self, found: Iterator[tuple[int, int]]) -> None:
        """Serve one after the other; called again for those after one that raised."""
        watched = self._watched
        for descriptor, events in found:
            self._at = at = watched.get(descriptor)
            if at is not None:  # Else one before it has closed it.
                at.ready(events)
