"""The order to stop: SIGTERM or SIGINT once to end in peace, twice to end at once.

The handlers are in place before anything heavy is imported, so that an order that comes during the start is kept.
"""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopOrder:
    """What signals asked for so far."""

    def __init__(self) -> None:
        """Nothing was asked for."""
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    @property
    def is_given(self) -> bool:
        """True once the process shall end."""
        return self._count > 0

    def install(self) -> None:
        """Take the signals from now on."""
        for each in SIGNALS:
            signal.signal(each, self._received)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake waiters in ``loop``; what came before counts."""
        self._loop = loop
        self._tell()

    async def asked(self) -> None:
        """Wait until the process shall end."""
        await self._asked.wait()

    async def hurried(self) -> None:
        """Wait until it shall end at once."""
        await self._hurried.wait()

    def give(self) -> None:
        """Order it, once more; as a signal does."""
        self._count += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)

    def _received(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.give()

    def _tell(self) -> None:
        if self._count >= 1:
            self._asked.set()
        if self._count >= 2:
            self._hurried.set()
