"""The file source: documents in a file or a directory, read again when they change (docs/adr/0003).

A look at the files is taken now and then, and at once when the kernel says that something happened. What differs from
the picture in force is read only once it holds still, and counts only when it still looks the same afterwards: so
neither a half-written file, nor the moment in which an editor has moved the old file away, nor the middle of a
ConfigMap's symlink swap is ever taken for what somebody meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Sink
from lbcontrol.sources.file_hints import Hints, Place, directory_of
from lbcontrol.sources.file_scan import Listing, MovedError, look
from lbcontrol.sources.file_state import FileState, next_state
from lbcontrol.sources.spec import Options, SourceSpec

POLL = 0.25
"""Seconds between two looks while nothing changes."""
POLL_TOLD = 1.0
"""The same once the kernel has told of a change before a look found it (``file_hints``)."""
GAP = 0.002
"""Least time from a look to one that the kernel's word brings forward."""
POLL_SHARE = 20
"""A look that takes long makes the next one wait this many times as long: at most 5 % of one core."""
SETTLE = 0.1
"""Seconds for which a changed picture must hold still before it is read."""
SETTLE_TOLD = 0.02
"""The same when the kernel told, one file is another, and no service is gone: what is written is closed or renamed."""
SETTLE_GONE = 1.0
"""The same when a file that is in force is gone: an editor may be about to bring it back."""
ROUNDING = 0.001
"""Seconds by which a timer may be early."""
PATIENCE = 2.0
"""Seconds of restless change after which files are read all the same."""
ALIVE = 10.0
"""Seconds between two signs of life."""

REASONS = {
    "LB109": "references",
    "LB110": "file_bytes",
    "LB111": "depth",
    "LB125": "services",
    "LB201": "unreadable",
    "LB202": "unreadable",
}
"""Label ``reason`` of ``rejected_total{layer="file"}`` by code; of all others a file is ``invalid``."""

_log = structlog.get_logger("lbcontrol.sources.file")


class FileOptions(Options):
    """Options of ``type: file``."""

    path: str
    """A YAML file, or a directory of which the files ``*.yaml`` and ``*.yml`` are read; not its sub-directories."""


class FileSource:
    """Watches one path."""

    def __init__(self, name: str, path: str, *, scheduler: Scheduler, metrics: Metrics) -> None:
        """Nothing is read before ``run``."""
        self._name = name
        self._path = path
        self._scheduler = scheduler
        self._metrics = metrics
        self._settling = Settling()
        self._state: FileState | None = None
        self._missing: Finding | None = None
        self._told: Mapping[str, ServiceSnapshot] = {}
        self._synced = False
        self._complete = False
        self._alive_at = float("-inf")
        self._hints = Hints(self._hinted)
        self._words = 0
        """How often the kernel told that something happened."""
        self._known_words = 0
        """How often it had when nothing was new."""
        self._tells = False
        """Whether the kernel told of the last change."""
        self._gap = GAP
        self._hurry: Callable[[], None] | None = None
        """Ends the rest before its time."""
        metrics.source_lag_seconds.labels(name)

    def findings(self) -> Sequence[Finding]:
        """Return what is wrong with the files now, and the warnings about them."""
        files = self._state.findings if self._state else ()
        return (self._missing, *files) if self._missing else files

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled. A path that cannot be read makes the source stale, and is tried again."""
        self._told, self._synced, self._complete, self._missing = {}, False, False, None
        if self._state is not None:
            self._tell(self._state, tuple(self._state.snapshots.values()), sink)
        try:
            while True:
                await self._pause(await self.poll_once(sink))
        finally:
            self._hints.close()

    async def poll_once(self, sink: Sink) -> float:
        """Look once, and tell ``sink`` what changed.

        Returns:
            Seconds until the next look.
        """
        began, words = self._scheduler.now(), self._words
        listing, place = await asyncio.to_thread(_looked, self._path)
        self._hints.follow(place)
        self._gap = max(GAP, POLL_SHARE * (self._scheduler.now() - began))
        if listing.missing:
            self._lost(listing.missing, sink)
            self._known_words = words
            return self._rest()
        self._found(sink)
        if self._state is not None and listing == self._state.listing:
            self._settling.forget()
            self._known_words = words
            return self._rest()
        quiet = self._quiet(listing)
        if not self._settling.has_settled(listing, now=began, quiet=quiet):
            return quiet
        return self._rest() if await self._read(listing, sink) else SETTLE

    def _rest(self) -> float:
        """Return the seconds until the next look while nothing changes."""
        return max(POLL_TOLD if self._tells else POLL, self._gap)

    def _quiet(self, listing: Listing) -> float:
        """Return for how long a changed picture must hold still."""
        if self._state is None:
            return SETTLE
        if not self._state.in_force.keys() <= {each.path for each in listing.files}:
            return SETTLE_GONE
        told = self._words > self._known_words and self._hints.is_whole
        return SETTLE_TOLD if told and len(set(listing.files) - set(self._state.listing.files)) == 1 else SETTLE

    async def _read(self, listing: Listing, sink: Sink) -> bool:
        try:
            state, changed = await asyncio.to_thread(self._next_state, listing)
        except MovedError:
            return False
        is_less = not self._told.keys() <= state.snapshots.keys()  # Perhaps half of a move from file to file.
        if is_less and not self._settling.has_settled(listing, now=self._scheduler.now(), quiet=SETTLE):
            return False
        if self._state is not None:
            self._tells = self._words > self._known_words
        self._known_words = self._words
        self._settling.forget()
        self._report(state)
        self._measure(self._state, state)
        self._state = state
        self._tell(state, changed, sink)
        return True

    def _next_state(self, listing: Listing) -> tuple[FileState, list[ServiceSnapshot]]:
        """Read, in a thread; what was read counts only if everything still looks the same afterwards."""
        state = next_state(self._state or FileState(), listing, source=self._name)
        if look(self._path) != listing:
            raise MovedError
        return state, [each for name, each in state.snapshots.items() if self._told.get(name) != each]

    def _tell(self, state: FileState, changed: Sequence[ServiceSnapshot], sink: Sink) -> None:
        removed = [name for name in self._told if name not in state.snapshots]
        if changed or removed:
            sink.update(changed, removed)
        self._told = state.snapshots
        complete = self._complete or state.complete
        if not self._synced or complete != self._complete:
            self._synced, self._complete = True, complete
            sink.synced(complete=complete)

    def _report(self, state: FileState) -> None:
        """Log new findings and set the metric of each file."""
        before = self._state or FileState()
        for finding in state.findings:
            if finding not in before.findings:
                self._log(finding)
                if finding.severity is Severity.ERROR:
                    self._metrics.rejected_total.labels("file", REASONS.get(finding.code, "invalid")).inc()
        for path in before.config.keys() - state.config.keys():
            self._metrics.config_valid.remove(path)
        for path, valid in state.config.items():
            self._metrics.config_valid.labels(path).set(valid)

    def _measure(self, before: FileState | None, now: FileState) -> None:
        """Note how long ago the last file changed that is read for the first time now, by the file system's clock."""
        known = set(before.listing.files) if before is not None else set(now.listing.files)
        changed = [each.changed_at for each in now.listing.files if each not in known and each.problem is None]
        if changed:
            lag = max(0.0, self._scheduler.wall() - max(changed))
            self._metrics.source_lag_seconds.labels(self._name).observe(lag)

    def _log(self, finding: Finding) -> None:
        parts = {"code": finding.code, "what": finding.what, "at": finding.at, "why": finding.why, "do": finding.do}
        _log.warning("finding", source=self._name, **parts)

    def _lost(self, finding: Finding, sink: Sink) -> None:
        self._settling.forget()
        if finding != self._missing:
            self._missing = finding
            self._log(finding)
            self._metrics.rejected_total.labels("file", REASONS.get(finding.code, "invalid")).inc()
            sink.stale(SourceUnavailableError(finding))

    def _found(self, sink: Sink) -> None:
        now = self._scheduler.now()
        if self._missing is not None or now - self._alive_at >= ALIVE:
            self._missing, self._alive_at = None, now
            sink.alive()

    async def _pause(self, seconds: float) -> None:
        over, timers = asyncio.Event(), []
        timers.append(self._scheduler.call_later(seconds, over.set))
        if self._settling.is_at_rest:
            self._hurry = lambda: timers.append(self._scheduler.call_later(self._gap, over.set))
        try:
            if self._words > self._known_words:
                self._hurry_up()
            await over.wait()
        finally:
            self._hurry = None
            for timer in timers:
                timer.cancel()

    def _hinted(self) -> None:
        self._words += 1
        self._hurry_up()

    def _hurry_up(self) -> None:
        hurry, self._hurry = self._hurry, None
        if hurry is not None:
            hurry()


class Settling:
    """Tells when a picture that changes has come to rest."""

    def __init__(self) -> None:
        """Nothing changes yet."""
        self._seen: Listing | None = None
        self._since = 0.0
        self._restless_since: float | None = None

    def forget(self) -> None:
        """What is seen is what is in force, or nothing is seen: begin anew with the next change."""
        self._seen = self._restless_since = None

    @property
    def is_at_rest(self) -> bool:
        """True while no change is looked at."""
        return self._seen is None

    def has_settled(self, listing: Listing, *, now: float, quiet: float) -> bool:
        """Take a look into account.

        Args:
            listing: What was seen.
            now: Monotonic seconds of the look.
            quiet: Seconds for which it must have looked the same.

        Returns:
            True when it may be read: it held still, or has not for longer than ``PATIENCE``.
        """
        if listing != self._seen:
            self._seen, self._since = listing, now
        if self._restless_since is None:
            self._restless_since = now
        return now - self._since >= quiet - ROUNDING or now - self._restless_since >= PATIENCE


def _looked(path: str) -> tuple[Listing, Place | None]:
    return look(path), directory_of(path)


def build(name: str, options: FileOptions, *, scheduler: Scheduler, metrics: Metrics) -> FileSource:
    """Return a file source."""
    return FileSource(name, options.path, scheduler=scheduler, metrics=metrics)


SPEC = SourceSpec(FileOptions, build)
"""``type: file``."""
