"""What grpc.aio leaves to end by itself after a channel or server is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

PATIENCE = 5.0
"""Seconds its tasks may take, on a machine that is busy."""


@contextlib.asynccontextmanager
async def calm() -> AsyncIterator[None]:
    """Wait at the end for the tasks that grpc.aio began meanwhile: it gives no other handle to them."""
    before = asyncio.all_tasks()
    yield
    begun = asyncio.all_tasks() - before
    ending = [task for task in begun if "cython" in repr(type(task.get_coro()))]
    if ending:
        await asyncio.wait(ending, timeout=PATIENCE)
