"""Looking at files: what is there, whether it changed, and its bytes if they hold still. Blocking; runs in a thread."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import NamedTuple

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.sources.documents.refusals import REFUSED_EFFECT
from lbcontrol.sources.documents.tree import MAX_BYTES

SUFFIXES = (".yaml", ".yml")
"""Files of a directory that are read; names that begin with a dot are not."""
MAX_FILES = 10_000
"""Most files of one directory."""
KEPT_EFFECT = "what was read before stays in force"
"""Effect of a place that cannot be read."""

Signature = tuple[int, ...]
"""Differs whenever the content may have changed: also after a rename over it or a swapped symlink on the way."""


class SeenFile(NamedTuple):
    """One file as it looked from outside. A tuple, because ten thousand of them are compared with each look."""

    path: str
    """As people know it: the configured path, and the name in it."""
    signature: Signature
    problem: Finding | None = None
    """Why it is not read."""

    @property
    def changed_at(self) -> float:
        """When its content or its name changed last, in Unix seconds of the file system; for one without a problem."""
        return self.signature[-1] / 1e9


@dataclass(frozen=True, slots=True)
class Listing:
    """What stands at a path."""

    files: tuple[SeenFile, ...] = ()
    """Sorted by path."""
    missing: Finding | None = None
    """Why nothing can be said about what stands there; then ``files`` is empty and means nothing."""


class MovedError(Exception):
    """The file changed while it was read: look again."""


def look(path: str) -> Listing:
    """Return what stands at ``path``, a file or a directory, following symlinks."""
    try:
        status = os.stat(path)  # noqa: PTH116  (os.stat costs a third of Path.stat, and runs per file with each look)
        if not stat.S_ISDIR(status.st_mode):
            found = _seen(path)
            return Listing(missing=found.problem) if found.problem else Listing((found,))
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if _is_read(entry.name))
    except OSError as error:
        what = f"cannot read {path}: {error.strerror}"
        do = "create it, or correct the path" if error.errno == errno.ENOENT else "let lbcontrol read it"
        return Listing(missing=Finding("LB201", what, path, effect=KEPT_EFFECT, do=do))
    if len(names) > MAX_FILES:
        what, why = f"{len(names)} files in {path}", f"the limit is {MAX_FILES}"
        return Listing(missing=Finding("LB125", what, path, why, KEPT_EFFECT, "put several services into one file"))
    base = path.rstrip("/") or path
    return Listing(tuple(_seen(f"{base}/{name}") for name in names))


def _is_read(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _seen(path: str) -> SeenFile:
    try:
        status = os.stat(path)  # noqa: PTH116  (as above)
    except OSError as error:
        return SeenFile(path, (error.errno or 0,), _unreadable(path, error))
    if stat.S_ISREG(status.st_mode):
        return SeenFile(path, _signature(status))
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    what = f"{path} is {kind} and is not read"
    problem = Finding("LB203", what, path, effect=KEPT_EFFECT, do="move it away", severity=Severity.WARNING)
    return SeenFile(path, (status.st_mode,), problem)


def _signature(status: os.stat_result) -> Signature:
    times = (status.st_mtime_ns, status.st_ctime_ns)  # The second also tells a changed permission.
    return (status.st_mode, status.st_dev, status.st_ino, status.st_size, *times)


def _unreadable(path: str, error: OSError) -> Finding:
    words = {errno.ELOOP: "its symlinks lead in a circle", errno.ENOENT: "its symlink leads nowhere"}
    why = words.get(error.errno or 0, error.strerror or "")
    return Finding("LB202", f"{path} cannot be read", path, why, REFUSED_EFFECT, "let lbcontrol read it")


def read_seen(file: SeenFile) -> bytes:
    """Return the bytes of a file that is still as it was seen, at most one more than the limit.

    Raises:
        MovedError: it changed meanwhile; nothing is known.
        ConfigError: it cannot be read (LB202).
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            before = _signature(os.fstat(descriptor))
            content = stream.read(MAX_BYTES + 1) if before == file.signature else b""
            after = _signature(os.fstat(descriptor))
    except FileNotFoundError as error:
        raise MovedError from error
    except OSError as error:
        raise ConfigError(_unreadable(file.path, error)) from error
    if not before == after == file.signature:
        raise MovedError
    return content
