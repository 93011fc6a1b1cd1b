"""From the process that ends to the one that begins: who waits for the state directory, and what is done on getting it.

Both serve meanwhile what the sources say, with the overrides that stand in the directory; only the one that has it
takes operators' writes. So a rolling update of one replica neither stops serving nor splits what operators said.
"""

from __future__ import annotations

import structlog

from lbcontrol.app.operations import Submit
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event, OverrideCleared, OverrideSet
from lbcontrol.model.errors import StateStoreError
from lbcontrol.runtime.persistence import Persistence
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import sleep
from lbcontrol.stores.file import FileStore

LOOK_SECONDS = 0.5
"""Seconds between two looks whether the directory is free."""

_log = structlog.get_logger("lbcontrol.takeover")


class TakeOver:
    """Waits for the state directory and carries over what operators said meanwhile."""

    def __init__(self, store: FileStore, persistence: Persistence, *, engine: Engine, hub: Submit) -> None:
        """Begin with nothing taken."""
        self._store = store
        self._persistence = persistence
        self._engine = engine
        self._hub = hub
        self._problem = ""

    async def run(self, epoch: int, scheduler: Scheduler) -> None:
        """Return once the directory is this process's, with what was said to the other; at once when it is already.

        A disk that fails keeps nobody from being served: it is tried again.
        """
        if self._store.owned:
            return
        _log.info("another process has the state directory", path=str(self._store.path))
        while (changed := await self._tried()) is None:
            await sleep(LOOK_SECONDS, scheduler)
        await self._persistence.claim(epoch)
        _log.info("took the state directory over", overrides_changed=changed)

    async def _tried(self) -> int | None:
        """Return how many overrides it changed; None while the other has the directory, or the disk fails."""
        try:
            return await self._follow() if self._store.take() else None
        except StateStoreError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                _log.error("state directory not taken over yet", error=self._problem)
            return None

    async def _follow(self) -> int:
        """Put in force what was said to the other process; returns how many overrides that changes."""
        kept = {each.key: each for each in await self._persistence.reread()}
        mine = {each.key: each for each in self._engine.overrides()}
        events: list[Event] = [OverrideSet(each) for key, each in kept.items() if mine.get(key) != each]
        events += [OverrideCleared(*key) for key in mine.keys() - kept.keys()]
        for event in events:
            await self._hub.submit(event)
        return len(events)
