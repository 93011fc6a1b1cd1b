"""Keeps asking for the Lease, and says whether this replica may write."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

import structlog

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import Supervisor, backoff, sleep
from lbcontrol.sources.kubernetes.lease import (
    RENEW,
    LeaseState,
    Move,
    holder_of,
    looked,
    lost,
    released,
    renewed,
    wrote,
)
from lbcontrol.sources.kubernetes.objects import Json, Key
from lbcontrol.sources.kubernetes.writes import Answer, Ending

RELEASE = 1.0
"""Seconds for giving the Lease up at the end."""

_log = structlog.get_logger("lbcontrol.sources.kubernetes")


class Leases(Protocol):
    """Where the Lease is."""

    async def read_lease(self, key: Key) -> Answer:
        """Return it; missing when there is none."""
        ...

    async def write_lease(self, lease: Json) -> Answer:
        """Create or replace it; returns it as it is then, or a conflict when another replica was faster."""
        ...


class Leadership:
    """One replica's part in the election. Runs until cancelled, and gives the Lease up then."""

    def __init__(
        self, key: Key, identity: str, *, leases: Leases, scheduler: Scheduler, rng: random.Random, metrics: Metrics
    ) -> None:
        """Hold nothing yet."""
        self._key = key
        self._leases = leases
        self._scheduler = scheduler
        self._rng = rng
        self._metrics = metrics
        self._supervisor = Supervisor(metrics, scheduler)
        self._state = LeaseState(identity)
        self._was_held = False
        self._written: Json | None = None
        """The Lease as it was after our last write: to renew it needs no look, because a conflict tells."""
        self.gained: Callable[[], None] = lambda: None
        """Called when this replica has become the one that writes."""

    @property
    def is_held(self) -> bool:
        """True while this replica may write."""
        return self._state.is_held(self._scheduler.now())

    async def run(self) -> None:
        """Ask for the Lease, and renew it."""
        failures = 0
        try:
            while True:
                endings: list[Ending] = []
                await self._supervisor.attempt_async("source", self._turn(endings))
                failed = not endings or endings[-1] not in (Ending.OK, Ending.CONFLICT)
                failures = failures + 1 if failed else 0
                self._report()
                pause = backoff(failures, self._rng) if failures > 1 else 0.0
                await sleep(max(RENEW * self._rng.uniform(0.8, 1.2), pause), self._scheduler)
        finally:
            await self._supervisor.attempt_async("source", self._release())

    async def _turn(self, endings: list[Ending]) -> None:
        """Look and move; again when the Lease is another, or gone: two sources of one process renew it in turn."""
        for _ in range(2):
            ending = await self._move()
            endings.append(ending)
            if ending not in (Ending.CONFLICT, Ending.MISSING):
                return

    async def _move(self) -> Ending:
        """Look, unless what was written last is known and may still be there; then write."""
        answer = Answer(Ending.OK, self._written) if self._written else await self._leases.read_lease(self._key)
        self._written = None
        if answer.ending not in (Ending.OK, Ending.MISSING):
            return answer.ending
        lease = answer.body if answer.ending is Ending.OK else None
        self._state, move = looked(self._state, lease, now=self._scheduler.now())
        if move is Move.WAIT:
            return Ending.OK
        sent_at, identity = self._scheduler.now(), self._state.identity
        wall = self._scheduler.wall()
        answer = await self._leases.write_lease(
            renewed(lease, name=self._key[1], namespace=self._key[0], identity=identity, wall=wall)
        )
        self._state = wrote(self._state, sent_at=sent_at, succeeded=answer.ending is Ending.OK)
        if answer.ending is Ending.OK:
            self._written = answer.body
        elif answer.ending is Ending.CONFLICT:
            self._state = lost(self._state)
        return answer.ending

    async def _release(self) -> None:
        """Let the next replica have it at once; an API server that does not answer must not hold up the end."""
        if self.is_held:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELEASE):
                    answer = await self._leases.read_lease(self._key)
                    if answer.ending is Ending.OK and holder_of(answer.body) == self._state.identity:
                        await self._leases.write_lease(released(answer.body, wall=self._scheduler.wall()))
        self._state = lost(self._state)
        self._report()

    def _report(self) -> None:
        held = self.is_held
        self._metrics.kubernetes_lease_held.labels(f"{self._key[0]}/{self._key[1]}").set(held)
        if held != self._was_held:
            self._was_held = held
            _log.info("writes status" if held else "writes status no longer", lease="/".join(self._key))
            if held:
                self.gained()
