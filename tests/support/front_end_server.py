"""Front ends behind a real gRPC server in a thread of this process, for tests of clients.

The product's own transport is tested elsewhere; this one is as small as it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import grpc

from lbcontrol.model.clients import Identity, Peer
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Method, Status, StatusError

PEER = Peer("unix:", Identity("ana", authenticated=True))
Result = TypeVar("Result")
CODES = {code.value[0]: code for code in grpc.StatusCode}


class QueueOutlet:
    """Takes any number of payloads and hands them to the call that writes them."""

    def __init__(self) -> None:
        """Begin empty."""
        self.queue: asyncio.Queue[Payload | Status] = asyncio.Queue()

    def offer(self, payload: Payload) -> bool:
        """Queue a payload."""
        self.queue.put_nowait(payload)
        return True

    def end(self, status: Status) -> None:
        """Queue the end."""
        self.queue.put_nowait(status)

    def pause_reading(self) -> None:
        """Nothing to pause: tests send little."""

    def resume_reading(self) -> None:
        """Nothing to resume."""


async def _end(context: Any, status: Status) -> None:
    context.set_trailing_metadata((("grpc-status-details-bin", status.details),) if status.details else ())
    await context.abort(CODES[int(status.code)], status.message)


def _unary(method: Method) -> Any:
    async def call(request: bytes, context: Any) -> bytes:
        assert method.unary is not None
        try:
            return await method.unary(request, PEER, {})
        except StatusError as error:
            await _end(context, error.status)
            raise

    return grpc.unary_unary_rpc_method_handler(call)


def _stream(method: Method) -> Any:
    async def call(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        assert method.stream is not None
        handler, outlet = method.stream(), QueueOutlet()
        handler.opened(PEER, {}, outlet)
        reading = asyncio.create_task(_read(requests, handler))
        try:
            while isinstance(item := await outlet.queue.get(), Payload):
                yield item.message
            if item.code:
                await _end(context, item)
        finally:
            reading.cancel()
            handler.closed("end")

    return grpc.stream_stream_rpc_method_handler(call)


async def _read(requests: AsyncIterator[bytes], handler: Any) -> None:
    async for request in requests:
        handler.received(request)
    handler.half_closed()


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        """Start it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine there and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=5.0)

    def do(self, work: Callable[[], Result]) -> Result:
        """Call a function there and return its result."""

        async def call() -> Result:
            return work()

        return self.wait(call())

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _start(listeners: Sequence[tuple[str, Sequence[Method]]]) -> list[Any]:
    servers = []
    for address, methods in listeners:
        server = grpc.aio.server()
        for method in methods:
            _, service, name = method.path.split("/")
            handler = _unary(method) if method.unary else _stream(method)
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: handler}),))
        server.add_insecure_port(address)
        await server.start()
        servers.append(server)
    return servers


@contextlib.contextmanager
def serving(*listeners: tuple[str, Sequence[Method]]) -> Iterator[Loop]:
    """Serve methods at addresses until the end of the ``with``; yields the loop on which handlers run."""
    loop = Loop()
    try:
        servers = loop.wait(_start(listeners))
        try:
            yield loop
        finally:
            for server in servers:
                loop.wait(server.stop(0.0))
    finally:
        loop.stop()
