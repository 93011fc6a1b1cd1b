"""The order to stop, as signals give it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from lbcontrol.app.stop import SIGNALS, StopOrder


@pytest.fixture
def order() -> Iterator[StopOrder]:
    """An order with its handlers in place."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    made = StopOrder()
    made.install()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_first_signal_asks_and_second_hurries(order: StopOrder) -> None:
    """Either signal counts."""
    order.attach(asyncio.get_running_loop())
    before = order.is_given
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(order.asked(), 1.0)
    assert (before, order.is_given) == (False, True)
    hurried = asyncio.create_task(order.hurried())
    done, _ = await asyncio.wait([hurried], timeout=0.01)
    assert not done
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(hurried, 1.0)


async def test_signal_before_the_loop_is_kept(order: StopOrder) -> None:
    """An order that comes while the process starts is there when somebody looks."""
    os.kill(os.getpid(), signal.SIGTERM)
    order.attach(asyncio.get_running_loop())
    await asyncio.wait_for(order.asked(), 1.0)
