"""What the hub needs: the engine it drives, and the journal that makes operators' words durable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lbcontrol.engine.events import Event, OverrideCleared, OverrideSet
from lbcontrol.engine.state import SourceState
from lbcontrol.model.assignment import Decision
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override
from lbcontrol.model.services import ServiceSnapshot


class Case(Protocol):
    """What the hub reads of what a decision was made of."""

    @property
    def snapshots(self) -> tuple[ServiceSnapshot, ...]:
        """What the sources say of the service."""
        ...


class Engine(Protocol):
    """The engine as the hub drives it: ``lbcontrol.engine.engine.Engine``, or a stand-in in tests."""

    def apply(self, event: Event, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Take an event; return the decisions that changed."""
        ...

    def expire(self, *, now: float, wall: float) -> tuple[Decision, ...]:
        """Drop overrides whose time has passed."""
        ...

    def next_expiry(self) -> float | None:
        """Return when the next override expires, in Unix seconds."""
        ...

    @property
    def settled(self) -> bool:
        """Every source has synced and is complete."""
        ...

    @property
    def started(self) -> bool:
        """Decisions are being made."""
        ...

    def is_unknown(self, name: str) -> bool:
        """Settled, and no source defines the name."""
        ...

    def sources(self) -> tuple[SourceState, ...]:
        """Return the sources."""
        ...

    def overrides(self) -> tuple[Override, ...]:
        """Return the overrides in force."""
        ...

    def frozen(self) -> Mapping[str, Finding]:
        """Return the services that cannot be decided, and why."""
        ...

    def case(self, service: str) -> Case | None:
        """Return what a service's decision was made of."""
        ...


class Journal(Protocol):
    """Makes operators' words durable: ``runtime.persistence.Persistence``."""

    async def record(self, event: OverrideSet | OverrideCleared) -> None:
        """Write before the event is applied.

        Raises:
            StateStoreError: nothing was written; the event must not be applied.
        """
        ...

    def overrides_changed(self, overrides: tuple[Override, ...]) -> None:
        """Write soon which overrides are left."""
        ...
