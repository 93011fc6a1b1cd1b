"""Which sockets are ready: one epoll descriptor for all connections of a listener, which the loop watches in turn.

asyncio spends about 1 us of CPU on each event of a descriptor that it watches itself, and a handle, a key and a context
on each descriptor. A push to 10,000 clients is 10,000 acknowledgements that become readable (docs/adr/0013).
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Iterator
from typing import Protocol

from lbcontrol.runtime.ports import Scheduler, Timer
from lbcontrol.transport.supervised import Caught, attempt

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
"""What a socket is watched for."""
MOST = 256
"""Sockets that are served in one turn of the loop; the others are still ready in the next."""
TURN_SECONDS = 0.002
"""Time for which they are served in one turn: a new client costs thirty times what an acknowledgement does, and while a
change is being told, telling has the larger part of the time."""
BETWEEN = 16
"""Sockets that are served between two looks at the clock."""
AT_ONCE = 16
"""Turns in a row that are taken at once, though nobody was sent anything meanwhile."""
REST_SECONDS = 0.02
"""Time between turns beyond those: what wants no answer waits for more of its kind.

Waking up for one acknowledgement or load report costs four times what taking it in does.
"""


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

    def __init__(self, caught: Caught, scheduler: Scheduler) -> None:
        """Watch nothing yet.

        Args:
            caught: Is told what an owner raises, which ends that one alone.
            scheduler: By its time turns and rests are measured.
        """
        self._caught = caught
        self._scheduler = scheduler
        self._watched: dict[int, Watched] = {}
        self._at: Watched | None = None
        """Whose turn it is."""
        self._epoll = select.epoll()
        self._loop = asyncio.get_running_loop()
        self._quiet_turns = 0
        """Turns in a row without an answer, none long after the one before."""
        self._served_at = 0.0
        self._resting: Timer | None = None
        self.has_written = False
        """Somebody was sent something since the last turn, and so may have been waiting for it."""
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
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _turn(self) -> None:
        """Serve what is ready; after many turns without an answer rest first, so that more is."""
        if self._quiet_turns < AT_ONCE or self._scheduler.now() - self._served_at > REST_SECONDS:
            self._serve_ready()
        else:
            self._loop.remove_reader(self._epoll.fileno())
            self._resting = self._scheduler.call_later(REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self._loop.add_reader(self._epoll.fileno(), self._turn)
        self._serve_ready()

    def _serve_ready(self) -> None:
        """Serve while there is time; as long as anybody is answered, or not reached, nobody is kept waiting."""
        began = self._scheduler.now()
        is_quiet = self._serve_until(began + TURN_SECONDS) and not self.has_written
        self.has_written = False
        self._quiet_turns = self._quiet_turns + 1 if is_quiet and began - self._served_at < 2 * REST_SECONDS else 0
        self._served_at = self._scheduler.now()

    def _serve_until(self, end: float) -> bool:
        """Serve a few at a time, and those that were served again last; True when nobody is left."""
        for _ in range(MOST // BETWEEN):
            found = self._epoll.poll(0, BETWEEN)
            rest = iter(found)
            while not attempt(self._caught, self._serve, rest):
                if self._at is not None:
                    self._at.abort()
            self._at = None
            if len(found) < BETWEEN:
                return True
            if self._scheduler.now() >= end:
                return False
        return False

    def _serve(self, found: Iterator[tuple[int, int]]) -> None:
        """Serve one after the other; called again for those after one that raised."""
        watched = self._watched
        for descriptor, events in found:
            self._at = at = watched.get(descriptor)
            if at is not None:  # Else one before it has closed it.
                at.ready(events)
