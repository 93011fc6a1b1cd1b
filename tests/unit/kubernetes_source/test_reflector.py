"""One kind kept equal to an API server that is well, silent, wrong or gone: on virtual time, with scripted answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.sources.kubernetes.reflector import GRAVE_DOUBTS, LEAST_PAGE, Kind, Reflector
from tests.support.kube_answers import Response, Script, error_line, line, page

TURNS = 10_000
"""Of the loop, and 0.01 s each; enough for any script, and for one whose last answer never ends."""
NEXT = "next"
CUT = aiohttp.ClientPayloadError("cut")


@dataclass(frozen=True)
class Item:
    """An object."""

    key: tuple[str, str]
    version: str


def read(of: Mapping[str, Any]) -> Item:
    """Return an object of the API server."""
    meta = of["metadata"]
    return Item((meta["namespace"], meta["name"]), meta["resourceVersion"])


@dataclass
class Held:
    """What is known, and what was said about how it goes."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    """What was dropped, in order."""
    said: list[str] = field(default_factory=list)
    put_names: list[str] = field(default_factory=list)
    """What was put, in order, but what was put again as it was."""

    def keys(self) -> set[tuple[str, str]]:
        """Return what is known."""
        return set(self.items)

    def put(self, item: Item) -> None:
        """Keep an object."""
        if self.items.get(item.key) != item:
            self.put_names.append(item.key[1])
        self.items[item.key] = item

    def drop(self, key: tuple[str, str]) -> None:
        """Forget an object."""
        if self.items.pop(key, None):
            self.gone.append(key[1])

    def listed(self, _what: str) -> None:
        """Note a list."""
        self.said.append("listed")

    def moved(self) -> None:
        """Nothing to note."""

    def well(self, _what: str) -> None:
        """Note a sign of life, once."""
        if self.said[-1:] != ["well"]:
            self.said.append("well")

    def unwell(self, _what: str, error: SourceUnavailableError) -> None:
        """Note trouble."""
        self.said.append(error.finding.code)

    def names(self) -> str:
        """Return the names known, in order."""
        return "".join(sorted(name for _, name in self.items))


@asynccontextmanager
async def reflected(script: Script) -> AsyncIterator[tuple[Held, FakeClock]]:
    """Run a reflector until the script is over, on a clock that runs as fast as it can."""
    held, clock = Held(), FakeClock(0.0)
    kind = Kind("things", script.ask, read, held)
    task = asyncio.create_task(Reflector(kind, held, host="api", scheduler=clock, rng=random.Random(1)).run())
    try:
        for _ in range(TURNS):
            await asyncio.sleep(0)
            clock.advance(0.01)
            if script.is_over.is_set() or task.done():
                break
        yield held, clock
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_pages_are_one_list_and_the_watch_goes_on_from_it() -> None:
    """Continue tokens are handed back, changes and deletions count, an ended watch goes on after its last event."""
    script = Script(
        page("a", "b", token=NEXT),
        page("c", version="10"),
        Response(line("ADDED", "d", "11"), line("DELETED", "a", "12"), line("BOOKMARK", "", "15")),
    )
    async with reflected(script) as (held, clock):
        assert held.names() == "bcd"
        assert script.kinds() == ["list", "list", "watch 10", "watch 15"]
        assert [each.get("continue") for each in script.asked[:2]] == [None, NEXT]
        assert script.asked[0] == {"limit": "500"}  # No version: a consistent read, never older than what was seen.
        assert script.asked[2]["allowWatchBookmarks"] == "true"
        assert 240 <= int(script.asked[2]["timeoutSeconds"]) <= 480
        assert clock.now() < 0.5  # No pause after a watch that said something.


@pytest.mark.parametrize("gone", [Response(b"{}", status=410), Response(error_line(410))], ids=["HTTP", "event"])
async def test_version_that_is_gone_is_listed_again_without_a_gap(gone: Response) -> None:
    """What was deleted meanwhile goes after a second list says so, what is new comes; nobody is told of trouble."""
    script = Script(page("a", "b", "c"), gone, page("b", "c", "d"), page("b", "c", "d", version="20"))
    async with reflected(script) as (held, _):
        assert held.names() == "bcd"
        assert held.gone == ["a"]
        assert script.kinds() == ["list", "watch 10", "list", "list", "watch 20"]
        assert held.said[-1] == "listed"
        assert not any(said.startswith("LB") for said in held.said)


async def test_gone_again_and_again_is_asked_slowly() -> None:
    """An API server that keeps no version at all is not asked in a circle."""
    rounds = [each for _ in range(5) for each in (page("a"), Response(b"{}", status=410))]
    async with reflected(Script(*rounds)) as (_, clock):
        assert clock.now() > 2.0


async def test_gone_after_an_outage_is_listed_at_once() -> None:
    """The API server answers again: what it does not keep any more is no reason to wait as long as for its return."""

    async def seconds(*answers: Response) -> float:
        outage = [OSError("refused") for _ in range(6)]
        async with reflected(Script(page("a"), *outage, *answers)) as (held, clock):
            assert held.said.count("LB234") == len(outage)
            return clock.now()

    waited = await seconds()
    assert waited > 5.0
    assert await seconds(Response(error_line(410)), page("a", "b", version="20")) - waited < 0.1


async def test_watch_that_ends_at_once_is_asked_slowly() -> None:
    """So is one that takes watches and ends them."""
    async with reflected(Script(page("a"), *(Response() for _ in range(5)))) as (held, clock):
        assert clock.now() > 2.0
        assert held.said == ["listed", "well"]


@pytest.mark.parametrize(
    "trouble", [OSError("refused"), TimeoutError(), Response(CUT), Response(b'{"type": "ADDED", "obj', CUT)]
)
async def test_broken_watch_goes_on_from_what_was_seen(trouble: Response | BaseException) -> None:
    """Cut between lines or within one, refused or hung: trouble is told, nothing is lost, nothing is listed anew."""
    before = Response(line("ADDED", "b", "11"), CUT)
    script = Script(page("a"), before, trouble, Response(line("ADDED", "c", "12"), None))
    async with reflected(script) as (held, _):
        assert held.names() == "abc"
        assert script.kinds() == ["list", "watch 10", "watch 11", "watch 11"]
        assert "LB234" in held.said
        assert held.said[-1] == "well"


@pytest.mark.parametrize(
    "useless",
    [
        Response(b"garbage\n"),
        Response(b'{"type": "ADDED", "object": 7}\n'),
        Response(b'{"type": "ADDED", "object": {"metadata": {}}}\n'),
        Response(error_line(504)),
        Response(b'{"message": "invalid resource version"}', status=400),
    ],
)
async def test_what_cannot_be_used_is_listed_again(useless: Response) -> None:
    """Asked from the same version the same would come again."""
    script = Script(page("a"), useless, page("a", "b", version="20"))
    async with reflected(script) as (held, _):
        assert script.kinds() == ["list", "watch 10", "list", "watch 20"]
        assert (held.names(), "LB234" in held.said) == ("ab", True)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_refused_watch_goes_on_when_it_may(status: int) -> None:
    """Rights that are missing, a server that is busy: what is known stays, and the version too."""
    script = Script(page("a"), Response(b'{"message": "no"}', status=status))
    async with reflected(script) as (held, _):
        assert script.kinds() == ["list", "watch 10", "watch 10"]
        assert held.said == ["listed", "LB235" if status in (401, 403) else "LB234"]
        assert held.names() == "a"


async def test_empty_list_answered_once_takes_nothing_away() -> None:
    """The service keeps its endpoints, and the next list is right."""
    script = Script(page("a"), Response(error_line(410)), page(version="1"), page("a", "b", version="20"))
    async with reflected(script) as (held, clock):
        assert (held.names(), held.gone) == ("ab", [])
        assert script.kinds()[-1] == "watch 20"
        assert clock.now() < 3.0


async def test_list_that_stays_empty_is_believed_in_the_end() -> None:
    """For half a minute what was known stays in force, and it is said; then it is gone."""
    empty = [page() for _ in range(1 + len(GRAVE_DOUBTS))]
    async with reflected(Script(page("a", "b"), Response(error_line(410)), *empty)) as (held, clock):
        assert held.names() == ""
        assert "LB237" in held.said
        assert held.said[-1] == "listed"
        assert sum(GRAVE_DOUBTS) <= clock.now() <= sum(GRAVE_DOUBTS) + 2.0


@pytest.mark.parametrize("old", ["9", "11"])
async def test_list_older_than_what_was_seen_counts_for_nothing(old: str) -> None:
    """By one or by many: what was deleted since does not come back, and the next list is right."""
    seen = Response(line("DELETED", "a", "12"), error_line(410))
    script = Script(page("a", "b"), seen, page("a", "b", version=old), page("b", "c", version="20"))
    async with reflected(script) as (held, clock):
        assert held.put_names == ["a", "b", "c"]
        assert (held.names(), script.kinds()[-1]) == ("bc", "watch 20")
        assert clock.now() < 3.0


async def test_list_that_stays_old_is_believed_in_the_end() -> None:
    """An API server that was set back to an earlier state is what there is; half a minute later, and it is said."""
    old = [page("a", version="5") for _ in range(1 + len(GRAVE_DOUBTS))]
    async with reflected(Script(page("a", "b"), Response(error_line(410)), *old)) as (held, clock):
        assert (held.names(), held.said[-1]) == ("a", "listed")
        assert "LB237" in held.said
        assert sum(GRAVE_DOUBTS) <= clock.now() <= sum(GRAVE_DOUBTS) + 2.0


async def test_versions_that_are_no_numbers_are_not_compared() -> None:
    """An API server that is none of Kubernetes' own may have others."""
    script = Script(page("a", version="x9"), Response(error_line(410)), page("a", "b", version="x10"))
    async with reflected(script) as (held, clock):
        assert (held.names(), script.kinds()[-1]) == ("ab", "watch x10")
        assert clock.now() < 0.5


async def test_list_that_breaks_off_takes_nothing_away() -> None:
    """A page that is cut, or whose next page does not come, is no list."""
    script = Script(
        page("a", "b", "c"),
        Response(error_line(410)),
        page("a", token=NEXT),
        OSError("reset"),
        Response(b'{"items": [{"met', CUT),
        page("a", "b", version="20"),
        page("a", "b", version="21"),
    )
    async with reflected(script) as (held, _):
        assert (held.names(), held.said[-1]) == ("ab", "listed")


async def test_pages_get_smaller_when_they_do_not_arrive_in_time() -> None:
    """Over a slow line 500 objects may take too long; once a list was whole, they are asked for again."""
    script = Script(*(TimeoutError() for _ in range(4)), page("a"), Response(error_line(410)))
    async with reflected(script) as (held, _):
        limits = [each["limit"] for each in script.asked if "limit" in each]
        assert limits == ["500", "100", str(LEAST_PAGE), str(LEAST_PAGE), str(LEAST_PAGE), "500"]
        assert held.names() == "a"
