"""One thread for work that would hold up the loop: the pure core on big services, never two things at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from lbcontrol.runtime.collector import collector_paused

BIG = 1_000
"""Endpoints touched by one piece of work above which it leaves the loop's thread: about 10 ms there."""

T = TypeVar("T")


class Background(Protocol):
    """Runs work beside the loop, one piece after the other."""

    def start(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run ``work``, which must not raise, and call ``done`` with its result on the loop's thread."""
        ...


class Aside(Protocol):
    """Has work done away from the loop, for who waits for the result."""

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises."""
        ...


class Inline:
    """Does work at once, where it stands: for what is small."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work``."""
        return work()


class Worker:
    """A single background thread. Close it when the loop ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, builds: bool = True) -> None:
        """Give results to ``loop``; the thread is started by the first piece of work.

        Args:
            loop: Where results go.
            builds: True when each piece builds thousands of values that stay: then the collector is held back.
        """
        self._loop = loop
        self._builds = builds
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="lbcontrol-worker")
        self._closed = False

    def start(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run ``work`` after what was started before; ``done`` gets its result on the loop's thread."""

        def finished(future: Future[T]) -> None:
            if not self._closed:
                self._loop.call_soon_threadsafe(lambda: done(future.result()))

        self._threads.submit(self._around, work).add_done_callback(finished)

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` and wait for its result."""
        return await asyncio.wrap_future(self._threads.submit(self._around, work), loop=self._loop)

    def close(self) -> None:
        """Wait for what is under way; its result is dropped."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _around(self, work: Callable[[], T]) -> T:
        """Run a piece of work; the collector would find nothing in what it builds."""
        with collector_paused() if self._builds else contextlib.nullcontext():
            return work()
