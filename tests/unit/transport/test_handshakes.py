"""Handshakes in progress: a few steps in each turn of the loop, in time, and never more than there is room for."""

from __future__ import annotations

import asyncio

import pytest

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.transport.http2 import handshakes as module
from lbcontrol.transport.http2.handshakes import TURN, Handshakes


class Fake:
    """A connection that notes what is asked of it."""

    def __init__(self, clock: FakeClock, address: str = "10.0.0.1", *, cost: float = 0.0) -> None:
        self.clock, self.address, self.cost = clock, address, cost
        self.steps = 0
        self.refusals: list[str] = []
        self.closed = False

    def step(self) -> None:
        """Take ``cost`` seconds."""
        self.steps += 1
        self.clock.advance(self.cost)

    def refuse(self, reason: str) -> None:
        """Note why."""
        self.refusals.append(reason)

    def close(self) -> None:
        """Note that."""
        self.closed = True


def crowd(handshakes: Handshakes, clock: FakeClock, count: int, *, cost: float = 0.0) -> list[Fake]:
    """So many connections that are all ready to step."""
    made = [Fake(clock, f"10.0.0.{number}", cost=cost) for number in range(count)]
    for each in made:
        handshakes.began(each)
        handshakes.ready(each)
    return made


async def test_turn_takes_a_few_and_gives_way_to_the_loop() -> None:
    """A hundred that are ready at once are spread over turns, in their order."""
    clock = FakeClock()
    handshakes = Handshakes(clock, per_address=1_000)
    made = crowd(handshakes, clock, 100)
    counts = []
    while sum(each.steps for each in made) < 100:
        await asyncio.sleep(0)
        counts.append(sum(each.steps for each in made))
    assert counts == [*range(TURN, 100, TURN), 100]


async def test_turn_ends_when_its_time_is_over() -> None:
    """Steps of 4 ms: two in a turn of 5 ms, and no turn without any."""
    clock = FakeClock()
    handshakes = Handshakes(clock, per_address=1_000)
    made = crowd(handshakes, clock, 7, cost=0.004)
    await asyncio.sleep(0)
    assert [each.steps for each in made] == [1, 1, 0, 0, 0, 0, 0]
    slow = crowd(handshakes, clock, 2, cost=1.0)
    for _ in range(8):
        await asyncio.sleep(0)
    assert [each.steps for each in (*made, *slow)] == [1] * 9


async def test_who_is_gone_takes_no_step() -> None:
    """What was ready when it was forgotten is passed over; to be forgotten twice is the same as once."""
    clock = FakeClock()
    handshakes = Handshakes(clock, per_address=1_000)
    first, second = crowd(handshakes, clock, 2)
    handshakes.over(first)
    handshakes.over(first)
    await asyncio.sleep(0)
    assert (first.steps, second.steps) == (0, 1)


async def test_room_counts_those_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told when somebody is done."""
    monkeypatch.setattr(module, "MOST", 3)
    clock = FakeClock()
    handshakes = Handshakes(clock, per_address=1_000)
    told: list[bool] = []
    handshakes.room = lambda: told.append(handshakes.has_room())
    made = crowd(handshakes, clock, 2)
    assert handshakes.has_room()
    made += crowd(handshakes, clock, 1)
    assert not handshakes.has_room()
    handshakes.over(made[0])
    assert told == [True]


async def test_deadlines_and_addresses_are_minded() -> None:
    """Five seconds each, one too many of an address at once; at the end all are closed."""
    clock = FakeClock()
    handshakes = Handshakes(clock, per_address=2)
    same = [Fake(clock) for _ in range(3)]
    for each in same:
        handshakes.began(each)
    assert [each.refusals for each in same] == [[], [], ["logins_per_address"]]
    handshakes.over(same[2])
    clock.advance(3.0)
    late = Fake(clock, "")
    handshakes.began(late)
    clock.advance(2.0)
    assert [each.refusals for each in (*same[:2], late)] == [["tls_seconds"], ["tls_seconds"], []]
    handshakes.stop()
    assert late.closed
