"""Serves methods on grpc.aio: bytes in, bytes out, one thin coroutine per stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import grpc
import grpc.aio

from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Method, Scheduler, Status, StreamHandler, UnaryHandler
from lbcontrol.transport.calls import CODES, PUSHBACK, Context, metadata_of, peer_of, too_large, trailers
from lbcontrol.transport.listening import Listen, prepared, taken
from lbcontrol.transport.stream import GrpcStream
from lbcontrol.transport.streams import StreamLimits, Streams
from lbcontrol.transport.supervised import answer

Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"

LAST_BYTES = 0.2
"""Seconds that ended streams have at least for their status before connections are closed."""
NO_PROTOCOLS: Mapping[str, str] = MappingProxyType({})


def options(limits: StreamLimits, max_bytes: int) -> list[tuple[str, int]]:
    """Return grpc's channel arguments."""
    return [
        ("grpc.so_reuseport", 0),  # A taken port is an error, not a silent half of the clients.
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_concurrent_streams", limits.streams_per_connection),
        # Above about 1,000 waiting calls core resets the others: a storm of clients would lose most of them.
        ("grpc.server.max_pending_requests", 1_000_000),
        ("grpc.server.max_pending_requests_hard_limit", 1_000_000),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.keepalive_time_ms", int(1_000 * limits.keepalive)),
        ("grpc.keepalive_timeout_ms", int(1_000 * limits.keepalive_answer)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.compression_enabled_algorithms_bitset", 1),  # Identity only.
    ]


class _Calls(grpc.GenericRpcHandler):
    """The methods of one listener; grpc asks once for each call."""

    def __init__(self, methods: Iterable[Method], streams: Streams) -> None:
        self._streams = streams
        self._handlers = {method.path: self._handler(method) for method in methods}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return the handler of a method, None for an unknown one."""
        return self._handlers.get(handler_call_details.method)

    def _handler(self, method: Method) -> Handler:
        if method.unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(method, method.unary))
        if method.stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream(method, method.stream))
        raise ValueError(f"{method.path} has no handler")

    def _stream(self, method: Method, make: Callable[[], StreamHandler]) -> Callable[[Any, Context], Awaitable[None]]:
        streams = self._streams

        async def serve_stream(_: object, context: Context) -> None:
            await self._admitted(context)
            stream = GrpcStream(method.path, make(), context=context, owner=streams, max_bytes=method.max_message_bytes)
            streams.begun(stream)
            await stream.run()

        return serve_stream

    def _unary(self, method: Method, handler: UnaryHandler) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def serve_unary(request: bytes, context: Context) -> bytes:
            await self._admitted(context)
            if len(request) > method.max_message_bytes:
                self._streams.refused("message_bytes")
                await _abort(context, too_large(len(request), method.max_message_bytes))
            self._streams.unary(1)
            try:
                peer, metadata = peer_of(context.peer()), metadata_of(context.invocation_metadata())
                answered = await answer(
                    handler, request=request, peer=peer, metadata=metadata, caught=self._streams.caught
                )
            finally:
                self._streams.unary(-1)
            return await _abort(context, answered) if isinstance(answered, Status) else answered

        return serve_unary

    async def _admitted(self, context: Context) -> None:
        """End a call that is one too many."""
        refusal = self._streams.admit()
        if refusal is not None:
            await context.abort(CODES[int(refusal.code)], refusal.message, ((PUSHBACK, self._streams.pushback()),))


async def _abort(context: Context, status: Status) -> bytes:
    """End a unary call with a status; never returns, the type is for the caller's sake."""
    await context.abort(CODES[int(status.code)], status.message, trailers(status))


class Server:
    """A listener with its calls; made by ``serve``."""

    def __init__(self, listen: Listen, server: grpc.aio.Server, *, streams: Streams) -> None:
        """Keep what ``serve`` has started."""
        self.listen = listen
        """Where it listens, with the port that was chosen."""
        self._server = server
        self._streams = streams

    async def stop(self, grace: float) -> None:
        """Stop accepting, end streams spread over ``grace`` seconds, then close.

        A second call with 0, while the first is under way, ends it at once.
        """
        closing = asyncio.create_task(self._server.stop(max(grace, LAST_BYTES)))
        await self._streams.end_all(grace)
        await closing


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
        scheduler: Time, and the one timer that ends old streams.
        metrics: Where streams are counted.
        limits: Limits of this listener.
        protocols: Method path to the label ``protocol`` of ``streams``; others are not counted there.

    Raises:
        AccessError: the address cannot be bound (LB501).
    """
    methods, limits = tuple(methods), limits or StreamLimits()
    streams = Streams(limits, scheduler, metrics=metrics, protocols=protocols)
    most = max((method.max_message_bytes for method in methods), default=0)
    server = grpc.aio.server(handlers=(_Calls(methods, streams),), options=options(limits, most))
    with prepared(listen):
        try:
            port = server.add_insecure_port(str(listen))
        except RuntimeError as error:
            raise taken(listen) from error
    await server.start()
    streams.start()
    return Server(listen if listen.path else Listen(listen.host, port), server, streams=streams)
