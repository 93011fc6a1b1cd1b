"""The file store keeps what it acknowledged, notices damage, and is alone in its directory."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbcontrol.model.errors import StateStoreError
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import StateStore
from lbcontrol.stores.disk import Disk
from lbcontrol.stores.envelope import file_name, opened, sealed
from lbcontrol.stores.file import FileStore
from lbcontrol.stores.memory import MemoryStore

Documents = dict[str, dict[str, object] | None]


class KilledError(BaseException):
    """Stands for the end of the process: nothing may clean up after it."""


class MortalDisk(Disk):
    """Dies at the n-th operation, before it or half-way through it, or fails as a full disk does."""

    def __init__(self, operations: int, error: type[BaseException] = KilledError) -> None:
        self.left = operations
        self.error = error

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error(28, "No space left on device")

    def write(self, path: Path, content: bytes) -> None:
        """Write half of it and die, or all."""
        try:
            self._count()
        except BaseException:
            path.write_bytes(content[: len(content) // 2])
            raise
        super().write(path, content)

    def rename(self, path: Path, new: Path) -> None:
        """Rename or die."""
        self._count()
        super().rename(path, new)

    def remove(self, path: Path) -> None:
        """Remove or die."""
        self._count()
        super().remove(path)

    def sync_directory(self, path: Path) -> None:
        """Do nothing durable, or die."""
        self._count()


class Directories:
    """Makes stores and closes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = Metrics()
        self.open: list[FileStore] = []

    def store(self, disk: Disk | None = None) -> FileStore:
        """Open the directory, after whoever had it."""
        self.close()
        self.open.append(FileStore(self.path, metrics=self.metrics, disk=disk))
        return self.open[-1]

    def close(self) -> None:
        """Close the store as the system does when a process dies."""
        for store in self.open:
            store.close()

    def recoveries(self) -> float | None:
        """Return how many damaged documents were counted."""
        return self.metrics.registry.get_sample_value("lbcontrol_recoveries_total")


@pytest.fixture
def directories(tmp_path: Path) -> Iterator[Directories]:
    """A state directory that does not exist yet."""
    made = Directories(tmp_path / "var" / "state")
    yield made
    made.close()


async def test_documents_survive_a_restart(directories: Directories) -> None:
    """Names of any length and script, several documents at once, deletions."""
    names = ["a", "A", "../../etc/passwd", "ü" * 256, "a/b c"]
    store: StateStore = directories.store()
    await store.put({f"decision/{name}": {"name": name, "n": [1, 2.5, None, True]} for name in names})
    await store.put({"override/x": {"weight": 1}})
    await store.put({"override/x": {"weight": 2}, "decision/A": None, "decision/never": None})
    expected: dict[str, object] = {f"decision/{n}": {"name": n, "n": [1, 2.5, None, True]} for n in names if n != "A"}
    expected["override/x"] = {"weight": 2}
    assert dict(directories.store().load()) == expected
    assert {path.parent.parent for path in directories.path.rglob("*.json")} == {directories.path}


async def test_kinds_may_share_a_name(directories: Directories) -> None:
    """Two documents of one name are two documents, each with its generations."""
    store = directories.store()
    for number in (1, 2):
        await store.put({"decision/a": {"n": number}, "registrations/a": {"n": -number}})
    assert dict(directories.store().load()) == {"decision/a": {"n": 2}, "registrations/a": {"n": -2}}


async def test_only_we_can_read_it(directories: Directories) -> None:
    """Directories 0700 and files 0600, also where the directory was there before with wider rights."""
    directories.path.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        await directories.store().put({"a/1": {}, "b/1": {}})
    finally:
        os.umask(before)
    for path in (directories.path, *directories.path.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_second_process_is_kept_out(directories: Directories) -> None:
    """Two writers would undo each other; the error says what to do."""
    directories.store()
    with pytest.raises(StateStoreError, match="LB901") as caught:
        FileStore(directories.path, metrics=Metrics())
    assert "stateDir" in str(caught.value)
    directories.store()


async def test_a_patient_second_process_reads_until_it_can_take_the_directory(directories: Directories) -> None:
    """It changes nothing there, says so, and afterwards writes like any other."""
    owner = directories.store()
    await owner.put({"override/a": {"v": 1}})
    stray = directories.path / "override" / "b.json.new"
    stray.write_bytes(b"half")
    follower = FileStore(directories.path, metrics=Metrics(), patient=True)
    assert follower.load() == {"override/a": {"v": 1}}
    with pytest.raises(StateStoreError, match="LB921"):
        await follower.put({"override/a": None})
    assert not follower.take()
    assert (stray.exists(), [each.code for each in follower.findings()]) == (True, ["LB921"])
    await owner.put({"override/a": {"v": 2}})
    owner.close()
    assert follower.take()
    assert (follower.load(), follower.findings()) == ({"override/a": {"v": 2}}, [])
    await follower.put({"override/c": {"v": 3}})
    assert not stray.exists()
    follower.close()


@pytest.mark.parametrize("operation", range(1, 30))
async def test_killed_anywhere_it_is_before_or_after(directories: Directories, operation: int) -> None:
    """Whichever disk operation is the last one, all documents of the put are there, or none."""
    before: Documents = {"decision/a": {"v": 1}, "decision/b": {"v": 1}, "override/c": {"v": 1}}
    change: Documents = {"decision/a": {"v": 2}, "decision/b": {"v": 2}, "override/c": None, "decision/d": {"v": 2}}
    after: Documents = {"decision/a": {"v": 2}, "decision/b": {"v": 2}, "decision/d": {"v": 2}}
    await directories.store().put(before)
    store = directories.store(MortalDisk(operation))
    acknowledged = True
    try:
        store._put(change)
    except KilledError:
        acknowledged = False
    found = dict(directories.store().load())
    assert found in ([after] if acknowledged else [before, after])
    assert directories.recoveries() == 0
    await directories.store().put({"decision/a": {"v": 3}})
    assert directories.store().load()["decision/a"] == {"v": 3}


@pytest.mark.parametrize("operation", range(1, 4))
async def test_full_disk_is_told_and_changes_nothing(directories: Directories, operation: int) -> None:
    """The operator hears LB903, it is counted, and what was there stays; with space it works again."""
    await directories.store().put({"a/1": {"v": 1}})
    store = directories.store(MortalDisk(operation, OSError))
    with pytest.raises(StateStoreError, match=r"LB903.*No space left"):
        await store.put({"a/1": {"v": 2}, "a/2": {"v": 2}})
    assert directories.metrics.registry.get_sample_value("lbcontrol_state_write_errors_total") == 1
    assert dict(directories.store().load()) == {"a/1": {"v": 1}}
    assert not list(directories.path.rglob("*.new"))


async def test_put_that_failed_late_is_completed_by_the_next(directories: Directories) -> None:
    """A disk that failed after the batch counted leaves nothing half done."""
    await directories.store().put({"a/1": {"v": 1}, "a/2": {"v": 1}})
    disk = MortalDisk(7, OSError)
    store = directories.store(disk)
    with pytest.raises(StateStoreError):
        await store.put({"a/1": {"v": 2}, "a/2": {"v": 2}})
    assert (directories.path / "batch.json").exists()
    await store.put({"a/3": {"v": 3}})
    assert dict(directories.store().load()) == {"a/1": {"v": 2}, "a/2": {"v": 2}, "a/3": {"v": 3}}


async def test_every_flipped_bit_is_noticed(directories: Directories) -> None:
    """A damaged document is replaced by its earlier generation, counted and shown."""
    store = directories.store()
    await store.put({"a/x": {"v": "first"}})
    await store.put({"a/x": {"v": "second"}})
    path = directories.path / file_name("a/x")
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ (1 << place % 8)]) + good[place + 1 :])
        assert directories.store().load() == {"a/x": {"v": "first"}}
    assert directories.recoveries() == len(good)
    assert [finding.code for finding in directories.open[-1].findings()] == ["LB908"]
    path.write_bytes(good[:30])
    path.with_name(path.name + ".1").write_bytes(b"\xff")
    assert directories.store().load() == {}
    path.unlink()
    path.with_name(path.name + ".1").write_bytes(good)
    assert directories.store().load() == {"a/x": {"v": "second"}}


async def test_damaged_batch_is_dropped(directories: Directories) -> None:
    """A batch that cannot be read never was acknowledged."""
    await directories.store().put({"a/1": {"v": 1}})
    (directories.path / "batch.json").write_bytes(b"{")
    (directories.path / "a" / "stray.json.new").write_bytes(b"{")
    assert directories.store().load() == {"a/1": {"v": 1}}
    assert directories.recoveries() == 1
    assert sorted(path.name for path in directories.path.rglob("*.json*")) == [Path(file_name("a/1")).name]


def test_unusable_directory_is_refused(tmp_path: Path) -> None:
    """A file in its place is a clear error at start."""
    (tmp_path / "state").write_text("")
    with pytest.raises(StateStoreError, match="LB909"):
        FileStore(tmp_path / "state", metrics=Metrics())


def test_unreadable_directory_is_refused(directories: Directories) -> None:
    """A disk that cannot be read ends the start, because it would look like an empty one."""
    directories.store()
    store = directories.store(MortalDisk(1, OSError))
    (directories.path / "batch.json").write_bytes(b"{")
    with pytest.raises(StateStoreError, match="LB909"):
        store.load()


async def test_loop_goes_on_while_the_disk_is_slow(directories: Directories) -> None:
    """A put waits in its own thread; puts keep their order."""
    turns: list[int] = []

    class SlowDisk(Disk):
        def write(self, path: Path, content: bytes) -> None:
            """Wait until the loop has turned."""
            asyncio.run_coroutine_threadsafe(_turn(turns), loop).result(2)
            super().write(path, content)

    loop = asyncio.get_running_loop()
    store = directories.store(SlowDisk())
    first, second = store.put({"a/1": {"v": 1}}), store.put({"a/1": {"v": 2}})
    await asyncio.gather(asyncio.create_task(first), asyncio.create_task(second))
    assert turns == [1, 1]
    assert store.load() == {"a/1": {"v": 2}}


async def test_what_json_cannot_say_is_refused(directories: Directories) -> None:
    """Not a number, and objects: an error of ours, and nothing written."""
    store = directories.store()
    for value in (float("nan"), object()):
        with pytest.raises(StateStoreError, match="LB903"):
            await store.put({"a/1": {"v": value}})
    assert store.load() == {}


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b'{"key":1}', sealed("k/n", {}).replace(b'"format":1', b'"format":2')]
)
def test_strange_content_is_no_document(content: bytes) -> None:
    """Whatever stands in a file, only our own error comes out."""
    with pytest.raises(ValueError, match=r"document|differs"):
        opened(content)


async def test_memory_store_says_that_it_forgets() -> None:
    """It keeps, deletes and is not durable."""
    store: StateStore = MemoryStore()
    await store.put({"a/1": {"v": 1}, "a/2": {"v": 2}})
    await store.put({"a/1": None, "a/3": None})
    assert (store.load(), store.durable) == ({"a/2": {"v": 2}}, False)


async def _turn(turns: list[int]) -> None:
    turns.append(1)
