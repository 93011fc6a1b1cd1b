"""What survives a restart: overrides, the epoch, the last-good decision and the registrations of every service.

An override is on disk before it is in force. The rest is written in the background, at most one write a second, and
only the newest of each service. A store that cannot be written stops nothing: what is missing is written later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from lbcontrol.engine.events import Event, OverrideCleared, OverrideSet, Restored
from lbcontrol.model.assignment import Decision
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import StateStoreError
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.runtime.directory import RESTORED
from lbcontrol.runtime.documents import document_of, value_of
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, StateStore
from lbcontrol.runtime.registrations import Registration, ServiceRegistrations
from lbcontrol.runtime.supervision import Supervisor, sleep

WRITE_INTERVAL = 1.0
"""Seconds between two writes of decisions at least."""
CLIENTS_FIRST = 0.5
"""Seconds after a change in which its clients are told, and nothing is written: both at once would hold up the loop."""
MOST_PER_WRITE = 100
"""Documents in one write, so that an operator's override does not wait long behind them."""
EPOCH_KEY = "epoch/current"
OVERRIDES = "override/"
"""What the keys of overrides begin with."""

Document = Mapping[str, object]
Kept = Decision | ServiceRegistrations
_log = structlog.get_logger("lbcontrol.persistence")


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What the store knew."""

    epoch: int
    """Of this start: higher than that of every start and decision before."""
    events: tuple[Event, ...]
    """For ``Hub.restore``: overrides first, so that last-good is served with them."""
    registrations: tuple[Registration, ...]
    """For the self-registration source."""


@dataclass(slots=True)
class _Found:
    """What the store's documents say."""

    overrides: list[Override] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    registrations: list[Registration] = field(default_factory=list)
    epochs: list[int] = field(default_factory=lambda: [0])


class Persistence:
    """Keeps the state store up to date. Bounded by two waiting documents per service."""

    def __init__(
        self, store: StateStore, scheduler: Scheduler, *, metrics: Metrics, interval: float = WRITE_INTERVAL
    ) -> None:
        """Write to ``store``; subscribe ``receive`` to the bus."""
        self._store = store
        self._scheduler = scheduler
        self._metrics = metrics
        self._interval = interval
        self._supervisor = Supervisor(metrics, scheduler)
        self._waiting: dict[str, Kept | None] = {}
        self._overrides: set[str] = set()
        self._filled = asyncio.Event()
        self._writing = asyncio.Lock()
        self._problem: Finding | None = None

    @property
    def durable(self) -> bool:
        """Whether anything survives a restart."""
        return self._store.durable

    def findings(self) -> list[Finding]:
        """Return why the last write failed, if it did."""
        return [self._problem] if self._problem is not None else []

    def restore(self) -> RestoredState:
        """Read the store; documents that make no sense are left out and counted."""
        found = _Found()
        for key, document in self._store.load().items():
            try:
                _read(key, document, found)
            except ValueError as error:
                self._metrics.recoveries_total.inc()
                _log.warning("document left out", key=key, error=str(error)[:200])
        wall = self._scheduler.wall()
        alive = [each for each in found.overrides if each.expires_at is None or each.expires_at > wall]
        self._overrides = {_override_key(each.key) for each in found.overrides}
        self.overrides_changed(alive)
        events: tuple[Event, ...] = (*map(OverrideSet, alive), *map(Restored, found.decisions))
        return RestoredState(max(int(wall), max(found.epochs) + 1), events, tuple(found.registrations))

    async def reread(self) -> tuple[Override, ...]:
        """Return the overrides that the process had which wrote the store until now.

        Raises:
            StateStoreError: it cannot be read.
        """
        found = _Found()
        documents = await asyncio.to_thread(self._store.load)
        for key, document in documents.items():
            if key.startswith(OVERRIDES):
                with contextlib.suppress(ValueError):  # Counted and logged at start.
                    _read(key, document, found)
        self._overrides |= {_override_key(each.key) for each in found.overrides}
        wall = self._scheduler.wall()
        return tuple(each for each in found.overrides if each.expires_at is None or each.expires_at > wall)

    async def claim(self, epoch: int) -> None:
        """Write the epoch of this start, before anything is published in it; failing is shown, not fatal."""
        if not self._store.owned:
            return
        try:
            await self._put({EPOCH_KEY: {"epoch": epoch}})
        except StateStoreError as error:
            _log.error("epoch not written", error=str(error))

    async def record(self, event: OverrideSet | OverrideCleared) -> None:
        """Write an operator's word before it is applied.

        Raises:
            StateStoreError: nothing was written; do not apply it.
        """
        if isinstance(event, OverrideSet):
            key = _override_key(event.override.key)
            await self._record(key, document_of(event.override))
            self._overrides.add(key)
        else:
            key = _override_key((event.service, event.address, event.kind))
            await self._record(key, None)
            self._overrides.discard(key)

    def overrides_changed(self, overrides: Iterable[Override]) -> None:
        """Delete, soon, what the store has beside these."""
        left = {_override_key(each.key) for each in overrides}
        self._wait(dict.fromkeys(self._overrides - left))
        self._overrides &= left

    def receive(self, decision: Decision) -> None:
        """Note a decision from the bus; what came from the store itself is not written back."""
        if self._store.durable and decision.cause != RESTORED:
            self._wait({f"decision/{decision.service}": None if decision.removed else decision})

    def registered(self, registrations: ServiceRegistrations) -> None:
        """Note all registrations of a service."""
        if self._store.durable:
            key = f"registrations/{registrations.service}"
            self._wait({key: registrations if registrations.held else None})

    async def run(self) -> None:
        """Write what waits until cancelled; begin when the store is this process's."""
        while True:
            await self._filled.wait()
            await sleep(CLIENTS_FIRST, self._scheduler)
            await self._supervisor.attempt_async("persistence", self._write_some())
            await sleep(self._interval, self._scheduler)

    async def flush(self) -> None:
        """Write everything that waits, at the end of the process; a failing write is not repeated."""
        while self._waiting and self._store.owned:
            await self._write_some()
            if self._problem is not None:
                return

    async def _record(self, key: str, document: Document | None) -> None:
        async with self._writing:
            self._waiting.pop(key, None)  # An earlier one that expired must not take this one along.
            await self._put({key: document})

    async def _write_some(self) -> None:
        """Write some of what waits; when that fails it waits again, unless it was replaced meanwhile."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        keys = list(self._waiting)[:MOST_PER_WRITE]
        taken = {key: self._waiting.pop(key) for key in keys}
        if not self._waiting:
            self._filled.clear()
        documents = await asyncio.to_thread(_documents, taken)  # Some have 10,000 endpoints and more.
        try:
            await self._put(documents)
        except StateStoreError as error:
            _log.error("state not written", error=str(error))
            self._wait({key: kept for key, kept in taken.items() if key not in self._waiting})

    async def _put(self, documents: Mapping[str, Document | None]) -> None:
        try:
            await self._store.put(documents)
        except StateStoreError as error:
            self._problem = error.finding
            raise
        self._problem = None

    def _wait(self, documents: Mapping[str, Kept | None]) -> None:
        if documents:
            self._waiting.update(documents)
            self._filled.set()


@dataclass(frozen=True, slots=True)
class _Epoch:
    epoch: int


def _read(key: str, document: Document, found: _Found) -> None:
    """Take one document in.

    Raises:
        ValueError: it makes no sense.
    """
    kind, _, _ = key.partition("/")
    if kind == "override":
        found.overrides.append(value_of(Override, document))
    elif kind == "decision":
        decision = value_of(Decision, document)
        found.decisions.append(decision)
        found.epochs.append(decision.mark.epoch)
    elif kind == "registrations":
        found.registrations += value_of(ServiceRegistrations, document).held
    elif key == EPOCH_KEY:
        found.epochs.append(value_of(_Epoch, document).epoch)


def _override_key(key: tuple[str, Address, OverrideKind]) -> str:
    service, address, kind = key
    return f"{OVERRIDES}{service} {address} {kind.value}"


def _documents(waiting: Mapping[str, Kept | None]) -> dict[str, Document | None]:
    return {key: None if kept is None else document_of(kept) for key, kept in waiting.items()}
