"""One replica's part in telling the cluster what became of its policies: the election, and the writer's loop."""

from __future__ import annotations

import asyncio
import functools
import random
import socket
import uuid
from collections.abc import Sequence
from pathlib import Path

from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import Supervisor, sleep
from lbcontrol.sources.kubernetes.api import Api
from lbcontrol.sources.kubernetes.leadership import Leadership
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.status import LOOK, InForce, StatusWriter
from lbcontrol.sources.kubernetes.writes import Writes

GATHER = 0.05
"""Seconds for which changes are gathered."""
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds its namespace."""
ELSEWHERE = "default"
"""Namespace of the Lease outside of pods."""


class Reporting:
    """Bound to one picture; each run has its own connection and its own part in the election."""

    def __init__(
        self,
        picture: Picture,
        options: KubernetesOptions,
        *,
        scheduler: Scheduler,
        rng: random.Random,
        metrics: Metrics,
    ) -> None:
        """Write nothing yet."""
        self._picture = picture
        self._options = options
        self._scheduler = scheduler
        self._rng = rng
        self._metrics = metrics
        self._awake = asyncio.Event()
        self._writes: Writes | None = None
        self._writer: StatusWriter | None = None
        self._in_force: InForce = lambda _service: None

    def findings(self) -> Sequence[Finding]:
        """Return what cannot be written now."""
        return () if self._writes is None else self._writes.findings()

    def follow(self, in_force: InForce) -> None:
        """Learn whom to ask what is in force, for the runs that begin after this."""
        self._in_force = in_force

    def decided(self, service: str) -> None:
        """A service of this or another source was decided anew."""
        name, _, namespace = service.partition(":")[0].partition(".")
        key = (namespace, name)
        if self._writer is not None and self._picture.policies.concerning(key):
            self._writer.decided([key])
            self.wake()

    def wake(self) -> None:
        """Something may be new."""
        self._awake.set()

    async def run(self, api: Api) -> None:
        """Write until cancelled."""
        writes = self._writes = Writes(api, metrics=self._metrics)
        key = (self._options.status_namespace or own_namespace(), self._options.status_lease)
        scheduler, rng = self._scheduler, self._rng
        leadership = Leadership(key, identity(), leases=writes, scheduler=scheduler, rng=rng, metrics=self._metrics)
        writer = self._writer = StatusWriter(self._picture, writes, identity=identity(), scheduler=scheduler, rng=rng)
        writer.in_force = self._in_force
        leadership.gained = self.wake
        async with asyncio.TaskGroup() as group:
            group.create_task(leadership.run())
            group.create_task(self._write(leadership, writer))

    async def _write(self, leadership: Leadership, writer: StatusWriter) -> None:
        supervisor = Supervisor(self._metrics, self._scheduler)
        whole_at = -LOOK
        while True:
            now = self._scheduler.now()
            await self._pause(writer.next_at() - now if leadership.is_held else LOOK)
            if not leadership.is_held or not self._picture.is_whole:
                self._picture.take_moved()
                writer.begin()
                whole_at = -LOOK  # Whoever gains the Lease looks at everything first.
                continue
            if self._scheduler.now() - whole_at >= LOOK:
                whole_at = self._scheduler.now()
                writer.all_again()
            await supervisor.attempt_async("source", writer.turn(lambda: leadership.is_held))

    async def _pause(self, seconds: float) -> None:
        timer = self._scheduler.call_later(max(seconds, 0.0), self._awake.set)
        try:
            await self._awake.wait()
        finally:
            timer.cancel()
        await sleep(GATHER, self._scheduler)
        self._awake.clear()


@functools.cache
def identity() -> str:
    """Return who this process is in elections."""
    return f"{socket.gethostname()[:60]}_{uuid.uuid4().hex[:12]}"


def own_namespace() -> str:
    """Return the namespace of this pod; ``ELSEWHERE`` outside of one."""
    try:
        return NAMESPACE_FILE.read_text().strip() or ELSEWHERE
    except OSError:
        return ELSEWHERE
