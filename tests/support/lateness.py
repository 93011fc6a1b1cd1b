"""How late a control plane's event loop was, and how much of that was the machine's fault."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.support.control_plane import ControlPlane

LAG = "lbcontrol_event_loop_lag_seconds"
_PAGE_BYTES = 4096


def pid_of(plane: ControlPlane) -> int:
    """Process id of a control plane that runs."""
    assert plane.proc is not None
    return plane.proc.popen.pid


def rss(plane: ControlPlane) -> int:
    """Resident memory in bytes."""
    return int(Path(f"/proc/{pid_of(plane)}/statm").read_text().split()[1]) * _PAGE_BYTES


def lags(plane: ControlPlane) -> dict[str, float]:
    """How many measurements of the loop's lag lie above each bucket's bound."""
    metrics = plane.metrics()
    count, prefix = metrics[f"{LAG}_count"], f'{LAG}_bucket{{le="'
    return {name[len(prefix) : -2]: count - value for name, value in metrics.items() if name.startswith(prefix)}


def latest(before: dict[str, float], after: dict[str, float]) -> float:
    """Return the highest bound, in seconds, above which the loop was late between two looks at ``lags``."""
    return max((float(bound) for bound, times in after.items() if times > before[bound]), default=0.0)


def kept_waiting(plane: ControlPlane) -> float:
    """Seconds since its start for which threads of the process could have run and did not get a core."""
    waited = 0
    for each in Path(f"/proc/{pid_of(plane)}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # that thread has ended meanwhile
            waited += int(each.read_text().split()[1])
    return waited / 1e9
