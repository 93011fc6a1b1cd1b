"""What the native API counts."""

from __future__ import annotations

from lbcontrol.frontends.refusals import Refusals
from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.metrics import Metrics

PROTOCOL = "native"
"""Label of every series here."""


class NativeMeter:
    """Counters of one front end, looked up once."""

    def __init__(self, metrics: Metrics) -> None:
        """Count in ``metrics``."""
        self._metrics = metrics
        self.refused = Refusals(metrics, PROTOCOL)
        """Counts what is refused."""
        self._pushes = metrics.pushes_total.labels(PROTOCOL, ResourceType.ASSIGNMENT.value)
        self._encodes = metrics.encodes_total.labels(PROTOCOL, ResourceType.ASSIGNMENT.value)

    def encoded(self, seconds: float) -> None:
        """One assignment was encoded."""
        self._encodes.inc()
        self._metrics.encode_seconds.observe(seconds)

    def pushed(self, size: int) -> None:
        """One response of ``size`` bytes was sent."""
        self._pushes.inc()
        self._metrics.push_bytes_total.inc(size)

    def judged(self, verdict: str) -> None:
        """A client answered: ``ack``, ``nack``, or ``stale`` for what was replaced meanwhile."""
        self._metrics.acks_total.labels(verdict).inc()

    def clients(self, kind: str, change: int) -> None:
        """A client of a kind came (1) or went (-1)."""
        self._metrics.clients.labels(kind).inc(change)
