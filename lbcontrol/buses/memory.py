"""The bus of a single process: decisions are handed over in the same loop turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from lbcontrol.model.assignment import Decision, Mark
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Clock
from lbcontrol.runtime.supervision import Supervisor

MOST_REMOVED = 10_000
"""Marks of removed services that are remembered, so that a late message does not bring one back."""


class MemoryBus:
    """Implements ``ports.Bus``. Bounded by the number of services."""

    def __init__(self, clock: Clock, *, metrics: Metrics) -> None:
        """Carry nothing yet."""
        self._metrics = metrics
        self._supervisor = Supervisor(metrics, clock)
        self._latest: dict[str, Decision] = {}
        self._removed: OrderedDict[str, Mark] = OrderedDict()
        self._receivers: list[Callable[[Decision], None]] = []

    async def publish(self, decision: Decision) -> None:
        """Hand ``decision`` to every subscriber; a lower mark than one published before is dropped and counted."""
        service = decision.service
        if decision.mark < self._mark(service):
            self._metrics.bus_stale_rejected_total.inc()
            return
        if decision.removed:
            self._latest.pop(service, None)
            self._removed[service] = decision.mark
            self._removed.move_to_end(service)
            while len(self._removed) > MOST_REMOVED:
                self._removed.popitem(last=False)
        else:
            self._removed.pop(service, None)
            self._latest[service] = decision
        self._supervisor.each("subscriber", [partial(receive, decision) for receive in self._receivers])

    def subscribe(self, receive: Callable[[Decision], None]) -> None:
        """Call ``receive`` for the latest decision of every service, then for each new one."""
        self._receivers.append(receive)
        self._supervisor.each("subscriber", [partial(receive, decision) for decision in self._latest.values()])

    def _mark(self, service: str) -> Mark:
        latest = self._latest.get(service)
        return latest.mark if latest is not None else self._removed.get(service, Mark())
