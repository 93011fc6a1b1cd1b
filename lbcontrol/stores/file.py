"""A store of small files: one per document and kind, checked, in two generations.

A put first writes all new files beside the old ones. Several documents are then bound together by ``batch.json``: once
that name exists the put counts and is completed, now or at the next start; until then it never happened. A document's
file is replaced by renaming, and the file it had before stays as ``.json.1`` for the day on which the new one is
damaged. A lock on the directory keeps a second process out, or lets it read
until the first has ended.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from lbcontrol.model.errors import StateStoreError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.stores.disk import DIRECTORY_MODE, FILE_MODE, Disk
from lbcontrol.stores.envelope import file_name, opened, sealed

NEW = ".new"
OLD = ".1"
BATCH = "batch.json"
LOCK = "lock"

_log = structlog.get_logger("lbcontrol.stores")


class FileStore:
    """Implements ``ports.StateStore`` in a directory. Close it to let another process have the directory."""

    durable = True
    """What ``put`` has written survives ``kill -9`` and power failures."""

    def __init__(self, path: Path, *, metrics: Metrics, disk: Disk | None = None, patient: bool = False) -> None:
        """Make the directory if needed, check who can read it, and lock it.

        Args:
            path: The directory.
            metrics: Counts what was damaged or not written.
            disk: The file system.
            patient: While another process has the lock read only, and ``take`` it later.

        Raises:
            StateStoreError: LB901, another process has it; LB909, it cannot be used. Do not start.
        """
        self.path = path
        self._metrics = metrics
        self._disk = disk or Disk()
        self._findings: list[Finding] = []
        try:
            self._disk.make_directory(path)
            _keep_private(path)
            self._lock = _locked(path)
            if self._lock is None and not patient:
                what = f'the state directory "{path}" is in use by another process'
                do = "stop the other lbcontrol, or give this one a stateDir of its own"
                raise StateStoreError(Finding("LB901", what, at="stateDir", do=do))
        except OSError as error:
            what = f'cannot use the state directory "{path}": {error.strerror}'
            raise StateStoreError(
                Finding(
                    "LB909",
                    what,
                    at="stateDir",
                    do="make it a directory of this user, such as a new one below a volume, or choose another",
                )
            ) from error
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="lbcontrol-store")

    def close(self) -> None:
        """Finish what is being written and give up the lock."""
        self._threads.shutdown(wait=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def owned(self) -> bool:
        """Whether this process has the directory; until then it reads what the other wrote, and writes nothing."""
        return self._lock is not None

    def take(self) -> bool:
        """Take the directory over if the other process has ended; read it again then.

        Raises:
            StateStoreError: LB909, the directory is gone.
        """
        try:
            self._lock = self._lock if self._lock is not None else _locked(self.path)
        except OSError as error:
            what = f'cannot use the state directory "{self.path}": {error.strerror}'
            raise StateStoreError(Finding("LB909", what, at="stateDir")) from error
        return self.owned

    def findings(self) -> list[Finding]:
        """Return which documents were damaged when read last, and whether another process has the directory."""
        return [*self._findings, *([] if self.owned else [_foreign(self.path, Severity.WARNING)])]

    def load(self) -> Mapping[str, Mapping[str, object]]:
        """Return all readable documents by key; a damaged one is replaced by its earlier generation or left out.

        Raises:
            StateStoreError: LB909, the directory cannot be read.
        """
        self._findings.clear()
        try:
            if self.owned:
                self._clear_up()
            whole = (path for path in self.path.glob("*/*.json*") if path.suffix != NEW)
            paths = {path.with_name(path.name.removesuffix(OLD)) for path in whole}
            found = (self._read(path) for path in sorted(paths))
            return dict(each for each in found if each is not None)
        except OSError as error:
            what = f'cannot read the state directory "{self.path}": {error.strerror}'
            raise StateStoreError(Finding("LB909", what, at="stateDir")) from error

    async def put(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        """Write (or with None delete) documents, all or nothing; the loop goes on meanwhile.

        Raises:
            StateStoreError: LB903, nothing was written; LB921, another process has the directory.
        """
        if not self.owned:
            raise StateStoreError(_foreign(self.path, Severity.ERROR))
        await asyncio.get_running_loop().run_in_executor(self._threads, self._put, documents)

    # Everything below runs in the store's own thread, one put at a time, or before the loop.

    def _put(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        try:
            self._complete()
            self._write(documents)
        except (OSError, ValueError) as error:
            self._metrics.state_write_errors_total.inc()
            why = error.strerror if isinstance(error, OSError) else str(error)
            what = f'cannot write to the state directory "{self.path}": {why}'
            effect = "serving goes on; a restart would not know what is in force now"
            finding = Finding("LB903", what, effect=effect, do="free space or repair the disk")
            raise StateStoreError(finding) from error

    def _write(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        targets = {key: self.path / file_name(key) for key in documents}
        written: list[Path] = []
        try:
            for key, document in documents.items():
                if document is not None:
                    self._disk.make_directory(targets[key].parent)
                    written.append(_with(targets[key], NEW))
                    self._disk.write(written[-1], sealed(key, document))
            if len(documents) > 1:
                steps = {str(targets[key].relative_to(self.path)): documents[key] is not None for key in documents}
                written.append(_with(self.path / BATCH, NEW))
                self._disk.write(written[-1], sealed(BATCH, steps))
                self._disk.rename(written[-1], self.path / BATCH)
                self._disk.sync_directory(self.path)
        except (OSError, ValueError):
            for path in written:
                path.unlink(missing_ok=True)
            raise
        self._replace({targets[key]: documents[key] is not None for key in documents})

    def _replace(self, steps: Mapping[Path, bool]) -> None:
        """Put new files in force (True) and delete (False); may be repeated after it was cut off."""
        for path, is_write in steps.items():
            new = _with(path, NEW)
            if not is_write:
                self._disk.remove(_with(path, OLD))
                self._disk.remove(path)
            elif new.exists():
                if path.exists():
                    self._disk.rename(path, _with(path, OLD))
                self._disk.rename(new, path)
        for folder in {path.parent for path in steps if path.parent.is_dir()}:
            self._disk.sync_directory(folder)
        self._disk.remove(self.path / BATCH)

    def _clear_up(self) -> None:
        """Finish or forget what an earlier process had begun."""
        self._complete()
        for stray in self.path.glob(f"*/*{NEW}"):
            self._disk.remove(stray)

    def _complete(self) -> None:
        """Finish a batch that was cut off after it counted."""
        batch = self.path / BATCH
        if not batch.exists():
            return
        try:
            _, steps = opened(batch.read_bytes())
        except ValueError:
            self._damaged(batch)
            self._disk.remove(batch)
            return
        self._replace({self.path / name: bool(is_write) for name, is_write in steps.items()})

    def _read(self, path: Path) -> tuple[str, Mapping[str, object]] | None:
        for generation in self._generations(path):
            try:
                key, document = opened(generation.read_bytes())
            except FileNotFoundError:  # The process that has the directory renamed it just now.
                continue
            except ValueError:
                self._damaged(generation)
                continue
            return key, document
        return None

    def _generations(self, path: Path) -> Iterator[Path]:
        yield from (each for each in (path, _with(path, OLD)) if each.exists())

    def _damaged(self, path: Path) -> None:
        self._metrics.recoveries_total.inc()
        _log.warning("damaged state document", path=str(path))
        what = f'damaged state document "{path}"'
        effect = "its earlier generation is used, if there is a good one"
        self._findings.append(Finding("LB908", what, effect=effect, severity=Severity.WARNING))


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _keep_private(path: Path) -> None:
    """Take a directory of ours from others; one that is not ours and open to them cannot be used."""
    found = path.stat()
    if stat.S_IMODE(found.st_mode) & ~DIRECTORY_MODE:
        path.chmod(DIRECTORY_MODE)


def _foreign(path: Path, severity: Severity) -> Finding:
    what = f'another process still has the state directory "{path}"'
    effect = "clients are served; drains and weights of operators are refused here until it ends"
    do = "ask the other one, or wait: it is taken over as soon as it is free"
    return Finding("LB921", what, at="stateDir", effect=effect, do=do, severity=severity)


def _locked(path: Path) -> int | None:
    """Return an open file that holds the lock, None when another has it; the system drops it when the process dies."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
