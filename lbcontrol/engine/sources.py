"""Sources: what each source says of each service, and how each source is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from lbcontrol.engine.state import SourceState
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot


class SourceBook:
    """All sources in the order in which they were added, which is their order of precedence."""

    def __init__(self) -> None:
        self._states: dict[str, SourceState] = {}
        self._snapshots: dict[str, dict[str, ServiceSnapshot]] = {}

    def states(self) -> tuple[SourceState, ...]:
        """Return how each source is."""
        return tuple(self._states.values())

    @property
    def synced(self) -> bool:
        """True when there is a source and every one has handed over a full picture."""
        states = self.states()
        return bool(states) and all(state.synced for state in states)

    @property
    def complete(self) -> bool:
        """True when, besides, nothing of those pictures was unreadable."""
        return self.synced and all(state.complete for state in self.states())

    def add(self, source: str) -> None:
        """Know a source; harmless when it is known."""
        if source not in self._states:
            self._snapshots[source] = {}
            self._states[source] = SourceState(source)

    def replace(self, source: str, changed: Iterable[ServiceSnapshot], *, removed: Iterable[str]) -> set[str]:
        """Replace what a source says; return the services concerned. What is both removed and changed is changed."""
        self.add(source)
        own = self._snapshots[source]
        endpoints = self._states[source].endpoints
        touched: set[str] = set()
        for service in removed:
            old = own.pop(service, None)
            endpoints -= _size(old)
            touched.add(service)
        for snapshot in changed:
            endpoints += len(snapshot.endpoints) - _size(own.get(snapshot.service))
            own[snapshot.service] = snapshot
            touched.add(snapshot.service)
        self._change(source, services=len(own), endpoints=endpoints)
        return touched

    def sync(self, source: str, *, complete: bool) -> None:
        """Note that a full picture has been handed over."""
        self.add(source)
        self._change(source, synced=True, complete=complete)

    def mark(self, source: str, stale: Finding | None, *, wall: float) -> set[str]:
        """Note that a source can (None) or cannot be read; return the services for which that is news."""
        self.add(source)
        old = self._states[source]
        since = None if stale is None else (wall if old.stale_since is None else old.stale_since)
        self._change(source, stale=stale, stale_since=since)
        return set() if (old.stale is None) == (stale is None) else set(self._snapshots[source])

    def seen(self, source: str, *, wall: float) -> None:
        """Note a sign of life."""
        self.add(source)
        self._change(source, last_event_at=wall)

    def of(self, service: str) -> list[tuple[int, ServiceSnapshot]]:
        """Return the snapshots of a service with the rank of their source, in order of precedence."""
        every = enumerate(self._snapshots.values())
        return [(rank, own[service]) for rank, own in every if service in own]

    def stale(self, snapshots: Iterable[ServiceSnapshot]) -> tuple[str, ...]:
        """Return the names of those of the snapshots' sources that cannot be read."""
        return tuple(each.source for each in snapshots if self._states[each.source].stale is not None)

    def services(self) -> set[str]:
        """Return every service that any source says anything of."""
        return set().union(*self._snapshots.values())

    def _change(self, source: str, **fields: object) -> None:
        self._states[source] = dataclasses.replace(self._states[source], **fields)  # type: ignore[arg-type]


def _size(snapshot: ServiceSnapshot | None) -> int:
    return 0 if snapshot is None else len(snapshot.endpoints)
