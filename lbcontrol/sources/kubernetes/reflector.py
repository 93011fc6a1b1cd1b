"""One kind of object in one namespace, kept equal to what the API server has: list, watch, and list again when told to.

A watch goes on from the version it has seen; only when that is not kept any more (410) is everything listed again, by a
consistent read, which is never older than what was seen: one that is counts when it stays so for half a minute. What is
not on a list is gone only when the list is whole and a second one says so too; one that takes away most of what was
there has to say so for as long.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import backoff, sleep
from lbcontrol.sources.kubernetes.api import PAGE, WATCH_SECONDS, Answer, GoneError, UnusableError, listed, watched
from lbcontrol.sources.kubernetes.objects import Key

HEALTHY = 30.0
"""Seconds without trouble after which the shortest wait is enough again."""
SHORT = 1.0
"""Seconds; a watch that ends sooner and has said nothing is followed by a pause."""
DOUBTS = (1.0,)
"""Pauses, in seconds, after each of which a list that lacks what was known has to lack it again."""
GRAVE_DOUBTS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""The same for a list that has nothing, or less than half of what was known and more than ``FEW`` less."""
FEW = 3
MOST = 500
"""Objects taken over at once; then others run."""
LEAST_PAGE = 20
"""Objects asked for at once when a page of more does not arrive in time."""

_log = structlog.get_logger("lbcontrol.sources.kubernetes")


class Held(Protocol):
    """What is known of the kind; the picture."""

    def keys(self) -> set[Key]:
        """Return what is known."""
        ...

    def put(self, item: Any) -> None:
        """An object, as ``Kind.read`` made it, is new or different."""
        ...

    def drop(self, key: Key) -> None:
        """An object is gone."""
        ...


class Watcher(Protocol):
    """Who is told how it goes."""

    def listed(self, what: str) -> None:
        """A whole list is in force."""
        ...

    def moved(self) -> None:
        """Something may be different."""
        ...

    def well(self, what: str) -> None:
        """The API server answers."""
        ...

    def unwell(self, what: str, error: SourceUnavailableError) -> None:
        """It does not."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What is reflected."""

    what: str
    """For people: ``services of shop``."""
    ask: Answer
    read: Callable[[Any], Any]
    """Makes a value with a ``key`` of an API object."""
    held: Held


@dataclass(frozen=True, slots=True)
class Listing:
    """A whole list."""

    items: Sequence[Any]
    version: str

    def is_older_than(self, seen: str) -> bool:
        """Whether it is from before a version: those of one kind are whole numbers that grow (KEP-5504)."""
        return self.version.isdecimal() and seen.isdecimal() and int(self.version) < int(seen)


class Patience:
    """Jittered pauses of 0.5 to 30 s, which begin small again after a while without trouble."""

    def __init__(self, scheduler: Scheduler, rng: random.Random) -> None:
        """No trouble yet."""
        self._scheduler = scheduler
        self._rng = rng
        self._failures = 0
        self._trouble_at = -HEALTHY

    @property
    def is_fresh(self) -> bool:
        """True when there was no trouble for a while."""
        return self._scheduler.now() - self._trouble_at >= HEALTHY

    async def pause(self, *, at_once: bool = False) -> None:
        """Wait after trouble; ``at_once`` does not for the first one."""
        fresh = self.is_fresh
        self._failures = 1 if fresh else self._failures + 1
        if not (fresh and at_once):
            await sleep(backoff(self._failures, self._rng), self._scheduler)
        self._trouble_at = self._scheduler.now()


class Reflector:
    """Runs until cancelled."""

    def __init__(self, kind: Kind, watcher: Watcher, *, host: str, scheduler: Scheduler, rng: random.Random) -> None:
        """Ask for nothing yet."""
        self._kind = kind
        self._watcher = watcher
        self._host = host
        self._scheduler = scheduler
        self._rng = rng
        self._patience = Patience(scheduler, rng)
        self._patience_when_gone = Patience(scheduler, rng)
        """Apart: an API server that is back, and keeps the version no more, is listed at once after any outage."""
        self._page = PAGE
        self._version = ""
        """From which the watch goes on; empty when everything has to be listed."""
        self._seen = ""
        """The last version that was seen."""

    async def run(self) -> None:
        """List, then watch; trouble is told, and followed by a jittered pause of 0.5 to 30 s."""
        while True:
            try:
                await self._follow()
            except GoneError:
                _log.info("listing again", what=self._kind.what, version=self._version)
                self._version = ""
                await self._patience_when_gone.pause(at_once=True)
            except SourceUnavailableError as error:
                if isinstance(error, UnusableError):
                    self._version = ""
                self._watcher.unwell(self._kind.what, error)
                await self._patience.pause()

    async def _follow(self) -> None:
        if not self._version:
            await self._list()
        began = self._scheduler.now()
        if not await self._watch() and self._scheduler.now() - began < SHORT:
            await self._patience.pause()

    async def _list(self) -> None:
        found = await self._listing()
        asked = 0
        while asked < len(pauses := self._doubts(found)):
            if asked:
                self._watcher.unwell(self._kind.what, self._doubted(found))
            _log.warning("asking again for a list in doubt", what=self._kind.what, left=len(found.items))
            await sleep(pauses[asked], self._scheduler)
            asked += 1
            found = await self._listing()
        await self._put(found.items)
        for key in self._missing(found.items):
            self._kind.held.drop(key)
        self._version = self._seen = found.version
        self._watcher.listed(self._kind.what)

    async def _listing(self) -> Listing:
        """Return what is there; what is new of it is in force at once, unless it is older than what was seen."""
        found = Listing(*await self._items())
        if not found.is_older_than(self._seen):
            await self._put(found.items)
        return found

    async def _put(self, items: Sequence[Any]) -> None:
        """Add and change first: until what is missing is dropped there is more rather than less."""
        for at in range(0, len(items), MOST):
            for item in items[at : at + MOST]:
                self._kind.held.put(item)
            await asyncio.sleep(0)
        self._watcher.moved()

    async def _items(self) -> tuple[list[Any], str]:
        items: list[Any] = []
        version = ""
        try:
            async for item, mark in listed(self._kind.ask, host=self._host, what=self._kind.what, page=self._page):
                if item is None:
                    version = mark
                else:
                    items.append(self._kind.read(item))
        except SourceUnavailableError as error:
            if isinstance(error.__cause__, TimeoutError):
                self._page = max(LEAST_PAGE, self._page // 5)
            raise
        self._page = PAGE
        return items, version

    def _missing(self, items: Sequence[Any]) -> set[Key]:
        return self._kind.held.keys() - {item.key for item in items}

    def _doubts(self, found: Listing) -> Sequence[float]:
        """Return the pauses after which a list has to say the same again before it is believed."""
        gone, known = len(self._missing(found.items)), len(self._kind.held.keys())
        if found.is_older_than(self._seen):
            return GRAVE_DOUBTS
        if not gone:
            return ()
        return GRAVE_DOUBTS if not found.items or (gone > FEW and gone * 2 > known) else DOUBTS

    def _doubted(self, found: Listing) -> SourceUnavailableError:
        """Return why what was known stays in force though the list says something else."""
        known, what = len(self._kind.held.keys()), self._kind.what
        if found.is_older_than(self._seen):
            said = f"lists {what} as of version {found.version}, and had said {self._seen}"
        else:
            said = f"lists {len(found.items)} {what} where {known} were known"
        return SourceUnavailableError(
            Finding(
                "LB237", f"the API server {self._host} {said}",
                at=f"list {what}",
                why="a list that takes away most of what was there, or is an old one, is believed when it stays so",
                effect=f"what was known stays in force, for {sum(GRAVE_DOUBTS):.0f} s at most",
                do="kubectl get services,endpointslices shows what there is",
            )
        )  # fmt: skip

    async def _watch(self) -> bool:
        """Follow changes until the API server ends the watch; returns whether it said anything."""
        seconds = self._rng.randint(*WATCH_SECONDS)
        lines = watched(self._kind.ask, host=self._host, what=self._kind.what, version=self._version, seconds=seconds)
        said = False
        try:
            async for kind, item in lines:
                said = self._event(kind, item) or said
        finally:
            await lines.aclose()
        return said

    def _event(self, kind: str, item: Any) -> bool:
        """Take one event; returns whether it says anything."""
        self._watcher.well(self._kind.what)
        if item is None:
            return False
        self._version = self._seen = str(item["metadata"]["resourceVersion"])
        if kind != "BOOKMARK":
            self._change(kind, self._kind.read(item))
        return True

    def _change(self, kind: str, item: Any) -> None:
        if kind == "DELETED":
            self._kind.held.drop(item.key)
        else:
            self._kind.held.put(item)
        self._watcher.moved()
