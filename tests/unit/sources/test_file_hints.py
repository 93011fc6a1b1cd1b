"""The kernel's word about files: it comes for every kind of change, and makes looks come sooner, never wrong."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbcontrol.runtime.ports import Sink
from lbcontrol.sources.file import GAP, POLL, POLL_TOLD, SETTLE, SETTLE_GONE, SETTLE_TOLD, FileSource
from lbcontrol.sources.file_hints import Hints, directory_of
from tests.unit.sources.test_file import World, services


class Kernel:
    """Hints about one directory, counted."""

    def __init__(self, path: Path) -> None:
        """Watch it."""
        self.path = path
        self.told = asyncio.Event()
        self.hints = Hints(self.told.set)
        self.follow()

    def follow(self) -> None:
        """Watch what stands at the path now."""
        self.hints.follow(directory_of(str(self.path)))

    async def tells(self, change: Callable[[], object]) -> bool:
        """Return whether a change is told of."""
        await asyncio.sleep(0)
        self.told.clear()
        change()
        try:
            async with asyncio.timeout(1.0):
                await self.told.wait()
        except TimeoutError:
            return False
        return True


@pytest.fixture
async def kernel(tmp_path: Path) -> Iterator[Kernel]:  # type: ignore[misc]  # pytest-asyncio makes a generator of it
    """A directory that is watched."""
    (tmp_path / "a.yaml").write_text("x")
    made = Kernel(tmp_path)
    yield made
    made.hints.close()


CHANGES: dict[str, Callable[[Path], object]] = {
    "written in place": lambda root: (root / "a.yaml").write_text("y"),
    "new": lambda root: (root / "b.yaml").touch(),
    "deleted": lambda root: (root / "a.yaml").unlink(),
    "renamed over": lambda root: (root / "a.yaml").rename(root / "c.yaml"),
    "permission": lambda root: (root / "a.yaml").chmod(0o600),
    "link": lambda root: (root / "l.yaml").symlink_to("a.yaml"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_every_kind_of_change_is_told(kernel: Kernel, change: str) -> None:
    """Also of a single file, by the directory it is in."""
    assert await kernel.tells(lambda: CHANGES[change](kernel.path))


async def test_directory_that_comes_anew_is_watched_again(kernel: Kernel, tmp_path: Path) -> None:
    """Gone, it is said to be; the next look finds what stands there."""
    inner = tmp_path / "inner"
    inner.mkdir()
    within = Kernel(inner)
    assert await within.tells(lambda: shutil.rmtree(inner))
    inner.mkdir()
    within.follow()
    assert await within.tells((inner / "a.yaml").touch)
    within.hints.close()
    within.hints.close()


async def test_path_that_comes_later_is_awaited_in_its_parent(tmp_path: Path) -> None:
    """A directory that is not there yet, or a file."""
    waiting = Kernel(tmp_path / "later")
    assert await waiting.tells((tmp_path / "later").mkdir)
    waiting.hints.close()
    assert directory_of(str(tmp_path / "no" / "where")) is None


async def test_without_the_kernels_help_nothing_is_told_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No inotify, or no watch to be had: looks alone."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: object())
    without = Kernel(tmp_path)
    assert not without.hints.is_watching
    monkeypatch.undo()
    denied = Hints(lambda: None)
    denied.follow(None)
    denied.close()


class Told(World):
    """A source whose kernel says what the test lets it say."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Say nothing by itself."""
        monkeypatch.setattr(Hints, "follow", lambda _self, _place: None)
        super().__init__(root)

    def hint(self, *, whole: bool = True) -> None:
        """Tell that something happened, and whether whoever wrote is done."""
        assert isinstance(self.source, FileSource)
        self.source._hints.is_whole = whole
        self.source._hinted()

    def away(self) -> None:
        """Move the directory away."""
        self.root.rename(self.root.with_name("hidden"))

    async def begin(self) -> None:
        """Have one file in force."""
        self.write("a.yaml", services("a", "b"))
        await self.settle()
        self.sink.calls.clear()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Such a source."""
    return Told(tmp_path, monkeypatch)


async def test_change_of_one_file_that_was_told_is_taken_soon(told: Told) -> None:
    """It holds still for a moment only; from then on looks are rarer, until one finds what was not told."""
    await told.begin()
    assert await told.look() == POLL
    told.write("a.yaml", services("a", "b", weight=2))
    told.hint()
    assert await told.look() == SETTLE_TOLD
    assert await told.look() == POLL_TOLD
    assert told.sink.calls == ["update +a,+b"]
    assert await told.look() == POLL_TOLD
    told.write("a.yaml", services("a", "b", weight=3))
    assert await told.look() == SETTLE
    assert await told.look() == POLL
    told.write("a.yaml", services("a", "b", weight=4))
    told.hint()
    await told.settle()
    assert await told.look() == POLL_TOLD


async def test_writer_that_is_not_done_is_given_the_time_it_always_had(told: Told) -> None:
    """The kernel told of bytes, and not that the file was closed."""
    await told.begin()
    told.write("a.yaml", services("a", "b", weight=2))
    told.hint(whole=False)
    assert await told.look() == SETTLE


async def test_kernel_says_whether_a_writer_is_done(kernel: Kernel) -> None:
    """A file that is held open is not whole until it is closed; one that is renamed into place is."""
    with (kernel.path / "a.yaml").open("w") as file:
        file.write("half")
        assert await kernel.tells(file.flush)
        seen = [kernel.hints.is_whole]
    assert await kernel.tells(lambda: None)
    seen.append(kernel.hints.is_whole)
    (kernel.path / ".b").write_text("x")
    assert await kernel.tells(lambda: (kernel.path / ".b").rename(kernel.path / "b.yaml"))
    assert [*seen, kernel.hints.is_whole] == [False, True, True]


async def test_several_files_hold_still_as_long_as_ever(told: Told) -> None:
    """They may be half of what somebody copies."""
    await told.begin()
    told.write("c.yaml", services("c"))
    told.write("d.yaml", services("d"))
    told.hint()
    assert await told.look() == SETTLE


async def test_service_that_is_gone_may_be_on_its_way_to_another_file(told: Told) -> None:
    """So that it is not taken away before the rest has held still as long as without the kernel's word."""
    await told.begin()
    told.write("a.yaml", services("a"))
    told.hint()
    assert await told.look() == SETTLE_TOLD
    assert await told.look() == SETTLE
    assert told.sink.calls == []
    told.write("b.yaml", services("b"))
    told.hint()
    await told.settle(SETTLE_GONE)
    assert "-b" not in " ".join(told.sink.calls)
    assert set(told.sink.picture) == {"a", "b"}


async def test_word_ends_the_rest_and_not_the_settling(told: Told) -> None:
    """A look comes at once, and many words bring no more looks than one."""
    await told.begin()
    task = asyncio.create_task(told.source.run(told.sink))
    looks: list[float] = []
    original = told.source.poll_once

    async def counted(sink: Sink) -> float:
        looks.append(told.clock.now())
        return await original(sink)

    told.source.poll_once = counted  # type: ignore[method-assign]  # counts
    for _ in range(200):
        await asyncio.sleep(0.001)
    began = told.clock.now()
    told.clock.advance(POLL_TOLD)
    for _ in range(50):
        await asyncio.sleep(0.001)
    before = len(looks)
    for _ in range(5):
        told.hint()
    told.clock.advance(GAP + 0.1)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(looks) == before + 1
    assert looks[-1] - began < POLL_TOLD + 2 * POLL
    task.cancel()
    await asyncio.wait([task])


async def test_path_that_is_missing_is_looked_for_no_faster_than_told(told: Told) -> None:
    """One word brings one look; it is not taken for a new one each time."""
    await told.begin()
    told.away()
    told.hint()
    await told.look()
    assert isinstance(told.source, FileSource)
    assert told.source._words == told.source._known_words
    assert told.sink.calls == ["stale LB201"]
