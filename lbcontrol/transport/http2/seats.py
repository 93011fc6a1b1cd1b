"""How many connections a listener has, in all and from each address."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable

from lbcontrol.transport.streams import never

SPARE_DESCRIPTORS = 256
"""Descriptors that connections leave to files, watches and whatever else the process opens."""
LEAST = 64
"""Connections that are taken however few descriptors there are: the accept loop copes with none left."""


def affordable(connections: int) -> int:
    """Return how many of ``connections`` this process's descriptors allow."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections if soft == resource.RLIM_INFINITY else min(connections, max(LEAST, soft - SPARE_DESCRIPTORS))


class Seats:
    """Connections that are open or about to be."""

    def __init__(self, connections: int, *, per_address: int, is_short: Callable[[], bool] = never) -> None:
        """Begin with none taken; ``is_short`` is True while there is no memory for one more."""
        self._is_short = is_short
        self._most = connections
        self._most_per_address = per_address
        self._taken = 0
        self._by_address: Counter[str] = Counter()

    def take(self, address: str) -> str:
        """Take a seat; returns why there is none, empty when there was. Unix sockets have no address: ""."""
        if self._is_short():
            return "memory"
        if self._taken >= self._most:
            return "connections"
        if address and self._by_address[address] >= self._most_per_address:
            return "connections_per_address"
        self._taken += 1
        self._by_address[address] += 1
        return ""

    def free(self, address: str) -> None:
        """Give a seat back."""
        self._taken -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
