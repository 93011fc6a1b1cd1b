"""A Kubernetes source as it is: no control plane around it, and no policies followed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.source import KubernetesSource
from tests.support.sinks import RecordingSink


@asynccontextmanager
async def running(
    kubeconfig: Path, sink: RecordingSink, *, of: str, seconds: float, **more: Any
) -> AsyncIterator[KubernetesSource]:
    """Run a source on one namespace until it has synced, which may take so many seconds, and stop it at the end."""
    options = KubernetesOptions.model_validate({"kubeconfig": str(kubeconfig), "namespaces": [of], **more})
    scheduler = LoopScheduler(asyncio.get_running_loop())
    source = KubernetesSource("cluster", options, scheduler=scheduler, rng=random.Random(1))
    task = asyncio.create_task(source.run(sink))
    try:
        async with asyncio.timeout(seconds):
            await sink.has_synced.wait()
        yield source
    finally:
        task.cancel()
        await asyncio.wait([task])


async def noticed(holds: Callable[[], bool], *, seconds: float) -> float:
    """Wait at most so long for the source to notice; returns the seconds it took."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  (the registry has no event to wait for)
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time() - began
