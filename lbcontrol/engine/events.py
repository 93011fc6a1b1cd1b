"""What can happen to the engine. Every event is a value; ``now`` and ``wall`` come beside it."""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.model.assignment import Decision
from lbcontrol.model.endpoints import Address
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.services import ServiceSnapshot


@dataclass(frozen=True, slots=True)
class SourceAdded:
    """A configured source exists; names are unknown only after it has synced."""

    source: str


@dataclass(frozen=True, slots=True)
class SourceUpdated:
    """A source replaces its picture of some services, atomically."""

    source: str
    changed: tuple[ServiceSnapshot, ...]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceSynced:
    """A source has handed over its first full picture."""

    source: str
    complete: bool = True
    """False: something could not be read, so unlisted names may still exist."""


@dataclass(frozen=True, slots=True)
class SourceStale:
    """A source cannot be read; its last picture stays in force."""

    source: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class SourceAlive:
    """A source can be read again."""

    source: str


@dataclass(frozen=True, slots=True)
class OverrideSet:
    """An operator said something about an endpoint."""

    override: Override


@dataclass(frozen=True, slots=True)
class OverrideCleared:
    """An operator took it back, or it expired."""

    service: str
    address: Address
    kind: OverrideKind


@dataclass(frozen=True, slots=True)
class Restored:
    """A last-good decision from the state store, served as stale until the sources have synced."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class GraceEnded:
    """The start-up wait for slow sources is over: decide with what is there."""


Event = (
    SourceAdded
    | SourceUpdated
    | SourceSynced
    | SourceStale
    | SourceAlive
    | OverrideSet
    | OverrideCleared
    | Restored
    | GraceEnded
)
