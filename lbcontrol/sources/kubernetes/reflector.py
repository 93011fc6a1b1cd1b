"""One kind of object in one namespace, kept equal to what the API server has: list, watch, and list again when told to.

A watch goes on from the version it has seen; only when that is not kept any more (410) is everything listed again, by a
consistent read, which is never older than what was seen. A list is put in force whole, and what is not on it is gone
only then. A list that takes away most of what was known is asked for a second time before it is believed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import backoff, sleep
from lbcontrol.sources.kubernetes.api import WATCH_SECONDS, Answer, GoneError, listed, watched
from lbcontrol.sources.kubernetes.objects import Key

HEALTHY = 30.0
"""Seconds without trouble after which the shortest wait is enough again."""
DOUBT = 1.0
"""Seconds before a list that takes away much is asked for again."""
FEW = 3
"""So few objects may go at once without doubt."""

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


class Reflector:
    """Runs until cancelled."""

    def __init__(self, kind: Kind, watcher: Watcher, *, host: str, scheduler: Scheduler, rng: random.Random) -> None:
        """Ask for nothing yet."""
        self._kind = kind
        self._watcher = watcher
        self._host = host
        self._scheduler = scheduler
        self._rng = rng
        self._version = ""

    async def run(self) -> None:
        """List, then watch; trouble is told, and followed by a jittered pause of 0.5 to 30 s."""
        failures, trouble_at = 0, 0.0
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except GoneError:
                _log.info("listing again", what=self._kind.what, version=self._version)
                self._version = ""
            except SourceUnavailableError as error:
                self._watcher.unwell(self._kind.what, error)
                failures = 1 if self._scheduler.now() - trouble_at >= HEALTHY else failures + 1
                await sleep(backoff(failures, self._rng), self._scheduler)
                trouble_at = self._scheduler.now()

    async def _list(self) -> None:
        items, version = await self._items()
        if self._is_doubtful(items):
            _log.warning("a list takes away much, asking again", what=self._kind.what, left=len(items))
            await sleep(DOUBT, self._scheduler)
            items, version = await self._items()
        here = {item.key for item in items}
        for item in items:
            self._kind.held.put(item)
        for key in self._kind.held.keys() - here:
            self._kind.held.drop(key)
        self._version = version
        self._watcher.listed(self._kind.what)

    async def _items(self) -> tuple[list[Any], str]:
        items: list[Any] = []
        version = ""
        async for item, mark in listed(self._kind.ask, host=self._host, what=self._kind.what):
            if item is None:
                version = mark
            else:
                items.append(self._kind.read(item))
        return items, version

    def _is_doubtful(self, items: Sequence[Any]) -> bool:
        known = self._kind.held.keys()
        gone = len(known - {item.key for item in items})
        return gone > FEW and gone * 2 > len(known)

    async def _watch(self) -> None:
        seconds = self._rng.randint(*WATCH_SECONDS)
        lines = watched(self._kind.ask, host=self._host, what=self._kind.what, version=self._version, seconds=seconds)
        try:
            async for kind, item in lines:
                self._event(kind, item)
        finally:
            await lines.aclose()
        await asyncio.sleep(0)  # A server that ends each watch at once must not hold the loop.

    def _event(self, kind: str, item: Any) -> None:
        self._watcher.well(self._kind.what)
        if item is None:
            return
        self._version = str(item["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            return
        read = self._kind.read(item)
        if kind == "DELETED":
            self._kind.held.drop(read.key)
        else:
            self._kind.held.put(read)
        self._watcher.moved()
