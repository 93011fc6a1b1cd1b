"""What the native API and health need of the runtime, and the values they hand to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Protocol

from lbcontrol.model.assignment import Decision, Mark
from lbcontrol.model.clients import ClientProfile, Peer
from lbcontrol.model.endpoints import Address
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.registrations import Registrar, Registration

__all__ = [
    "Directory",
    "LoadSample",
    "LoadSink",
    "LoadTestimony",
    "NativeClient",
    "NativeLimits",
    "NativeSubscription",
    "Registrar",
    "Registration",
]


class Directory(Protocol):
    """The newest decision of each service, as this process knows it. Called on the loop's thread."""

    @property
    def ready(self) -> bool:
        """True when every source has synced once, or last-good is loaded."""
        ...

    def decision(self, name: str) -> Decision | None:
        """Return the newest decision of a service or alias; None when there is none or it was removed."""
        ...

    def is_unknown(self, name: str) -> bool:
        """True when every source that could define ``name`` has synced and none does."""
        ...

    def decisions(self) -> Sequence[Decision]:
        """Return the newest decision of every service that exists."""
        ...

    def changed_at(self, service: str) -> float | None:
        """Return the monotonic time at which its assignments last changed; None when that was before the start."""
        ...

    def watch(self, name: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` whenever an answer about ``name`` may differ ("": readiness); returns the undo."""
        ...


NOTHING: Mapping[str, float] = MappingProxyType({})
"""Named metrics of a sample that has none."""


class LoadSample(NamedTuple):
    """One endpoint's load as one voice saw it in one interval; None means not measured."""

    address: Address
    rps: float | None = None
    eps: float | None = None
    utilization: float | None = None
    latency: float | None = None
    """Mean, in seconds."""
    in_flight: int | None = None
    named: Mapping[str, float] = NOTHING


class LoadTestimony(NamedTuple):
    """What one voice said of one service. A voice is an (identity, peer address), however many streams it opens."""

    peer: Peer
    service: str
    interval: float
    """Seconds the samples cover."""
    received_at: float
    """Our own monotonic time; theirs is never used."""
    samples: Sequence[LoadSample]
    """Nobody changes them any more."""
    protocol: str = "native"
    """Label of the samples stored: xds or native."""


class LoadSink(Protocol):
    """Keeps load samples."""

    def store(self, testimony: LoadTestimony) -> None:
        """Keep the samples; the newest of a voice replaces its earlier ones."""
        ...

    def refused(self, reason: str, count: int) -> None:
        """Count samples that were not handed over, by a reason in lower case."""
        ...


@dataclass(frozen=True, slots=True)
class NativeSubscription:
    """How one watched name stands on one stream, for operators."""

    name: str
    sent: Decision | None
    acknowledged: str
    """Version acknowledged last; empty for none."""
    rejection: Finding | None
    acknowledged_mark: Mark | None = None
    """Mark of the decision acknowledged last."""
    since: float | None = None
    """Monotonic time of the oldest change it has not answered; None when there is none."""


@dataclass(frozen=True, slots=True)
class NativeClient:
    """One open watch, for operators."""

    profile: ClientProfile
    peer: Peer
    opened_at: float
    """Monotonic seconds."""
    subscriptions: tuple[NativeSubscription, ...]


@dataclass(frozen=True, slots=True)
class NativeLimits:
    """Input limits of the native API (config keys in camelCase under ``limits``)."""

    message_bytes: int = 262_144
    names_per_stream: int = 10_000
    name_bytes: int = 512
    node_id_bytes: int = 256
    error_detail_bytes: int = 1_024
    requests_burst: int = 200
    """Requests of one stream at once."""
    requests_per_second: float = 50.0
    features: int = 64
    feature_bytes: int = 64
    utilization: float = 10.0
    rate: float = 1e7
    """Requests or errors per second."""
    named_metrics: int = 32
    named_metric_bytes: int = 64
    samples_per_report: int = 5_000
    reports_per_message: int = 64
    report_spacing: float = 0.5
    """Seconds between two reports of a service on one stream."""
    registrations_per_peer: int = 16
    lease_min: float = 10.0
    """Seconds."""
    lease_max: float = 600.0
    """Seconds."""
