"""The file source: what it takes for a change, what it never does, and what it says of bad files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources import file_scan
from lbcontrol.sources.file import ALIVE, PATIENCE, POLL, SETTLE, SETTLE_GONE, FileOptions, FileSource, build
from lbcontrol.sources.file_hints import Hints
from tests.support.sinks import RecordingSink


def services(*names: str, weight: int = 1) -> str:
    """Return a file with these services, each with one endpoint."""
    endpoint = f"{{address: '127.0.0.1:80', weight: {weight}}}"
    return "services:\n" + "".join(f"- {{name: {name}, endpoints: [{endpoint}]}}\n" for name in names)


BAD = "services: [{name: a, endpoints: 7}]\n"


class World:
    """A directory, a source on it, and what the source said."""

    def __init__(self, root: Path, path: str | None = None) -> None:
        """Make the source; nothing is read yet."""
        self.root = root
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.sink = RecordingSink()
        self.source = build("local", FileOptions(path=path or str(root)), scheduler=self.clock, metrics=self.metrics)

    def write(self, name: str, text: str) -> None:
        """Write a file in place."""
        (self.root / name).write_text(text)

    def replace(self, name: str, text: str) -> None:
        """Write a file beside and rename it over the old one."""
        (self.root / f".{name}.new").write_text(text)
        (self.root / f".{name}.new").rename(self.root / name)

    async def look(self) -> float:
        """Take one look, and let the time pass that the source asks for."""
        rest = await self.source.poll_once(self.sink)
        self.clock.advance(rest)
        return rest

    async def settle(self, seconds: float = SETTLE_GONE) -> None:
        """Look until anything that holds still must have been taken."""
        end = self.clock.now() + seconds
        while self.clock.now() <= end + SETTLE:
            await self.look()

    def codes(self) -> list[str]:
        """Return the codes of all findings."""
        return [finding.code for finding in self.source.findings()]

    def valid(self, name: str) -> float | None:
        """Return the metric of a file."""
        return self.metrics.registry.get_sample_value("lbcontrol_config_valid", {"file": f"{self.root}/{name}"})


@pytest.fixture(autouse=True)
def _unhinted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel say nothing: what it adds is tried in test_file_hints.py."""
    monkeypatch.setattr(Hints, "follow", lambda _self, _place: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A source on an empty directory."""
    return World(tmp_path)


async def test_start_hands_over_everything_at_once_then_syncs(world: World) -> None:
    """One update with all services of all files, then complete; hidden and other files are not read."""
    world.write("a.yaml", services("a"))
    world.write("b.yml", services("b"))
    world.write(".c.yaml", BAD)
    world.write("d.yaml~", BAD)
    assert await world.look() == SETTLE
    assert world.sink.calls == []
    await world.look()
    assert world.sink.calls == ["update +a,+b", "synced True"]
    assert [each.origin for each in world.sink.picture["a"].endpoints] == ["a.yaml:2"]
    assert world.sink.picture["a"].source == "local"
    assert (world.valid("a.yaml"), world.codes()) == (1.0, [])


async def test_empty_directory_syncs_without_services(world: World) -> None:
    """Nothing there is a full picture too."""
    await world.settle()
    assert world.sink.calls == ["synced True"]


async def test_quiet_files_are_left_alone(world: World) -> None:
    """Without a change nothing is said or read again, and the source rests between looks."""
    world.write("a.yaml", services("a"))
    await world.settle()
    before = list(world.sink.calls)
    assert await world.look() >= POLL
    await world.settle()
    assert world.sink.calls == before


async def test_rewrite_in_place_is_taken_when_it_holds_still(world: World) -> None:
    """The first look at a change is not believed: the file may be half-written, and half may be right."""
    world.write("a.yaml", services("a", "b"))
    await world.settle()
    world.write("a.yaml", services("a"))
    await world.look()
    assert set(world.sink.picture) == {"a", "b"}
    world.write("a.yaml", services("a", "b", weight=5))
    await world.look()
    assert world.sink.weights("b") == {"127.0.0.1:80": 1}
    await world.look()
    assert world.sink.weights("b") == {"127.0.0.1:80": 5}
    assert world.sink.calls[-1] == "update +a,+b"


@pytest.mark.parametrize("nothing", ["", "# services: []\n", "---\n"])
async def test_emptied_file_takes_nothing_away(world: World, nothing: str) -> None:
    """A file cut to nothing is an accident until somebody writes that there are no services."""
    world.write("a.yaml", services("a"))
    await world.settle()
    world.write("a.yaml", nothing)
    await world.settle()
    assert (set(world.sink.picture), world.valid("a.yaml"), world.codes()) == ({"a"}, 0.0, ["LB113"])
    world.write("a.yaml", "services: []")
    await world.settle()
    assert (set(world.sink.picture), world.valid("a.yaml"), world.codes()) == (set(), 1.0, [])


async def test_new_empty_file_is_only_mentioned(world: World) -> None:
    """What never said anything takes nothing away, whatever else changes beside it."""
    world.write("a.yaml", "")
    world.write("b.yaml", services("b"))
    await world.settle()
    assert (world.valid("a.yaml"), world.codes(), world.sink.calls[-1]) == (1.0, ["LB113"], "synced True")


async def test_half_written_file_is_not_taken_for_a_bad_one(world: World) -> None:
    """A file that does not parse yet is no finding."""
    world.write("a.yaml", services("a"))
    await world.settle()
    world.write("a.yaml", "services: [")
    await world.look()
    world.write("a.yaml", services("a", weight=2))
    await world.settle()
    assert world.codes() == []
    assert world.sink.weights("a") == {"127.0.0.1:80": 2}


async def test_atomic_rename_is_taken(world: World) -> None:
    """A rename over the file is a change, even to the same size and time."""
    world.write("a.yaml", services("a", weight=2))
    await world.settle()
    os.utime(world.root / "a.yaml", (1_000, 1_000))
    await world.settle()
    (world.root / "x").write_text(services("a", weight=3))
    os.utime(world.root / "x", (1_000, 1_000))
    (world.root / "x").rename(world.root / "a.yaml")
    await world.settle()
    assert world.sink.weights("a") == {"127.0.0.1:80": 3}


async def test_touched_file_changes_nothing(world: World) -> None:
    """New times without new content are not an update."""
    world.write("a.yaml", services("a"))
    await world.settle()
    os.utime(world.root / "a.yaml", (1_000, 1_000))
    await world.settle()
    assert world.sink.calls == ["update +a", "synced True"]


async def test_editor_that_moves_the_old_file_away_removes_nothing(world: World) -> None:
    """Some editors rename the old file before they write the new one: between the two nothing is gone."""
    world.write("a.yaml", services("a"))
    await world.settle()
    (world.root / "a.yaml").rename(world.root / "a.yaml~")
    await world.settle(SETTLE_GONE / 2)
    world.write("a.yaml", services("a", weight=2))
    await world.settle()
    assert world.sink.calls == ["update +a", "synced True", "update +a"]


async def test_deleted_file_removes_its_services(world: World) -> None:
    """A file that stays away takes its services along, and its metric."""
    world.write("a.yaml", services("a"))
    world.write("b.yaml", services("b"))
    await world.settle()
    (world.root / "a.yaml").unlink()
    await world.settle()
    assert world.sink.calls[-1] == "update -a"
    assert (world.valid("a.yaml"), world.valid("b.yaml")) == (None, 1.0)


async def test_swap_of_a_config_map_is_one_change(world: World) -> None:
    """The kubelet swaps the symlink ..data: a service that moves from one file to another is never gone."""
    for number, (first, second) in enumerate(
        [(services("a", "b"), services("c")), (services("a"), services("c", "b"))]
    ):
        (world.root / f"..{number}").mkdir()
        (world.root / f"..{number}" / "1.yaml").write_text(first)
        (world.root / f"..{number}" / "2.yaml").write_text(second)
    (world.root / "..data").symlink_to("..0")
    for name in ("1.yaml", "2.yaml"):
        (world.root / name).symlink_to(f"..data/{name}")
    await world.settle()
    (world.root / "..new").symlink_to("..1")
    (world.root / "..new").rename(world.root / "..data")
    await world.settle()
    assert world.sink.calls == ["update +a,+b,+c", "synced True", "update +a,+b,+c"]
    assert world.sink.picture["b"].origin == "2.yaml:3"


async def test_change_during_the_reading_is_looked_at_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts only if the files still look as before when it is done."""
    world.write("a.yaml", services("a"))
    read = file_scan.read_seen

    def slow(seen: file_scan.SeenFile) -> bytes:
        content = read(seen)
        world.replace("a.yaml", services("a", weight=9))
        monkeypatch.undo()
        return content

    monkeypatch.setattr("lbcontrol.sources.file_state.read_seen", slow)
    await world.look()
    assert await world.look() == SETTLE
    assert world.sink.calls == []
    await world.settle()
    assert world.sink.weights("a") == {"127.0.0.1:80": 9}


async def test_restless_files_are_read_in_the_end(world: World) -> None:
    """Somebody who writes all the time cannot keep the others from being read."""
    world.write("b.yaml", services("b"))
    for number in range(int(PATIENCE / SETTLE) + 1):
        assert world.sink.calls == []
        world.replace("a.yaml", services("a", weight=number + 1))
        await world.look()
    await world.look()
    assert world.sink.calls == ["update +a,+b", "synced True"]


async def test_bad_file_never_replaces_a_good_one(world: World) -> None:
    """What the file said stays in force, the finding tells why, the metric shows it, and others go on."""
    world.write("a.yaml", services("a", weight=2))
    world.write("b.yaml", services("b"))
    await world.settle()
    world.write("a.yaml", BAD)
    world.write("b.yaml", services("b", weight=3))
    await world.settle()
    assert (world.sink.weights("a"), world.sink.weights("b")) == ({"127.0.0.1:80": 2}, {"127.0.0.1:80": 3})
    assert (world.codes(), world.valid("a.yaml"), world.valid("b.yaml")) == (["LB106"], 0.0, 1.0)
    assert world.source.findings()[0].at == f"{world.root}/a.yaml:1, a.endpoints"
    assert world.sink.completeness is True
    world.write("a.yaml", services("a", weight=4))
    await world.settle()
    assert (world.codes(), world.valid("a.yaml"), world.sink.weights("a")) == ([], 1.0, {"127.0.0.1:80": 4})


async def test_bad_file_at_the_start_leaves_the_picture_incomplete(world: World) -> None:
    """Others are served; names the bad file may hold are not unknown until it is repaired."""
    world.write("a.yaml", BAD)
    world.write("b.yaml", services("b"))
    await world.settle()
    assert world.sink.calls == ["update +b", "synced False"]
    world.write("a.yaml", services("a"))
    await world.settle()
    assert world.sink.calls[2:] == ["update +a", "synced True"]


async def test_conflict_of_two_files_is_a_bad_file(world: World) -> None:
    """A name in two files: the file that came second is refused, until the first lets go."""
    world.write("b.yaml", services("x"))
    await world.settle()
    world.write("a.yaml", services("x", "y"))
    await world.settle()
    assert (world.codes(), world.valid("a.yaml"), set(world.sink.picture)) == (["LB121"], 0.0, {"x"})
    world.write("b.yaml", services("z"))
    await world.settle()
    assert (world.codes(), world.valid("a.yaml"), set(world.sink.picture)) == ([], 1.0, {"x", "y", "z"})


async def test_missing_path_does_not_sync_until_it_appears(tmp_path: Path) -> None:
    """Nothing is known of names while the path is not there; the loss is told once."""
    world = World(tmp_path, str(tmp_path / "later"))
    await world.settle()
    assert world.sink.calls == ["stale LB201"]
    (finding,) = world.source.findings()
    assert (finding.at, finding.do) == (f"{tmp_path}/later", "create it, or correct the path")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.yaml").write_text(services("a"))
    await world.settle()
    assert (world.sink.calls[1:], world.codes()) == (["update +a", "synced True"], [])
    assert world.sink.stale_since is None


@pytest.mark.parametrize("single", [True, False])
async def test_vanished_path_is_stale_and_keeps_the_picture(tmp_path: Path, *, single: bool) -> None:
    """Losing the configured file or directory is losing the registry, not losing backends."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.yaml").write_text(services("a"))
    world = World(tmp_path, str(tmp_path / "d" / "a.yaml" if single else tmp_path / "d"))
    await world.settle()
    (tmp_path / "d").rename(tmp_path / "gone")
    await world.settle()
    assert world.sink.calls == ["update +a", "synced True", "stale LB201"]
    assert set(world.sink.picture) == {"a"}
    (tmp_path / "gone").rename(tmp_path / "d")
    await world.settle()
    assert (world.sink.calls[3:], world.sink.stale_since) == ([], None)


async def test_single_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    """A path to a file needs no suffix."""
    (tmp_path / "services.conf").write_text(services("a"))
    world = World(tmp_path, str(tmp_path / "services.conf"))
    await world.settle()
    assert world.sink.picture["a"].origin == "services.conf:2"


async def test_source_that_runs_anew_hands_over_everything_again(world: World) -> None:
    """A supervisor may start the source a second time, with another sink."""
    world.write("a.yaml", services("a"))
    await world.settle()
    again = RecordingSink()
    task = asyncio.create_task(world.source.run(again))
    await again.has_synced.wait()
    task.cancel()
    await asyncio.wait([task])
    assert again.calls == ["update +a", "synced True"]


async def test_life_is_signed_now_and_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While files do not change, the hub still hears that they can be read."""
    signs = []
    monkeypatch.setattr(world.sink, "alive", lambda: signs.append(world.clock.now()))
    await world.settle(3.5 * ALIVE)
    assert len(signs) == 4


async def test_runs_by_itself_on_the_clock(world: World) -> None:
    """``run`` looks again whenever the time it asked for has passed."""
    world.write("a.yaml", services("a"))
    task = asyncio.create_task(world.source.run(world.sink))
    while world.sink.completeness is None:
        await asyncio.sleep(0)
        world.clock.advance(SETTLE)
    task.cancel()
    await asyncio.wait([task])
    assert isinstance(world.source, FileSource)
    assert world.sink.calls == ["update +a", "synced True"]


async def test_refusals_are_counted_by_reason(tmp_path: Path) -> None:
    """A file that is too long, one that uses an alias, and one that is wrong in another way; each once."""
    world = World(tmp_path)
    world.write("long.yaml", "#" * 1_000_001)
    world.write("alias.yaml", "services: &s []\n")
    world.write("bad.yaml", BAD)
    await world.settle()
    await world.settle()
    counts = {
        reason: world.metrics.registry.get_sample_value("lbcontrol_rejected_total", {"layer": "file", "reason": reason})
        for reason in ("file_bytes", "references", "invalid")
    }
    assert counts == {"file_bytes": 1.0, "references": 1.0, "invalid": 1.0}


async def test_lag_is_the_time_from_the_change_to_its_reading(tmp_path: Path) -> None:
    """By the file system's clock; the first look measures nothing, for nobody waited for it."""
    world = World(tmp_path)
    world.write("a.yaml", services("a"))
    await world.settle()

    def lag(what: str) -> float | None:
        return world.metrics.registry.get_sample_value(f"lbcontrol_source_lag_seconds_{what}", {"source": "local"})

    assert lag("count") == 0.0
    world.replace("a.yaml", services("a", weight=2))
    changed = (tmp_path / "a.yaml").stat().st_ctime
    world.clock.jump_wall(changed - world.clock.wall())
    await world.settle()
    assert lag("count") == 1.0
    seconds = lag("sum")
    assert seconds is not None
    assert SETTLE - 0.001 <= seconds <= SETTLE_GONE  # Unix seconds are floats: the clocks agree to the microsecond
