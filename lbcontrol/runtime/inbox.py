"""What waits for the engine: operators' events in order, and of each source only the newest picture.

Bounded: per (source, service) one snapshot, per source one of each sign of life, and ``MOST_WAITING`` operators.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from lbcontrol.engine.events import (
    Event,
    SourceAlive,
    SourceStale,
    SourceSynced,
    SourceUpdated,
)
from lbcontrol.model.assignment import Decision
from lbcontrol.model.errors import LimitExceededError
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot

MOST_WAITING = 1_000
"""Operators' events that wait at once."""


@dataclass(frozen=True, slots=True)
class Expired:
    """An override's time has passed; not an event of the engine, but a question to it."""


Answer = asyncio.Future[tuple[Decision, ...]]


@dataclass(slots=True)
class Item:
    """One event to apply, and who waits for its decisions."""

    event: Event | Expired
    answer: Answer | None = None


@dataclass(slots=True)
class _Waiting:
    """What one source said since the engine looked last."""

    changed: dict[str, ServiceSnapshot] = field(default_factory=dict)
    removed: dict[str, None] = field(default_factory=dict)
    synced: SourceSynced | None = None
    life: SourceAlive | SourceStale | None = None

    def events(self, source: str) -> list[Event]:
        """Return it as events: the picture before the claim that it is whole, the sign of life last."""
        events: list[Event] = []
        if self.changed or self.removed:
            events.append(SourceUpdated(source, tuple(self.changed.values()), tuple(self.removed)))
        events += [event for event in (self.synced, self.life) if event is not None]
        return events


class Inbox:
    """A queue that stays small when the engine is slower than its sources."""

    def __init__(self) -> None:
        """Begin empty."""
        self._first: deque[Item] = deque()
        self._sources: dict[str, _Waiting] = {}
        self._filled = asyncio.Event()

    def put(self, item: Item) -> None:
        """Add an event that is applied before those of sources, in order with others like it.

        Raises:
            LimitExceededError: too many operators wait; try again later.
        """
        if item.answer is not None and len(self._first) >= MOST_WAITING:
            what = f"{MOST_WAITING} operator requests are waiting"
            raise LimitExceededError(Finding("LB907", what, why="the limit is fixed", do="try again in a few seconds"))
        self._first.append(item)
        self._filled.set()

    def update(self, source: str, changed: Iterable[ServiceSnapshot], *, removed: Iterable[str]) -> None:
        """Replace what waits of these services; a source that updates can be read."""
        waiting = self._of(source)
        for snapshot in changed:
            waiting.removed.pop(snapshot.service, None)
            waiting.changed[snapshot.service] = snapshot
        for service in removed:
            waiting.changed.pop(service, None)
            waiting.removed[service] = None
        if isinstance(waiting.life, SourceStale):
            waiting.life = SourceAlive(source)

    def synced(self, event: SourceSynced) -> None:
        """Note that the picture is whole."""
        self._of(event.source).synced = event

    def life(self, event: SourceAlive | SourceStale) -> None:
        """Note whether the source can be read; the newest word counts."""
        self._of(event.source).life = event

    async def take(self) -> list[Item]:
        """Wait for the next events: one of the first queue, else all that one source said."""
        while not (self._first or self._sources):
            self._filled.clear()
            await self._filled.wait()
        if self._first:
            return [self._first.popleft()]
        source = next(iter(self._sources))
        return [Item(event) for event in self._sources.pop(source).events(source)]

    def close(self) -> None:
        """Cancel those who wait for answers."""
        for item in self._first:
            if item.answer is not None:
                item.answer.cancel()
        self._first.clear()

    def _of(self, source: str) -> _Waiting:
        self._filled.set()
        return self._sources.setdefault(source, _Waiting())
