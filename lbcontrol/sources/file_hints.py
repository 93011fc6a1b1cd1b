"""The kernel's word that something happened at a path (inotify): a reason to look now, and nothing more.

What is true is found out by looking. On file systems that tell nothing (NFS, FUSE, mounts of a host) no word ever
comes, and looking now and then is all there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
WHAT = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
"""Whatever may change how a directory's files look (inotify(7))."""
WHOLE = CLOSE_WRITE | MOVED_TO
"""Whoever wrote is done."""
IGNORED = 0x8000
"""The watch is over."""
READ_BYTES = 65_536
_EVENT = struct.Struct("iIII")
"""Watch, what happened, cookie, length of the name that follows."""


class Place(NamedTuple):
    """A directory."""

    path: str
    identity: tuple[int, int]
    """Device and inode."""


class Hints:
    """Watches one directory. Without inotify there are no hints, and no error."""

    def __init__(self, hinted: Callable[[], None]) -> None:
        """Call ``hinted`` on the running loop whenever something may have changed."""
        self._hinted = hinted
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1
        self._watched: tuple[int, int] | None = None
        self.is_whole = False
        """Whether the last that was written was closed, or moved here, and nothing was written since."""

    @property
    def is_watching(self) -> bool:
        """Whether the kernel was asked."""
        return self._watched is not None

    def follow(self, place: Place | None) -> None:
        """Watch a directory; cheap when it is watched already. Call it with what each look found (``directory_of``)."""
        if place is None or place.identity == self._watched:
            return
        self.close()
        with contextlib.suppress(OSError, AttributeError):  # A system without it, or out of watches.
            libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, os.fsencode(place.path), WHAT) < 0:
                self.close()
                return
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._descriptor, self._read)
            self._watched = place.identity

    def close(self) -> None:
        """End it."""
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._watched = -1, None

    def _read(self) -> None:
        told = b""
        with contextlib.suppress(OSError):
            told = os.read(self._descriptor, READ_BYTES)
        for mask in _masks(told):
            if mask & IGNORED:  # The directory is gone; another may be in its place.
                self.close()
            if mask & (MODIFY | WHOLE):
                self.is_whole = bool(mask & WHOLE)
        self._hinted()


def _masks(told: bytes) -> Iterator[int]:
    """Return what happened, event by event; names do not matter."""
    at = 0
    while at + _EVENT.size <= len(told):
        _, mask, _, length = _EVENT.unpack_from(told, at)
        at += _EVENT.size + length
        yield mask


def directory_of(path: str) -> Place | None:
    """Return the directory that a path is, or is in; None when there is none. Blocking."""
    for place in (path, str(Path(path).parent)):
        with contextlib.suppress(OSError):
            status = os.stat(place)  # noqa: PTH116  (with each look, as in file_scan)
            if stat.S_ISDIR(status.st_mode):
                return Place(place, (status.st_dev, status.st_ino))
    return None
