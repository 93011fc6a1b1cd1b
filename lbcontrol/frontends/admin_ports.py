"""What the operators' API needs of the runtime, and the values it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lbcontrol.model.assignment import Explanation, Mark
from lbcontrol.model.clients import ClientProfile, Peer
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator's write did, or would do."""

    clients: int
    """Clients that follow the service through this process."""
    share_before: float
    """Of everyone's new calls, 0 to 1."""
    share_after: float
    """Of everyone's new calls, 0 to 1."""
    mark: Mark | None
    """Mark that carries the change; None for a dry run."""
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """How one client stands towards one service. The state follows from the marks."""

    service: str
    sent: Mark | None = None
    acknowledged: Mark | None = None
    behind: float | None = None
    """Seconds since the oldest change it has not acknowledged; None when there is none."""
    rejection: Finding | None = None


@dataclass(frozen=True, slots=True)
class ClientView:
    """One connected client."""

    profile: ClientProfile
    peer: Peer
    protocol: str
    """xds, grpclb or native."""
    carrier: str
    stream_age: float
    """Seconds."""
    subscriptions: tuple[SubscriptionView, ...]

    @property
    def id(self) -> str:
        """The name it gave itself, or its address."""
        return self.profile.id or self.peer.address


@dataclass(frozen=True, slots=True)
class ToldEndpoint:
    """One endpoint as a client was told of it."""

    address: Address
    health: Health
    weight: int
    """0 when it was left out."""
    share: float
    locality: Locality
    priority: int
    sent_as: str


@dataclass(frozen=True, slots=True)
class ToldResource:
    """One resource that a client was sent."""

    type: str
    name: str
    version: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told of one service."""

    subscription: SubscriptionView
    endpoints: tuple[ToldEndpoint, ...]
    resources: tuple[ToldResource, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source of endpoints."""

    name: str
    type: str
    up: bool
    synced: bool
    complete: bool
    last_event_at: float | None
    """Unix seconds."""
    services: int
    endpoints: int
    stale_for: float | None = None
    """Seconds; None while it is up."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ProblemView:
    """One thing that needs a hand."""

    finding: Finding
    subject: str
    since: float | None = None
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Documents:
    """A service's documents with everything expanded."""

    yaml: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The running server."""

    version: str
    started_at: float
    """Unix seconds."""


class Operations(Protocol):
    """What operators can do and see. A service given here is a service, never an alias, and it exists."""

    @property
    def durable(self) -> bool:
        """Whether overrides survive a restart."""
        ...

    async def apply(self, override: Override, *, dry_run: bool) -> Change:
        """Put an override in force; on return it survives a restart where anything does.

        Raises:
            NotFoundError: no source names the endpoint.
            StateStoreError: it could not be written, so it is not in force.
        """
        ...

    async def clear(self, override: Override, *, dry_run: bool) -> Change:
        """Take back the override with this one's key; reason and author are kept.

        Raises:
            NotFoundError: there is none.
            StateStoreError: it could not be written, so the override stays.
        """
        ...

    def find(self, service: str, address: Address, *, kind: OverrideKind) -> Override | None:
        """Return an override in force."""
        ...

    def overrides(self) -> Sequence[Override]:
        """Return every override in force."""
        ...

    def explain(self, service: str, cohort: str, *, only: Address | None) -> Iterable[Explanation]:
        """Return an explanation for each endpoint any source names, or the one asked for; from any thread."""
        ...

    def clients(self) -> Iterable[ClientView]:
        """Return the connected clients of all front ends, each seen when it is its turn."""
        ...

    def told(self, client: ClientView, service: str) -> Told:
        """Return what a client was told of a service."""
        ...

    def sources(self) -> Sequence[SourceView]:
        """Return the sources."""
        ...

    def documents(self, service: str) -> Documents:
        """Return a service's documents; from any thread."""
        ...

    async def problems(self) -> Sequence[ProblemView]:
        """Return everything that needs a hand."""
        ...

    def server(self) -> ServerInfo:
        """Return what is running."""
        ...
