"""Ports: what the runtime expects of adapters, and what front ends expect of a transport.

Everything here is called on the event loop's thread and returns at once unless it is ``async``.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lbcontrol.model.assignment import Decision, Mark
from lbcontrol.model.clients import Identity, Peer, Role
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.rendering import Payload
from lbcontrol.model.services import ServiceSnapshot

Metadata = Mapping[str, str | bytes]
"""Request metadata; names are lower case, values of ``-bin`` names are bytes, the last one of a name wins."""


class StatusCode(enum.IntEnum):
    """gRPC status codes (grpc/doc/statuscodes.md), by number, so that no layer needs the grpc package."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ends."""

    code: StatusCode
    message: str = ""
    details: bytes = b""
    """Serialized google.rpc.Status for ``grpc-status-details-bin``; empty for none."""


class StatusError(Exception):
    """Raised by unary handlers to end the call with a status; made in ``frontends/status.py`` only."""

    def __init__(self, status: Status) -> None:
        """Keep the status."""
        super().__init__(f"{status.code.name}: {status.message}")
        self.status = status


class Outlet(Protocol):
    """Where a stream handler puts what it sends. There is no queue: at most one message is under way."""

    def offer(self, payload: Payload) -> bool:
        """Send ``payload`` now, or return False: not writable, ``writable()`` will be called. Never blocks."""
        ...

    def end(self, status: Status) -> None:
        """End the stream with a status once what was accepted is written. Further offers return False."""
        ...

    def pause_reading(self) -> None:
        """Stop calling ``received`` until ``resume_reading`` (a client that asks faster than allowed)."""
        ...

    def resume_reading(self) -> None:
        """Undo ``pause_reading``."""
        ...


class StreamHandler(Protocol):
    """A front end's side of one stream: a state machine without sockets, tasks or timers."""

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """The stream exists; nothing was received yet."""
        ...

    def received(self, message: bytes) -> None:
        """One whole request message, without the gRPC prefix."""
        ...

    def half_closed(self) -> None:
        """The client will send nothing more."""
        ...

    def writable(self) -> None:
        """An earlier ``offer`` was refused or accepted, and the outlet can take the next one."""
        ...

    def closed(self, reason: str) -> None:
        """The stream is gone; called exactly once, last. ``reason`` is one of a closed set for metrics."""
        ...


UnaryHandler = Callable[[bytes, Peer, Metadata], Awaitable[bytes]]
"""A unary method: request bytes in, response bytes out; raises ``StatusError``."""


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC method of a front end, as a transport serves it."""

    path: str
    """``/package.Service/Method``."""
    stream: Callable[[], StreamHandler] | None = None
    """Makes the handler of one call (streaming in either or both directions)."""
    unary: UnaryHandler | None = None
    max_message_bytes: int = 1_048_576
    """Larger requests are refused with RESOURCE_EXHAUSTED."""


class Sink(Protocol):
    """Where a source puts what it sees. Every call is one atomic change of the picture."""

    def update(self, changed: Iterable[ServiceSnapshot], removed: Iterable[str] = ()) -> None:
        """Replace what this source says of the changed services; it no longer knows the removed ones."""
        ...

    def synced(self, *, complete: bool = True) -> None:
        """The first full picture has been handed over.

        ``complete=False``: something could not be read (a broken file), so that a name this source does not
        list may still exist. Call again with True once everything is readable.
        """
        ...

    def alive(self) -> None:
        """The registry answered; clears stale and moves the time of the last event."""
        ...

    def stale(self, error: LbControlError) -> None:
        """The registry cannot be read; the last picture stays in force."""
        ...


class Source(Protocol):
    """One watched registry."""

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled; raise SourceUnavailableError to be restarted with back-off."""
        ...


class Bus(Protocol):
    """Carries decisions from owners to every process that serves clients."""

    async def publish(self, decision: Decision) -> None:
        """Hand over a decision; a lower mark than one already published for the service is dropped."""
        ...

    def subscribe(self, receive: Callable[[Decision], None]) -> None:
        """Call ``receive`` for every decision, latest per service first after joining."""
        ...


class Owner(Protocol):
    """Says which services this process decides."""

    epoch: int

    def owns(self, service: str) -> bool:
        """True when this process runs the engine for ``service``."""
        ...


@dataclass(frozen=True, slots=True)
class StoredMark:
    """What must never go backwards for a service."""

    service: str
    mark: Mark


class StateStore(Protocol):
    """Small durable documents: overrides, marks, last-good decisions. Keys are ``kind/name``."""

    durable: bool
    """False: everything is lost on restart, and operators are told so."""

    @property
    def owned(self) -> bool:
        """False while another process has it: it can be read, and every put is refused."""
        ...

    def load(self) -> Mapping[str, Mapping[str, object]]:
        """Return all readable documents by key; damaged ones are left out and counted.

        Called at start, and once more after the store was taken over.
        """
        ...

    async def put(self, documents: Mapping[str, Mapping[str, object] | None]) -> None:
        """Write (or with None delete) documents; on return they survive ``kill -9``. All or nothing.

        Raises:
            StateStoreError: nothing was written; tell the operator, keep serving.
        """
        ...


class Authorizer(Protocol):
    """Default deny; the one place that says who may do what."""

    description: str
    """Printed at start."""

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """True when ``identity`` may act as ``role`` on ``service`` ("" for things without a service)."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> float:
        """Monotonic seconds; for durations."""
        ...

    def wall(self) -> float:
        """Unix seconds; for people, files and expiry."""
        ...


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Scheduler(Clock, Protocol):
    """A clock that can call back: the event loop, or virtual time in tests."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` once, ``delay`` seconds from now."""
        ...

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the next turn."""
        ...


class FrontEnd(Protocol):
    """A protocol, as the transport and the publisher see it."""

    name: str

    def methods(self) -> Sequence[Method]:
        """The RPC methods it serves."""
        ...
