"""What Linux says of a process from outside."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process."""

    cpu: float
    """Seconds of processor time of all its threads, to the microsecond (schedstat, not the coarse ticks of stat)."""
    waited: float
    """Seconds its main thread could have run and did not get a core."""
    rss: int
    """Resident memory in bytes."""
    descriptors: int
    threads: int


def vitals(pid: int) -> Vitals:
    """Look at a process that runs."""
    home = Path(f"/proc/{pid}")
    ran, waited, threads = 0, 0, 0
    for task in (home / "task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # A thread that has just ended.
            fields = (task / "schedstat").read_text().split()
            ran += int(fields[0])
            waited += int(fields[1]) if task.name == str(pid) else 0
            threads += 1
    rss = int((home / "statm").read_text().split()[1]) * PAGE_BYTES
    return Vitals(ran / 1e9, waited / 1e9, rss, sum(1 for _ in (home / "fd").iterdir()), threads)
