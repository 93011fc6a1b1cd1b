"""What every binding looks like to its owner, and how one is found by its name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Method, Scheduler
from lbcontrol.transport import TRANSPORTS
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits, Streams


@dataclass(frozen=True, slots=True)
class Offer:
    """What a listener serves, and what it stands on; the same for every binding."""

    methods: Sequence[Method]
    """What is served; an unknown method is UNIMPLEMENTED."""
    scheduler: Scheduler
    """Time, and the timers that end old streams and judge connections."""
    metrics: Metrics
    """Where streams and refusals are counted."""
    limits: StreamLimits = StreamLimits()
    """Limits of this listener."""
    protocols: Mapping[str, str] = field(default_factory=dict)
    """Method path to the label ``protocol`` of ``streams``; others are not counted there."""

    def streams(self) -> Streams:
        """Return the books of a listener that begins to serve this."""
        return Streams(self.limits, self.scheduler, metrics=self.metrics, protocols=self.protocols)


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

    async def __call__(self, offer: Offer, listen: Listen) -> Server:
        """Serve ``offer`` on ``listen``, where port 0 lets the system choose."""
        ...


def binding(name: str) -> Serve:
    """Return the binding ``name`` of ``TRANSPORTS``; only what is used is imported."""
    module, _, function = TRANSPORTS[name].partition(":")
    return cast("Serve", getattr(importlib.import_module(module), function))
