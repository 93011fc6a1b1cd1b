"""A listener on our own HTTP/2: accepts, keeps time for all its connections with one timer, ends in peace."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lbcontrol.http2.fields import Fields, FirstBlocks
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.whole import WholeFrames
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Method, Scheduler, Status, Timer
from lbcontrol.transport.http2.accepting import Acceptor
from lbcontrol.transport.http2.calls import StreamCall, UnaryCall
from lbcontrol.transport.http2.link import Http2Link, message_limit
from lbcontrol.transport.http2.polling import Poller
from lbcontrol.transport.http2.seats import Seats, affordable
from lbcontrol.transport.listening import Listen, prepared, refused
from lbcontrol.transport.streams import StreamLimits, Streams

BACKLOG = 4_096
BUFFER_BYTES = 65_536
LOOK_SLOTS = 50
"""Connections are looked at in turns: each turn one slot of so many."""
LOOK_SECONDS = 0.1
LAST_SECONDS = 0.2
"""Time that closed connections have for their last bytes."""
NO_PROTOCOLS: Mapping[str, str] = MappingProxyType({})


class Shared:
    """What the connections of one listener have in common."""

    def __init__(
        self, methods: Iterable[Method], streams: Streams, *, scheduler: Scheduler, limits: Limits, seats: Seats
    ) -> None:
        """Begin without connections."""
        self.methods = {method.path: method for method in methods}
        self.limits = limits
        self.seats = seats
        self.whole = WholeFrames()
        self.first_blocks = FirstBlocks()
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        """Where every connection reads into: its bytes are copied out at once."""
        self._streams = streams
        self._scheduler = scheduler
        self.now = scheduler.now
        """Monotonic seconds."""
        self._slots: list[set[Http2Link]] = [set() for _ in range(LOOK_SLOTS)]
        self._slot_of: dict[Http2Link, int] = {}
        self._turn = 0
        self._timer: Timer | None = None
        self.empty = asyncio.Event()
        """Set while there is no connection."""
        self.empty.set()

    def start(self) -> None:
        """Begin to keep time; while nobody is connected there is nothing to look at."""
        self._timer = self._scheduler.call_later(LOOK_SECONDS, self._look) if self._slot_of else None

    def stop(self) -> None:
        """Keep time no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def links(self) -> list[Http2Link]:
        """Return the open connections."""
        return list(self._slot_of)

    def message_limit(self, fields: Fields) -> int:
        """Return how long a message of this request may be."""
        return message_limit(self.methods, fields)

    def joined(self, link: Http2Link) -> None:
        """Keep a connection until it is gone."""
        slot = len(self._slot_of) % LOOK_SLOTS
        self._slot_of[link] = slot
        self._slots[slot].add(link)
        self.empty.clear()
        if self._timer is None:
            self.start()

    def left(self, link: Http2Link) -> None:
        """Forget a connection."""
        self.seats.free(link.address)
        self._slots[self._slot_of.pop(link)].discard(link)
        if not self._slot_of:
            self.empty.set()

    def admit(self) -> Status | None:
        """Return why one more call cannot be taken, None when it can."""
        return self._streams.admit()

    def pushback(self) -> str:
        """Return when a refused client may come again, in ms."""
        return self._streams.pushback()

    def begun(self, call: StreamCall | UnaryCall) -> None:
        """Count a call."""
        if isinstance(call, StreamCall):
            self._streams.begun(call)
        else:
            self._streams.unary(1)

    def ended(self, call: StreamCall | UnaryCall, reason: str) -> None:
        """Count a call off."""
        if isinstance(call, StreamCall):
            self._streams.ended(call, reason)
        else:
            self._streams.unary(-1)

    def refused(self, reason: str) -> None:
        """Count an input that a limit refused."""
        self._streams.refused(reason)

    def caught(self, error: Exception) -> None:
        """Log and count what a front end's code raised."""
        self._streams.caught(error)

    def _look(self) -> None:
        now = self._scheduler.now()
        for link in list(self._slots[self._turn]):
            link.look(now)
        self._turn = (self._turn + 1) % LOOK_SLOTS
        self.start()  # Or not, when nobody is left.


class Server:
    """A listener and its connections; made by ``serve``."""

    def __init__(self, listen: Listen, sock: socket.socket, *, shared: Shared, streams: Streams) -> None:
        """Keep what ``serve`` has bound."""
        self.listen = listen
        """Where it listens, with the port that was chosen."""
        self._shared = shared
        self._streams = streams
        self._poller = Poller(streams.caught)
        self._acceptor = Acceptor(
            sock,
            shared.seats,
            make=lambda address: Http2Link(shared, address),
            refused=streams.refused,
            poller=self._poller,
        )

    def start(self) -> None:
        """Accept."""
        self._acceptor.start()

    async def stop(self, grace: float) -> None:
        """Stop accepting, end streams spread over ``grace`` seconds, then close.

        A second call with 0, while the first is under way, ends it at once.
        """
        if self._acceptor.stop():
            for link in self._shared.links():
                link.leave()
        await self._streams.end_all(grace)
        self._shared.stop()
        for link in self._shared.links():
            link.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._shared.empty.wait(), LAST_SECONDS)
        self._poller.stop()


def _bound(listen: Listen) -> socket.socket:
    """Return a listening socket; raises OSError."""
    if listen.path is not None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(listen.path))
        sock.listen(BACKLOG)
    else:
        both = listen.host == "::" and socket.has_dualstack_ipv6()
        sock = socket.create_server(
            (listen.host, listen.port), family=listen.family, backlog=BACKLOG, dualstack_ipv6=both
        )
    sock.setblocking(False)
    return sock


async def serve(
    methods: Iterable[Method],
    listen: Listen,
    *,
    scheduler: Scheduler,
    metrics: Metrics,
    limits: StreamLimits | None = None,
    protocols: Mapping[str, str] = NO_PROTOCOLS,
) -> Server:
    """Serve ``methods`` on ``listen``, in plaintext.

    Args:
        methods: What is served; an unknown method is UNIMPLEMENTED.
        listen: Port 0 lets the system choose.
        scheduler: Time, and the timers that end old streams and judge connections.
        metrics: Where streams and refusals are counted.
        limits: Limits of this listener.
        protocols: Method path to the label ``protocol`` of ``streams``; others are not counted there.

    Raises:
        AccessError: the address cannot be bound (LB501).
    """
    limits = limits or StreamLimits()
    streams = Streams(limits, scheduler, metrics=metrics, protocols=protocols)
    wire = Limits(streams=limits.streams_per_connection)
    seats = Seats(affordable(limits.connections), per_address=limits.connections_per_address)
    shared = Shared(methods, streams, scheduler=scheduler, limits=wire, seats=seats)
    with prepared(listen):
        try:
            sock = _bound(listen)
        except OSError as error:
            raise refused(listen, error) from error
    place = listen if listen.path else Listen(listen.host, sock.getsockname()[1])
    server = Server(place, sock, shared=shared, streams=streams)
    streams.start()
    server.start()
    return server
