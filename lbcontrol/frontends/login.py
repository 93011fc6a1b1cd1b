"""Who is calling, by a bearer token: methods wrapped so that a handler sees its caller's identity from the first word.

A stream is held until its token was judged: nothing of it is read meanwhile. It ends when the token does.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping

from lbcontrol.frontends.status import status_of
from lbcontrol.model.clients import Peer
from lbcontrol.model.errors import AuthenticationError, LbControlError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import (
    Metadata,
    Method,
    Outlet,
    Scheduler,
    Status,
    StatusCode,
    StatusError,
    StreamHandler,
    Timer,
    UnaryHandler,
)
from lbcontrol.runtime.rights import LOCAL
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.runtime.tokens import FOR_EVER, Session, Tokens

HEADER = "authorization"
SCHEME = "bearer "
SWEEP_SECONDS = 5.0
"""Seconds between two looks for tokens that have ended."""
EXPIRED = Status(StatusCode.UNAUTHENTICATED, "LB523: the token has expired; come again with a new one")
INTERNAL = Status(StatusCode.INTERNAL, "internal error")


class Logins:
    """Those who log in with tokens, and those who need not. One timer for all."""

    def __init__(self, tokens: Tokens, scheduler: Scheduler, *, metrics: Metrics) -> None:
        """Begin with nobody."""
        self.tokens = tokens
        self.supervisor = Supervisor(metrics, scheduler)
        self._scheduler = scheduler
        self._ends: dict[LoginStream, float] = {}
        self._timer: Timer | None = None

    def begun(self, stream: LoginStream, session: Session) -> None:
        """End the stream when its token does."""
        if session.ends_at == FOR_EVER:
            return
        self._ends[stream] = session.ends_at
        if self._timer is None:
            self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep)

    def ended(self, stream: LoginStream) -> None:
        """Forget a stream."""
        self._ends.pop(stream, None)

    async def close(self) -> None:
        """Ask nothing more, end nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        await self.tokens.close()

    def _sweep(self) -> None:
        now = self._scheduler.wall()
        for stream in [stream for stream, end in self._ends.items() if end <= now]:
            stream.expire()
        self._timer = self._scheduler.call_later(SWEEP_SECONDS, self._sweep) if self._ends else None


def with_login(methods: Iterable[Method], logins: Logins) -> tuple[Method, ...]:
    """Return methods whose callers may prove themselves by token."""
    return _wrapped(
        methods, lambda handler: LoginStream(handler, logins), unary=lambda handler: _unary(handler, logins.tokens)
    )


def as_local(methods: Iterable[Method]) -> tuple[Method, ...]:
    """Return methods of the operators' listener: whoever calls from this machine without proof is ``local``."""

    def unary(handler: UnaryHandler) -> UnaryHandler:
        return lambda request, peer, metadata: handler(request, local(peer), metadata)

    return _wrapped(methods, LocalStream, unary=unary)


def _wrapped(
    methods: Iterable[Method],
    stream: Callable[[StreamHandler], StreamHandler],
    *,
    unary: Callable[[UnaryHandler], UnaryHandler],
) -> tuple[Method, ...]:
    """Return methods with something around their handlers."""

    def streaming(make: Callable[[], StreamHandler]) -> Callable[[], StreamHandler]:
        return lambda: stream(make())

    return tuple(
        dataclasses.replace(
            each,
            stream=None if each.stream is None else streaming(each.stream),
            unary=None if each.unary is None else unary(each.unary),
        )
        for each in methods
    )


def local(peer: Peer) -> Peer:
    """Return a peer of this machine that proved nothing as ``local``; any other as it is."""
    near = peer.address.startswith("unix:") or peer.host == "::1" or peer.host.startswith("127.")
    return Peer(peer.address, LOCAL) if near and not peer.identity.authenticated else peer


def bearer_of(metadata: Metadata) -> str | None:
    """Return the token that a call brings; None when it brings none.

    Raises:
        AuthenticationError: there is something else in its place (LB520).
    """
    word = metadata.get(HEADER)
    if word is None:
        return None
    if not isinstance(word, str) or word[: len(SCHEME)].lower() != SCHEME:
        what = "authorization is no bearer token"
        raise AuthenticationError(Finding("LB520", what, do='send "authorization: Bearer TOKEN"'))
    return word[len(SCHEME) :].strip()


def _unary(handler: UnaryHandler, tokens: Tokens) -> UnaryHandler:
    async def answer(request: bytes, peer: Peer, metadata: Metadata) -> bytes:
        try:
            token = bearer_of(metadata)
            session = None if token is None else await tokens.identify(token, peer.host)
        except LbControlError as error:
            raise StatusError(status_of(error)) from error
        return await handler(request, _proved(peer, session), _without(metadata))

    return answer


def _proved(peer: Peer, session: Session | None) -> Peer:
    return peer if session is None else Peer(peer.address, session.identity)


def _without(metadata: Metadata) -> Metadata:
    """Return metadata without the token: nobody behind this needs it."""
    if HEADER not in metadata:
        return metadata
    rest: Mapping[str, str | bytes] = {name: value for name, value in metadata.items() if name != HEADER}
    return rest


class LocalStream:
    """A handler whose callers from this machine are ``local``."""

    __slots__ = ("closed", "half_closed", "opened_as", "received", "writable")

    def __init__(self, handler: StreamHandler) -> None:
        """Pass everything on."""
        self.opened_as = handler.opened
        self.received = handler.received
        self.half_closed = handler.half_closed
        self.writable = handler.writable
        self.closed = handler.closed

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        self.opened_as(local(peer), metadata, outlet)


class LoginStream:
    """A handler that begins when it is known who calls."""

    __slots__ = ("_handler", "_is_open", "_logins", "_outlet", "_task")

    def __init__(self, handler: StreamHandler, logins: Logins) -> None:
        """Wait for ``opened``."""
        self._handler = handler
        self._logins = logins
        self._outlet: Outlet | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_open = False

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin at once where nothing has to be asked; else hold the stream meanwhile."""
        self._outlet = outlet
        try:
            token = bearer_of(metadata)
        except AuthenticationError as error:
            outlet.end(status_of(error))
            return
        session = None if token is None else self._logins.tokens.known(token)
        if token is None or session is not None:
            self._begin(peer, metadata, outlet, session=session)
            return
        outlet.pause_reading()
        asking = self._ask(token, peer, metadata, outlet=outlet)
        self._task = asyncio.get_running_loop().create_task(asking)

    def received(self, message: bytes) -> None:
        """Pass a message on."""
        if self._is_open:
            self._handler.received(message)

    def half_closed(self) -> None:
        """Pass it on."""
        if self._is_open:
            self._handler.half_closed()

    def writable(self) -> None:
        """Pass it on."""
        if self._is_open:
            self._handler.writable()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        if self._task is not None:
            self._task.cancel()
        self._logins.ended(self)
        self._outlet = None
        if self._is_open:
            self._is_open = False
            self._handler.closed(reason)

    def expire(self) -> None:
        """End the stream: its token has."""
        self._logins.ended(self)
        if self._outlet is not None:
            self._outlet.end(EXPIRED)

    async def _ask(self, token: str, peer: Peer, metadata: Metadata, *, outlet: Outlet) -> None:
        work = self._judge(token, peer, metadata, outlet=outlet)
        await self._logins.supervisor.attempt_async("transport", work)
        if self._task is not None:  # It raised what nobody expected: no stream is held for ever.
            self._task = None
            outlet.end(INTERNAL)

    async def _judge(self, token: str, peer: Peer, metadata: Metadata, *, outlet: Outlet) -> None:
        try:
            session = await self._logins.tokens.identify(token, peer.host)
        except LbControlError as error:
            self._task = None
            outlet.end(status_of(error))
            return
        self._task = None
        if self._logins.supervisor.attempt("transport", lambda: self._begin(peer, metadata, outlet, session=session)):
            outlet.resume_reading()
        else:
            outlet.end(INTERNAL)

    def _begin(self, peer: Peer, metadata: Metadata, outlet: Outlet, *, session: Session | None) -> bool:
        self._is_open = True
        self._handler.opened(_proved(peer, session), _without(metadata), outlet)
        if session is not None and self._is_open:  # A handler may end its stream at once.
            self._logins.begun(self, session)
        return True
