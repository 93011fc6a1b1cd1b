"""A server with stream handlers that tests can look into, and stock grpc.aio clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import TypeAlias

import grpc
import grpc.aio

from lbcontrol.model.clients import Peer
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Metadata, Method, Outlet, Scheduler, Status, StatusCode, StatusError
from lbcontrol.transport import grpcio
from lbcontrol.transport.binding import Offer
from lbcontrol.transport.http2 import server as http2
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.streams import StreamLimits
from lbcontrol.transport.tls.credentials import Credentials
from lbcontrol.transport.tls.files import TlsFiles
from tests.support.aio import calm
from tests.support.pki import Pki, make_pki

Server: TypeAlias = "grpcio.Server | http2.Server"
TLS = "+tls"
"""End of the name of a binding that serves with certificates, and wants one of its clients."""
SERVES: dict[str, Callable[..., Awaitable[Server]]] = {
    "grpcio": grpcio.serve,
    f"grpcio{TLS}": grpcio.serve,
    "http2": http2.serve,
    f"http2{TLS}": http2.serve,
}
"""Every binding by its name in the configuration."""
chosen: ContextVar[str] = ContextVar("chosen", default="grpcio")
"""The binding that ``served`` uses; a fixture sets it, so that each test runs on every one."""

STREAM, UNARY = "/test.Echo/Stream", "/test.Echo/Unary"
LOOPBACK = Listen("127.0.0.1", 0)
MOST = 1_000
"""Most bytes of a message of the unary method; the stream takes ten times as many."""


class Echo:
    """Sends back what it receives, newest first in line; words make it do other things."""

    def __init__(self) -> None:
        self.peer = Peer("")
        self.metadata: Metadata = {}
        self.outlet: Outlet | None = None
        self.got: list[bytes] = []
        self.newest: Payload | None = None
        self.refused = 0
        self.half = False
        self.closings: list[str] = []
        self.over = asyncio.Event()

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        self.peer, self.metadata, self.outlet = peer, metadata, outlet

    def received(self, message: bytes) -> None:
        """Echo, or do what the word says."""
        self.got.append(message)
        assert self.outlet is not None
        if message == b"raise":
            raise RuntimeError("as asked")
        if message == b"pause":
            self.outlet.pause_reading()
        elif message == b"end":
            self.outlet.end(Status(StatusCode.NOT_FOUND, "as asked", b"\x08\x05"))
        else:
            self.send(message)

    def send(self, message: bytes) -> None:
        """Send now, or what is newest when there is room."""
        self.newest = Payload(message)
        self.writable()

    def writable(self) -> None:
        """Send what waits."""
        if self.newest is not None and self.outlet is not None:
            if self.outlet.offer(self.newest):
                self.newest = None
            else:
                self.refused += 1

    def half_closed(self) -> None:
        """End in peace."""
        self.half = True
        if self.outlet is not None:
            self.outlet.end(Status(StatusCode.OK))

    def closed(self, reason: str) -> None:
        """Remember why."""
        self.closings.append(reason)
        self.over.set()


class Served:
    """A running server and its handlers, in the order in which their streams began."""

    def __init__(self, server: Server, metrics: Metrics, *, handlers: list[Echo]) -> None:
        self.server = server
        self.metrics = metrics
        self.handlers = handlers

    def sample(self, name: str, **labels: str) -> float | None:
        """Value of a metric."""
        return self.metrics.registry.get_sample_value(f"lbcontrol_{name}", labels)

    @property
    def target(self) -> str:
        """What a client dials."""
        return str(self.server.listen)


async def _unary(request: bytes, peer: Peer, metadata: Metadata) -> bytes:
    if request == b"refuse":
        raise StatusError(Status(StatusCode.FAILED_PRECONDITION, "not now", b"\x08\x09"))
    if request == b"raise":
        raise RuntimeError("as asked")
    return request + peer.host.encode() + str(metadata.get("x-word", "")).encode()


@functools.cache
def pki() -> Pki:
    """Certificates for all tests of a run."""
    return make_pki(Path(tempfile.mkdtemp(prefix="lbcontrol-pki-")))


def credentials(scheduler: Scheduler, metrics: Metrics) -> Credentials:
    """What a listener with TLS serves with."""
    made = pki()
    files = TlsFiles(made.server.cert, made.server.key, client_ca=made.authority.cert)
    return Credentials(files, scheduler, metrics=metrics)


@contextlib.asynccontextmanager
async def served(
    listen: Listen = LOOPBACK,
    *,
    limits: StreamLimits | None = None,
    clock: Scheduler | None = None,
    make: Callable[[], Echo] = Echo,
) -> AsyncIterator[Served]:
    """Serve the two methods; stop at once at the end."""
    handlers: list[Echo] = []

    def begin() -> Echo:
        handlers.append(make())
        return handlers[-1]

    metrics = Metrics()
    methods = [Method(STREAM, stream=begin, max_message_bytes=10 * MOST)]
    methods.append(Method(UNARY, unary=_unary, max_message_bytes=MOST))
    scheduler = clock or LoopScheduler(asyncio.get_running_loop())
    if chosen.get().endswith(TLS) and listen.tls is None:
        listen = dataclasses.replace(listen, tls=credentials(scheduler, metrics))
    async with calm():
        offer = Offer(methods, scheduler, metrics, limits or StreamLimits(), {STREAM: "native"})
        server = await SERVES[chosen.get()](offer, listen)
        try:
            yield Served(server, metrics, handlers=handlers)
        finally:
            await server.stop(0.0)


Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"


@contextlib.asynccontextmanager
async def dialled(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """A stock client's channel."""
    own_pool = ("grpc.use_local_subchannel_pool", 1)
    if not chosen.get().endswith(TLS):
        async with grpc.aio.insecure_channel(target, options=[own_pool]) as channel:
            yield channel
        return
    root, own = pki().authority.cert.read_bytes(), pki().client
    proof = grpc.ssl_channel_credentials(root, own.key.read_bytes(), own.cert.read_bytes())
    options = [own_pool, ("grpc.ssl_target_name_override", "localhost")]
    async with grpc.aio.secure_channel(target, proof, options=options) as channel:
        yield channel


def stream(channel: grpc.aio.Channel) -> Call:
    """Open a stream."""
    call: Call = channel.stream_stream(STREAM)(metadata=(("x-word", "hi"), ("x-raw-bin", b"\x00\xff")))
    return call


def unary(channel: grpc.aio.Channel, message: bytes, word: str = "", *, path: str = UNARY) -> Awaitable[bytes]:
    """Call the unary method, or another one."""
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(path)
    return call(message, metadata=(("x-word", word),))
