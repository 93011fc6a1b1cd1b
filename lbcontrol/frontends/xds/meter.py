"""The metrics of xDS streams, with their labels looked up once."""

from __future__ import annotations

from lbcontrol.frontends.xds.types import TYPE_URLS
from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.metrics import VERDICTS, Metrics

LAYER = "xds"
"""Label ``layer`` and ``protocol``."""


class Meter:
    """Counts what streams do."""

    def __init__(self, metrics: Metrics) -> None:
        """Look the series up."""
        self._metrics = metrics
        self._pushes = {type_: metrics.pushes_total.labels(LAYER, type_.value) for type_ in TYPE_URLS}
        self._bytes = metrics.push_bytes_total
        self._acks = {verdict: metrics.acks_total.labels(verdict) for verdict in VERDICTS}
        self._pushed = dict.fromkeys(self._pushes, 0)
        self._pushed_bytes = 0
        self._judged = dict.fromkeys(VERDICTS, 0)
        self._clients: dict[str, int] = {}
        """Change of their number by kind, which is one of a closed set."""
        self._streams = 0
        """Change of their number."""
        metrics.settle_with(self._settle)
        self.replaced = metrics.mailbox_replaced_total
        self.unknown_names = metrics.unknown_names_total
        self.unknown_types = metrics.unknown_types_total

    def _settle(self) -> None:
        """Hand over what was counted since: each of these costs more than all the rest of a push's books."""
        for type_, count in self._pushed.items():
            self._pushes[type_].inc(count)
        for verdict, count in self._judged.items():
            self._acks[verdict].inc(count)
        for kind, change in self._clients.items():
            self._metrics.clients.labels(kind).inc(change)
        self._metrics.streams.labels(LAYER).inc(self._streams)
        self._bytes.inc(self._pushed_bytes)
        self._clients.clear()
        self._streams = 0
        self._pushed = dict.fromkeys(self._pushed, 0)
        self._judged = dict.fromkeys(self._judged, 0)
        self._pushed_bytes = 0

    def pushed(self, type_: ResourceType, size: int) -> None:
        """Count a response of ``size`` bytes."""
        self._pushed[type_] += 1
        self._pushed_bytes += size

    def judged(self, verdict: str) -> None:
        """Count a client's answer: ack, nack or stale."""
        self._judged[verdict] += 1

    def rejected(self, reason: str) -> None:
        """Count a breach of a limit."""
        self._metrics.rejected_total.labels(LAYER, reason).inc()

    def parked(self, kind: str, change: int) -> None:
        """Count resources that are withheld from one more client, or from one less."""
        self._metrics.parked_resources.labels(kind).inc(change)

    def client(self, kind: str, change: int) -> None:
        """Count a client that came (1) or went (-1)."""
        self._clients[kind] = self._clients.get(kind, 0) + change

    def stream(self, change: int) -> None:
        """Count a stream that came (1) or went (-1)."""
        self._streams += change
