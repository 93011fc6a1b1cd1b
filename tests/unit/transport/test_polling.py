"""When ready sockets are served: at once where somebody waits for an answer, together where nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lbcontrol.transport.http2 import polling
from lbcontrol.transport.http2.polling import READ, Poller


@dataclass(eq=False)
class Reading:
    """A socket whose owner reads it, and answers if it is told to."""

    poller: Poller
    ours: socket.socket
    answers: bool = False
    times: list[float] = field(default_factory=list)
    """Of each reading."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self, events: int) -> None:
        """Read."""
        del events
        self.ours.recv(100)
        self.times.append(asyncio.get_running_loop().time())
        self.news.set()
        self.poller.has_written = self.answers

    def abort(self) -> None:
        """Watch no longer."""
        self.poller.watch(self.ours.fileno(), self, events=0)


@contextlib.contextmanager
def watched(poller: Poller) -> Iterator[tuple[Reading, socket.socket]]:
    """Watch one end of a pair of sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reading = Reading(poller, ours)
        poller.watch(ours.fileno(), reading, events=READ)
        yield reading, theirs
        reading.abort()


async def busy(reading: Reading, theirs: socket.socket) -> None:
    """Say as much as is taken in at once: the first time is none of those that follow each other."""
    for _ in range(polling.AT_ONCE + 1):
        await said(reading, theirs)


async def said(reading: Reading, theirs: socket.socket) -> None:
    """Say something and wait until it was read."""
    reading.news.clear()
    theirs.send(b"x")
    async with asyncio.timeout(4.0):
        await reading.news.wait()


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> float:
    """Make rests long enough to be told from turns that follow each other; seconds."""
    monkeypatch.setattr(polling, "REST_SECONDS", 0.3)
    monkeypatch.setattr(polling, "AT_ONCE", 4)
    return 0.3


async def test_what_wants_no_answer_is_taken_in_together(rests: float) -> None:
    """After a few quiet turns the next waits, and what comes meanwhile is served in the same one."""
    poller = Poller(lambda error: pytest.fail(str(error)))
    with watched(poller) as (first, to_first), watched(poller) as (second, to_second):
        await busy(first, to_first)
        before = first.times[-1]
        to_second.send(b"x")
        await said(first, to_first)
        assert first.times[-1] - before > 0.9 * rests
        assert second.times[-1] == pytest.approx(first.times[-1], abs=rests / 3)
    poller.stop()


async def test_who_is_answered_is_served_at_once(rests: float) -> None:
    """A dialogue is not held up, however long it goes on."""
    poller = Poller(lambda error: pytest.fail(str(error)))
    with watched(poller) as (reading, theirs):
        reading.answers = True
        for _ in range(10 * polling.AT_ONCE):
            await said(reading, theirs)
        assert reading.times[-1] - reading.times[0] < 10 * rests  # With rests it were 36 of them.
    poller.stop()


async def test_rare_messages_never_wait(rests: float) -> None:
    """The first one after a pause is served at once, whatever went before."""
    poller = Poller(lambda error: pytest.fail(str(error)))
    with watched(poller) as (reading, theirs):
        await busy(reading, theirs)
        await asyncio.sleep(1.2 * rests)
        began = asyncio.get_running_loop().time()
        await said(reading, theirs)
        assert reading.times[-1] - began < rests / 2
    poller.stop()


async def test_poller_that_is_stopped_at_rest_leaves_nothing(rests: float) -> None:
    """The rest's end finds nothing to serve."""
    poller = Poller(lambda error: pytest.fail(str(error)))
    with watched(poller) as (reading, theirs):
        await busy(reading, theirs)
        theirs.send(b"x")
        await asyncio.sleep(rests / 3)
        poller.stop()
        await asyncio.sleep(rests)
        assert len(reading.times) == polling.AT_ONCE + 1
