"""The certificates of one listener while it serves: looked at all the time, replaced only by something better.

Files are looked at as the file source does it (docs/adr/0003): a change is read once it holds still, and counts only
when the files still look the same afterwards. What is read replaces what is in force only when it can be used; until
then it is a finding, a log line and ``config_valid`` 0, and the listener goes on with what it has.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

import structlog

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import Supervisor, sleep
from lbcontrol.transport.tls.files import TlsFiles, look
from lbcontrol.transport.tls.material import Material, MovedError, dated, read_material

POLL = 0.5
"""Seconds between two looks; also how long a change must hold still."""
PATIENCE = 10
"""Looks of restless change after which files are read all the same."""
FIRST_TRIES = 20
"""Readings at start that may find the files moving."""
KEPT = "the certificates in force stay in force"
"""Effect of every finding about files that are not taken."""

_log = structlog.get_logger("lbcontrol.tls")


class Credentials:
    """What a listener serves with, now."""

    def __init__(self, files: TlsFiles, scheduler: Scheduler, *, metrics: Metrics) -> None:
        """Read the files. Blocking.

        Args:
            files: Where they are.
            scheduler: Tells time; dates are judged by its wall clock.
            metrics: Gets ``cert_expiry_timestamp_seconds`` and ``config_valid`` of each file.

        Raises:
            ConfigError: they cannot be used (LB511, LB512, LB513).
        """
        self.files = files
        self._scheduler = scheduler
        self._metrics = metrics
        self._supervisor = Supervisor(metrics, scheduler)
        self._wrong: Sequence[Finding] = ()
        self._watchers: list[Callable[[], None]] = []
        self._seen = self._looked = look(files)
        self._restless = 0
        self.material = _first(files)
        """Replaced whole; a connection keeps what it began with."""
        self._tell()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` after each replacement."""
        self._watchers.append(changed)

    def trusts(self, anchor: bytes) -> bool:
        """Return whether an authority, by its digest, may still vouch for clients."""
        return anchor in self.material.anchors

    def wall(self) -> float:
        """Unix seconds."""
        return self._scheduler.wall()

    def findings(self) -> Sequence[Finding]:
        """Return what is wrong with the files now, and with the dates of what is in force."""
        return (*self._wrong, *dated(self.files, self.material, wall=self.wall()))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await sleep(POLL, self._scheduler)
            await self._supervisor.attempt_async("transport", self.poll_once())

    async def poll_once(self) -> None:
        """Look once, and take what is there when it has changed, holds still and can be used."""
        now = await asyncio.to_thread(look, self.files)
        still, self._looked = now == self._looked, now
        if now == self._seen:
            self._restless = 0
            return
        self._restless += 1
        if still or self._restless > PATIENCE:
            await self._read(now)

    async def _read(self, looks: Mapping[str, tuple[int, ...]]) -> None:
        try:
            fresh = await asyncio.to_thread(read_material, self.files)
        except MovedError:
            return
        except ConfigError as error:
            self._refuse(looks, error.findings)
            return
        worse = [each for each in self._dated(fresh) if each.severity is Severity.ERROR]
        if worse and not any(each.severity is Severity.ERROR for each in self._dated(self.material)):
            self._refuse(looks, worse)
            return
        self._seen, self._restless, self._wrong = looks, 0, ()
        self.material = fresh
        _log.info("certificates replaced", cert=str(self.files.cert), not_after=fresh.not_after)
        self._tell()
        self._supervisor.each("transport", self._watchers)

    def _dated(self, material: Material) -> list[Finding]:
        return dated(self.files, material, wall=self.wall())

    def _refuse(self, looks: Mapping[str, tuple[int, ...]], findings: Sequence[Finding]) -> None:
        self._seen, self._restless = looks, 0
        self._wrong = tuple(dataclasses.replace(each, effect=KEPT) for each in findings)
        for each in self._wrong:
            _log.warning("certificates not replaced", code=each.code, what=each.what, why=each.why)
        self._valid(0.0)

    def _tell(self) -> None:
        self._valid(1.0)
        ends = self._metrics.cert_expiry_timestamp_seconds
        ends.labels(str(self.files.cert)).set(self.material.not_after)
        if self.files.client_ca is not None:
            ends.labels(str(self.files.client_ca)).set(min(self.material.anchors.values()))

    def _valid(self, value: float) -> None:
        for path in self.files.paths().values():
            self._metrics.config_valid.labels(str(path)).set(value)


def _first(files: TlsFiles) -> Material:
    """Read files that may be in the middle of a change; raises ConfigError when they stay wrong."""
    for _ in range(FIRST_TRIES):
        try:
            return read_material(files)
        except MovedError:
            continue
    what = f"{files.cert} does not hold still"
    raise ConfigError(Finding("LB511", what, files.at("cert"), "it changed with each look", do="try again"))
