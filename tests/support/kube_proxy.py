"""A proxy between the product and a real API server that does what networks and API servers do on bad days.

It speaks plain HTTP on one side, so that it can cut a watch within a line, and answer a list with nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.support.kube import Kube
from tests.support.procs import free_port
from tests.support.silence import drop_what_comes, unacknowledged

PIECE = 1_024
"""Bytes after which a slow proxy waits."""
_EMPTY = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
_GONE = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version"}


class KubeProxy:
    """A context; its fields may be changed at any time, from any thread."""

    def __init__(self, kube: Kube, home: Path) -> None:
        """Stand before ``kube``; files go to ``home``."""
        self.is_down = False
        """Connections are broken off."""
        self.refusal = 0
        """Status of every answer; 0 asks the API server."""
        self.delay = 0.0
        """Seconds to wait for every ``PIECE`` bytes of an answer."""
        self.empty_lists = 0
        """So many lists of EndpointSlices are answered with nothing, whole and of an old version."""
        self.old = ""
        """Version of which the next list of EndpointSlices is."""
        self.gone = ""
        """How the next watch of EndpointSlices hears that its version is gone: by ``status``, or by an ``event``."""
        self.cuts = 0
        """So many lines of watches are cut in their midst."""
        self.asked: Counter[str] = Counter()
        """Lists (each page) and watches of EndpointSlices so far."""
        self._kube, self._home, self._port = kube, home, free_port()
        self._open: dict[asyncio.Task[Any], asyncio.Transport] = {}
        self._mute: set[asyncio.Task[Any]] = set()
        """Those that say nothing any more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the kubeconfig of a user of this proxy."""
        config: dict[str, Any] = json.loads(self._kube.kubeconfig(user).read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._port}"}
        path = self._home / f"{user}.proxied.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def break_watches(self) -> None:
        """Break off every open watch."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._break)

    def vanish(self) -> None:
        """Be gone for every open watch without a word, as behind a path that drops packets; new connections work."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._vanish(), self._loop).result(10.0)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Be down for a while, with all watches broken off."""
        self.is_down = True
        self.break_watches()
        yield
        self.is_down = False

    def __enter__(self) -> Self:
        """Start to listen."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        assert self._started.wait(30.0)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._loop is not None
        assert self._ended is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(30.0)

    def _break(self) -> None:
        for task, transport in list(self._open.items()):
            transport.abort()
            task.cancel()

    async def _vanish(self) -> None:
        self._mute.update(self._open)
        for transport in self._open.values():
            while unacknowledged(transport):  # noqa: ASYNC110  (no event; what is lost would be sent again and again)
                await asyncio.sleep(0.01)
            drop_what_comes(transport)

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=str(self._kube.authority)))
        async with aiohttp.ClientSession(self._kube.url, connector=connector, read_bufsize=2**21) as session:

            async def answer(request: web.BaseRequest) -> web.StreamResponse:
                task = asyncio.current_task()
                assert task is not None
                assert request.transport is not None
                self._open[task] = request.transport
                try:
                    return await self._answer(request, session)
                finally:
                    del self._open[task]
                    self._mute.discard(task)

            runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            self._started.set()
            await self._ended.wait()
            self._break()
            await runner.cleanup()
            await connector.close(abort_ssl=True)
            await asyncio.sleep(0)  # Then the sockets are closed.

    async def _answer(self, request: Any, session: aiohttp.ClientSession) -> web.StreamResponse:
        is_watch = "watch" in request.query
        self.asked["watch" if is_watch else "list"] += request.path.endswith("/endpointslices")
        if self.is_down:
            request.transport.abort()
            return web.Response(status=502)
        if faulty := self._faulty(request, is_watch=is_watch):
            return faulty
        headers = {"Authorization": request.headers.get("Authorization", "")}
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            async with session.get(self._path(request, is_watch=is_watch), headers=headers) as real:
                return await self._passed_on(request, real, self._lines(real) if is_watch else self._pieces(real))
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=502)

    def _path(self, request: Any, *, is_watch: bool) -> str:
        path = str(request.path_qs)
        if not (self.old and request.path.endswith("/endpointslices")) or is_watch:
            return path
        old, self.old = self.old, ""
        return f"{path}&resourceVersion={old}&resourceVersionMatch=Exact"

    def _faulty(self, request: Any, *, is_watch: bool) -> web.Response | None:
        if self.refusal:
            return web.json_response({"message": "not now"}, status=self.refusal)
        if not request.path.endswith("/endpointslices"):
            return None
        if not is_watch and self.empty_lists:
            self.empty_lists -= 1
            return web.json_response(_EMPTY)
        if is_watch and self.gone:
            how, self.gone = self.gone, ""
            event = json.dumps({"type": "ERROR", "object": _GONE}) + "\n"
            return web.json_response(_GONE, status=410) if how == "status" else web.Response(text=event)
        return None

    async def _passed_on(self, request: Any, real: Any, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
        answer = web.StreamResponse(status=real.status, headers={"Content-Type": real.headers["Content-Type"]})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        try:
            async for piece in pieces:
                if asyncio.current_task() in self._mute:
                    await asyncio.Event().wait()
                await answer.write(piece)
            await answer.write_eof()
        finally:
            if real.connection is not None:  # Broken off; in TLS a close would wait for the other side's.
                real.connection.transport.abort()
        return answer

    async def _lines(self, real: Any) -> AsyncIterator[bytes]:
        while line := await real.content.readline():
            if self.cuts:
                self.cuts -= 1
                yield line[: len(line) // 2]
                raise ConnectionError
            await asyncio.sleep(self.delay)
            yield line

    async def _pieces(self, real: Any) -> AsyncIterator[bytes]:
        while piece := await real.content.read(PIECE):
            await asyncio.sleep(self.delay)
            yield piece
