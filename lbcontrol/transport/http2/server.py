"""A listener on our own HTTP/2: accepts, keeps time for all its connections with one timer, ends in peace."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from lbcontrol.http2.fields import FirstBlocks
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.whole import WholeFrames
from lbcontrol.runtime.ports import Method, Scheduler, Status, Timer
from lbcontrol.transport.binding import Offer
from lbcontrol.transport.http2.accepting import Acceptor
from lbcontrol.transport.http2.asked import Requests
from lbcontrol.transport.http2.calls import Call, StreamCall, UnaryCall
from lbcontrol.transport.http2.link import Http2Link
from lbcontrol.transport.http2.polling import Poller
from lbcontrol.transport.http2.seats import Seats, affordable
from lbcontrol.transport.http2.secure import TlsLink
from lbcontrol.transport.http2.secured import Secured
from lbcontrol.transport.listening import Listen, bound, prepared, refused
from lbcontrol.transport.streams import Streams

BACKLOG = 4_096
BUFFER_BYTES = 65_536
LOOK_SLOTS = 50
"""Connections are looked at in turns: each turn one slot of so many."""
LOOK_SECONDS = 0.1
LATE_SECONDS = 1.0
"""When the look itself is later than this, we have not listened: peers are given that time."""
LAST_SECONDS = 0.2
"""Time that closed connections have for their last bytes."""


class Shared:
    """What the connections of one listener have in common."""

    def __init__(
        self, methods: Iterable[Method], streams: Streams, *, scheduler: Scheduler, limits: Limits, seats: Seats
    ) -> None:
        """Begin without connections."""
        self.requests = Requests(methods)
        self.limits = limits
        self.fast_path = streams.limits.fast_path
        self.seats = seats
        self.times = streams.limits
        """How long a connection may take over what, and how much it may have under way."""
        self.whole = WholeFrames()
        self.first_blocks = FirstBlocks()
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        """Where every connection reads into: its bytes are copied out at once."""
        self._streams = streams
        self.scheduler = scheduler
        self.now = scheduler.now
        """Monotonic seconds."""
        self.call_later = scheduler.call_later
        """Calls a function after so many seconds."""
        self._slots: list[set[Http2Link]] = [set() for _ in range(LOOK_SLOTS)]
        self._slot_of: dict[Http2Link, int] = {}
        self._turn = 0
        self._timer: Timer | None = None
        self._due = 0.0
        self.empty = asyncio.Event()
        """Set while there is no connection."""
        self.empty.set()

    def start(self) -> None:
        """Begin to keep time; while nobody is connected there is nothing to look at."""
        self._due = self.now() + LOOK_SECONDS
        self._timer = self.scheduler.call_later(LOOK_SECONDS, self._look) if self._slot_of else None

    def stop(self) -> None:
        """Keep time no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def links(self) -> list[Http2Link]:
        """Return the open connections."""
        return list(self._slot_of)

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

    def begun(self, call: Call) -> None:
        """Count a call; a request that is no gRPC is none, and takes no call's place."""
        if isinstance(call, StreamCall):
            self._streams.begun(call)
        elif isinstance(call, UnaryCall):
            self._streams.unary(1)

    def ended(self, call: Call, reason: str) -> None:
        """Count a call off."""
        if isinstance(call, StreamCall):
            self._streams.ended(call, reason)
        elif isinstance(call, UnaryCall):
            self._streams.unary(-1)

    def refused(self, reason: str) -> None:
        """Count an input that a limit refused."""
        self._streams.refused(reason)

    def caught(self, error: Exception) -> None:
        """Log and count what a front end's code raised."""
        self._streams.caught(error)

    def _look(self) -> None:
        now = self.now()
        late = now - self._due
        if late > LATE_SECONDS:
            for link in self.links():
                link.excuse(late)
        for link in list(self._slots[self._turn]):
            link.look(now)
        self._turn = (self._turn + 1) % LOOK_SLOTS
        self.start()  # Or not, when nobody is left.


class Server:
    """A listener and its connections; made by ``serve``."""

    def __init__(
        self, listen: Listen, sock: socket.socket, *, shared: Shared, streams: Streams, secured: Secured | None = None
    ) -> None:
        """Keep what ``serve`` has bound; ``secured`` is None for plaintext."""
        self.listen = listen
        """Where it listens, with the port that was chosen."""
        self._shared = shared
        self._streams = streams
        self._secured = secured
        self._poller = Poller(streams.caught, shared.scheduler)
        self._acceptor = Acceptor(
            sock,
            shared.seats,
            make=partial(Http2Link, shared) if secured is None else partial(TlsLink, secured),
            refused=streams.refused,
            poller=self._poller,
            has_room=None if secured is None else secured.handshakes.has_room,
        )
        self._acceptor.per_turn = shared.times.accepts
        if secured is not None:
            secured.start(room=self._acceptor.wake)

    def start(self) -> None:
        """Accept."""
        self._acceptor.start()

    async def stop(self, grace: float) -> None:
        """Stop accepting, end streams spread over ``grace`` seconds, let unary calls end in them, then close.

        A second call with 0, while the first is under way, ends it at once.
        """
        began = self._shared.now()
        if self._acceptor.stop():
            if self._secured is not None:
                self._secured.stop()
            for link in self._shared.links():
                link.leave()
        await self._streams.end_all(grace)
        for link in self._shared.links():
            link.close_when_done()
        await self._gone(grace - (self._shared.now() - began))
        self._shared.stop()
        for link in self._shared.links():
            link.close()
        await self._gone(LAST_SECONDS)
        self._poller.stop()

    async def _gone(self, seconds: float) -> None:
        """Wait at most so long until no connection is left."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._shared.empty.wait(), seconds)


def _bound(listen: Listen) -> socket.socket:
    """Return a listening socket; raises OSError."""
    if listen.path is not None:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(listen.path))
        sock.listen(BACKLOG)
    else:
        sock = bound(listen, backlog=BACKLOG)
    sock.setblocking(False)
    return sock


async def serve(offer: Offer, listen: Listen) -> Server:
    """Serve ``offer`` on ``listen``, with TLS when it has credentials.

    Raises:
        AccessError: the address cannot be bound (LB501).
    """
    limits, streams = offer.limits, offer.streams()
    wire = replace(limits.wire, streams=limits.streams_per_connection)
    logs_in = listen.tls is not None and listen.tls.files.authenticates
    per_address = limits.connections if logs_in else limits.connections_per_address
    seats = Seats(affordable(limits.connections), per_address=per_address, is_short=limits.is_short)
    shared = Shared(offer.methods, streams, scheduler=offer.scheduler, limits=wire, seats=seats)
    secured = None if listen.tls is None else Secured(shared, listen.tls, scheduler=offer.scheduler, limits=limits)
    with prepared(listen):
        try:
            sock = _bound(listen)
        except OSError as error:
            raise refused(listen, error) from error
    place = listen if listen.path else Listen(listen.host, sock.getsockname()[1])
    server = Server(place, sock, shared=shared, streams=streams, secured=secured)
    streams.start()
    server.start()
    return server
