"""When ready sockets are served: at once where somebody waits for an answer, together where nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.transport.http2.polling import AT_ONCE, READ, REST_SECONDS, Poller

SPACING = 0.001
"""Seconds between two messages of a busy peer."""


@dataclass(eq=False)
class Reading:
    """A socket whose owner reads it, and answers if it is told to."""

    poller: Poller
    ours: socket.socket
    theirs: socket.socket
    clock: FakeClock
    answers: bool = False
    times: list[float] = field(default_factory=list)
    """Of each reading."""

    def ready(self, events: int) -> None:
        """Read."""
        del events
        self.ours.recv(100)
        self.times.append(self.clock.now())
        self.poller.has_written |= self.answers

    def abort(self) -> None:
        """Watch no longer."""
        self.poller.watch(self.ours.fileno(), self, events=0)

    async def said(self, *, after: float = SPACING) -> None:
        """Let time pass, say something, and give the loop a turn to notice it and one to serve it."""
        self.clock.advance(after)
        self.theirs.send(b"x")
        await turns()


async def turns() -> None:
    """Let the loop look at its sockets, and do what follows from it."""
    for _ in range(4):
        await asyncio.sleep(0)


@dataclass
class Stage:
    """A poller in virtual time."""

    clock: FakeClock
    poller: Poller

    @contextlib.contextmanager
    def watched(self) -> Iterator[Reading]:
        """Watch one end of a pair of sockets."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            reading = Reading(self.poller, ours, theirs, self.clock)
            self.poller.watch(ours.fileno(), reading, events=READ)
            yield reading
            self.poller.stop()


@pytest.fixture
async def stage() -> Stage:
    """A poller on the running loop."""
    clock = FakeClock()
    return Stage(clock, Poller(lambda error: pytest.fail(str(error)), clock))


async def busy(reading: Reading) -> None:
    """Say as much as is taken in at once: the first time is none of those that follow each other."""
    for _ in range(AT_ONCE + 1):
        await reading.said()
    assert len(reading.times) == AT_ONCE + 1


async def test_what_wants_no_answer_is_taken_in_together(stage: Stage) -> None:
    """After many quiet turns the next waits for a rest's end, and what comes meanwhile is served in the same one."""
    with stage.watched() as first, stage.watched() as second:
        await busy(first)
        await first.said()
        await second.said(after=REST_SECONDS / 2)
        assert (len(first.times), second.times) == (AT_ONCE + 1, [])
        stage.clock.advance(REST_SECONDS / 2)
        assert first.times[-1] == second.times[-1] == stage.clock.now()


async def test_who_is_answered_is_served_at_once(stage: Stage) -> None:
    """A dialogue is not held up, however long it goes on."""
    with stage.watched() as reading:
        reading.answers = True
        for number in range(10 * AT_ONCE):
            await reading.said()
            assert len(reading.times) == number + 1


async def test_answer_begins_the_count_anew(stage: Stage) -> None:
    """One that is sent between turns too, as those of unary calls are."""
    with stage.watched() as reading:
        for _ in range(4):
            for _ in range(AT_ONCE - 1):
                await reading.said()
            stage.poller.has_written = True
            before = len(reading.times)
            await reading.said()
            assert len(reading.times) == before + 1


async def test_rare_messages_never_wait(stage: Stage) -> None:
    """The first one after a pause is served at once, whatever went before."""
    with stage.watched() as reading:
        await busy(reading)
        await reading.said(after=1.01 * REST_SECONDS)
        assert reading.times[-1] == stage.clock.now()


async def test_poller_that_is_stopped_at_rest_leaves_nothing(stage: Stage) -> None:
    """The rest's end finds nothing to serve."""
    with stage.watched() as reading:
        await busy(reading)
        await reading.said()
        stage.poller.stop()
        stage.clock.advance(2 * REST_SECONDS)
        assert len(reading.times) == AT_ONCE + 1
