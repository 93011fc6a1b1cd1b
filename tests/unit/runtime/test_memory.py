"""Close to its memory limit the process takes nothing more, and again once there is room."""

from __future__ import annotations

from pathlib import Path

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.memory import MemoryGuard, group_limit, resident


def test_nothing_is_taken_between_85_and_80_per_cent() -> None:
    """Above 85 % it is short; on the way down until 80 %, so that it does not flutter."""
    clock, used = FakeClock(), [80]
    guard = MemoryGuard(100, clock, used=lambda: used[0])
    guard.start()
    seen = []
    for now in (85, 86, 84, 81, 80, 84):
        used[0] = now
        clock.advance(1.0)
        seen.append(guard.is_short)
    assert seen == [False, True, True, True, False, False]
    guard.stop()
    used[0] = 99
    clock.advance(5.0)
    assert not guard.is_short


def test_without_a_limit_nobody_looks() -> None:
    """No timer runs, and stopping it is harmless."""
    guard = MemoryGuard(None, FakeClock(), used=lambda: 1 << 60)
    guard.start()
    guard.stop()
    assert not guard.is_short


def test_limit_of_the_control_group_is_found(tmp_path: Path) -> None:
    """Either version's file counts; "max", a huge number and no file mean no limit."""
    new, old, none = tmp_path / "memory.max", tmp_path / "limit_in_bytes", tmp_path / "missing"
    new.write_text("max\n")
    old.write_text("536870912\n")
    assert group_limit((none, new, old)) == 536_870_912
    old.write_text(str(2**63 - 4_096))
    assert group_limit((none, new, old)) is None


def test_resident_memory_is_that_of_a_process() -> None:
    """Bytes, not pages."""
    assert 10 << 20 < resident() < 10 << 30
