"""One process follows another on a state directory, also when the disk does not play along at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lbcontrol.app.takeover import LOOK_SECONDS, TakeOver
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event, OverrideSet
from lbcontrol.model.assignment import Decision
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.persistence import Persistence
from lbcontrol.stores.disk import Disk
from lbcontrol.stores.file import FileStore
from tests.support.builders import drain, set_weight


class FullDisk(Disk):
    """Writes nothing while it is full."""

    is_full = False

    def write(self, path: Path, content: bytes) -> None:
        """Write, if there is room."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().write(path, content)


class Side:
    """One of the two processes, as far as its state goes."""

    def __init__(self, path: Path) -> None:
        """Open the directory, patiently, and restore."""
        self.clock, self.disk, self.engine = FakeClock(), FullDisk(), Engine(epoch=1)
        metrics = Metrics()
        self.store = FileStore(path, metrics=metrics, disk=self.disk, patient=True)
        self.persistence = Persistence(self.store, self.clock, metrics=metrics)
        self.epoch = self.persistence.restore().epoch

    async def submit(self, event: Event) -> tuple[Decision, ...]:
        """Record, then apply, as the hub does."""
        await self.persistence.record(event)  # type: ignore[arg-type]  # overrides only
        return tuple(self.engine.apply(event, now=0.0, wall=self.clock.wall()))

    async def follow(self) -> None:
        """Take the directory over."""
        taking = TakeOver(self.store, self.persistence, engine=self.engine, hub=self)
        task = asyncio.create_task(taking.run(self.epoch, self.clock))
        while not task.done():
            await asyncio.sleep(0.001)
            self.clock.advance(LOOK_SECONDS)
        await task


async def test_it_waits_for_a_disk_that_is_full_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Serving goes on meanwhile; then what was said to the other holds, and what it took back does not."""
    old, new = Side(tmp_path / "state"), Side(tmp_path / "state")
    owned = [new.store.owned]
    for override in (drain(1), set_weight(2, 7)):
        await old.submit(OverrideSet(override))
    taking = asyncio.create_task(new.follow())
    await asyncio.sleep(0.01)
    owned.append(new.store.owned)
    new.disk.is_full = True
    old.store.close()
    for _ in range(50):
        await asyncio.sleep(0.002)
    owned.append(new.store.owned)
    assert not taking.done()
    assert new.engine.overrides() == ()
    new.disk.is_full = False
    await asyncio.wait_for(taking, 3.0)
    assert {each.key for each in new.engine.overrides()} == {drain(1).key, set_weight(2, 7).key}
    assert owned == [False, False, True]
    assert capsys.readouterr().out.count("not taken over yet") == 1
    new.store.close()
