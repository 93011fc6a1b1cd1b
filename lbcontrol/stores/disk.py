"""The few things a store does to a disk, so that a test can make each of them the last."""

from __future__ import annotations

import os
from pathlib import Path

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class Disk:
    """Durable file operations. Each is done, or not, when the process dies; all raise OSError."""

    def make_directory(self, path: Path) -> None:
        """Make a directory that only we can read, and note it in its parent."""
        if not path.is_dir():
            path.mkdir(mode=DIRECTORY_MODE, parents=True)
            self.sync_directory(path.parent)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that only we can read, down to the disk."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, path: Path, new: Path) -> None:
        """Put a file in the place of another, in one step."""
        path.replace(new)

    def remove(self, path: Path) -> None:
        """Delete a file if it is there."""
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        """Make renames and deletions in a directory survive a power failure."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
