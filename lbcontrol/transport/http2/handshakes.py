"""TLS handshakes in progress: a few in each turn of the loop, so many at a time, each for so long.

A handshake costs 0.3 ms of CPU, with a client certificate 1 ms and more (docs/adr/0011): a thousand that become ready
at once would keep every push waiting for a second. So what arrives is only kept, and handshakes go on in a queue of
their own, which gives way to the loop after ``TURN_SECONDS``. Beyond ``MOST`` nobody is accepted: callers wait in the
backlog, where they cost nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from lbcontrol.runtime.ports import Scheduler, Timer

MOST = 512
"""Handshakes in progress."""
TURN = 16
"""Steps of handshakes in one turn of the loop, at most."""
TURN_SECONDS = 0.005
"""Time after which a turn ends, however few steps it had."""
SECONDS = 5.0
"""From TCP accept to the end of the handshake."""
SWEEP_SECONDS = 0.25


class Shaking(Protocol):
    """A connection whose handshake is not done."""

    address: str
    """IP address of the peer; empty on a Unix socket."""

    def step(self) -> None:
        """Go on with what has arrived."""
        ...

    def refuse(self, reason: str) -> None:
        """Give up and count why."""
        ...

    def close(self) -> None:
        """Give up."""
        ...


class Handshakes:
    """The handshakes of one listener."""

    def __init__(self, scheduler: Scheduler, *, per_address: int) -> None:
        """Begin without any.

        Args:
            scheduler: Time.
            per_address: Most of one address.
        """
        self._scheduler = scheduler
        self._per_address = per_address
        self.room: Callable[[], None] = lambda: None
        """Called when there is room again."""
        self._loop = asyncio.get_running_loop()
        self._open: dict[Shaking, float] = {}
        """Connection to its deadline, in the order of their beginning and so of their deadlines."""
        self._by_address: Counter[str] = Counter()
        self._ready: deque[Shaking] = deque()
        self._turning = False
        self._timer: Timer | None = None

    def has_room(self) -> bool:
        """Return whether one more may begin."""
        return len(self._open) < MOST

    def began(self, connection: Shaking) -> None:
        """Keep a connection until ``over``."""
        self._open[connection] = self._scheduler.now() + SECONDS
        self._by_address[connection.address] += 1
        if self._timer is None:
            self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep)
        if connection.address and self._by_address[connection.address] > self._per_address:
            connection.refuse("logins_per_address")

    def ready(self, connection: Shaking) -> None:
        """Let a connection step when it is its turn."""
        self._ready.append(connection)
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def over(self, connection: Shaking) -> None:
        """Forget a connection, whose handshake is done or which is gone."""
        if self._open.pop(connection, None) is None:
            return
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]
        self.room()

    def stop(self) -> None:
        """Give up all that are in progress."""
        for connection in list(self._open):
            connection.close()
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self) -> None:
        end = self._scheduler.now() + TURN_SECONDS
        for _ in range(min(TURN, len(self._ready))):
            connection = self._ready.popleft()
            if connection in self._open:
                connection.step()
            if self._scheduler.now() >= end:
                break
        self._turning = bool(self._ready)
        if self._turning:
            self._loop.call_soon(self._turn)

    def _sweep(self) -> None:
        self._timer = None
        now = self._scheduler.now()
        for connection, deadline in list(self._open.items()):
            if deadline > now:
                break
            connection.refuse("tls_seconds")
        if self._open:
            self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep)
