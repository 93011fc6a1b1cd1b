"""What every binding looks like to its owner, and how one is found by its name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Method, Scheduler
from lbcontrol.transport import TRANSPORTS
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits


class Server(Protocol):
    """A listener with its calls."""

    @property
    def listen(self) -> Listen:
        """Where it listens, with the port that was chosen."""
        ...

    async def stop(self, grace: float) -> None:
        """Stop accepting, end streams spread over ``grace`` seconds, then close.

        A second call with 0, while the first is under way, ends it at once.
        """
        ...


class Serve(Protocol):
    """Opens a listener; raises AccessError when the address cannot be bound (LB501)."""

    async def __call__(
        self,
        methods: Iterable[Method],
        listen: Listen,
        *,
        scheduler: Scheduler,
        metrics: Metrics,
        limits: StreamLimits | None = None,
        protocols: Mapping[str, str] = ...,
    ) -> Server:
        """Serve ``methods`` on ``listen``."""
        ...


def binding(name: str) -> Serve:
    """Return the binding ``name`` of ``TRANSPORTS``; only what is used is imported."""
    module, _, function = TRANSPORTS[name].partition(":")
    return cast("Serve", getattr(importlib.import_module(module), function))
