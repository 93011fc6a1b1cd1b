"""The load window: the newest word of each voice about each service, for a short time.

Samples are testimony, not fact (who said it stays with what was said); nothing acts on them here.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lbcontrol.model.clients import Peer
from lbcontrol.runtime.metrics import PROTOCOLS, Metrics
from lbcontrol.runtime.ports import Clock


class Testimony(Protocol):
    """What one voice said of one service: ``frontends.native_ports.LoadTestimony``."""

    @property
    def peer(self) -> Peer:
        """Who said it; identity and address without port are the voice."""
        ...

    @property
    def service(self) -> str:
        """Of which service."""
        ...

    @property
    def received_at(self) -> float:
        """Our own monotonic time."""
        ...

    @property
    def samples(self) -> Sequence[object]:
        """One for each endpoint."""
        ...

    @property
    def protocol(self) -> str:
        """One of ``runtime.metrics.PROTOCOLS``."""
        ...


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """How much is kept."""

    expiry: float = 60.0
    """Seconds."""
    voices: int = 1_000
    """Per service; more are dropped and counted."""
    samples: int = 500_000
    """Over all services; the oldest testimony goes first."""


_Voice = tuple[str, str, str]
"""Service, identity and peer address without port."""


class LoadWindow:
    """Implements ``frontends.native_ports.LoadSink``. Bounded by ``LoadLimits``."""

    def __init__(self, clock: Clock, *, metrics: Metrics, limits: LoadLimits | None = None) -> None:
        """Keep nothing yet."""
        self._clock = clock
        self._metrics = metrics
        self._limits = limits or LoadLimits()
        self._kept: OrderedDict[_Voice, Testimony] = OrderedDict()
        self._voices: Counter[str] = Counter()
        self._samples = 0
        self._stored = dict.fromkeys(PROTOCOLS, 0)
        """Samples stored since the metrics were last asked for."""
        metrics.settle_with(self._settle)

    def store(self, testimony: Testimony) -> None:
        """Keep the samples; the newest of a voice replaces its earlier ones."""
        peer, service = testimony.peer, testimony.service
        voice = (service, peer.identity.name, peer.host)
        count = len(testimony.samples)
        before = self._kept.pop(voice, None)
        if before is not None:
            self._samples -= len(before.samples)
        elif not self._joined(service):
            self.refused("voices", count)
            return
        self._kept[voice] = testimony
        self._samples += count
        self._stored[testimony.protocol] += count
        while self._samples > self._limits.samples:
            oldest = next(iter(self._kept))
            self.refused("full", len(self._kept[oldest].samples))
            self._drop(oldest)

    def _joined(self, service: str) -> bool:
        """Count one more voice about a service; False when there are too many whose words have not expired."""
        self._expire()
        if self._voices[service] >= self._limits.voices:
            return False
        self._voices[service] += 1
        return True

    def _settle(self) -> None:
        """Hand over what was counted since: a counter costs nearly as much as all the rest of ``store``."""
        for protocol, count in self._stored.items():
            self._metrics.load_samples_total.labels(protocol).inc(count)
        self._stored = dict.fromkeys(PROTOCOLS, 0)

    def latest(self, service: str) -> tuple[Testimony, ...]:
        """Return what is known of a service: one testimony per voice, the oldest first."""
        self._expire()
        return tuple(testimony for voice, testimony in self._kept.items() if voice[0] == service)

    def _expire(self) -> None:
        horizon = self._clock.now() - self._limits.expiry
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest].received_at > horizon:
                return
            self._drop(oldest)

    def _drop(self, voice: _Voice) -> None:
        self._samples -= len(self._kept.pop(voice).samples)
        self._voices[voice[0]] -= 1
        if not self._voices[voice[0]]:
            del self._voices[voice[0]]

    def refused(self, reason: str, count: int) -> None:
        """Count samples that are not kept, by a reason in lower case."""
        self._metrics.load_samples_rejected_total.labels(reason).inc(count)
