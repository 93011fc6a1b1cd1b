"""The probe listener: /livez, /readyz and /metrics over HTTP/1.1, for kubelets, load balancers and Prometheus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST

from lbcontrol.transport.listening import Listen, bound, prepared

BACKLOG = 64
HEADER_BYTES = 4_096
"""Longest request line and header; a body is never read."""
IDLE = 15.0
"""Seconds an idle connection is kept."""
CLOSING = 1.0
"""Seconds an answer under way has at shutdown."""


REFUSED = {404: "path", 405: "method"}
"""Reason by the code of the answer."""


Inspects = Callable[[str | None, str], Awaitable[bool]]
"""Says whether a caller with such an ``Authorization`` header, at such an address, may see more than one word."""


def _nobody(reason: str) -> None:
    del reason


async def _everybody(authorization: str | None, host: str) -> bool:
    del authorization, host
    return True


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether clients should be sent here, and what is not as it should be all the same."""

    word: str
    """``ready``, or in one word why not: ``starting``, ``syncing``, ``stopping``."""
    detail: Sequence[str] = ()
    """Lines about sources, for ``?verbose``; a stale source is detail, not a reason to be unready."""

    @property
    def is_ready(self) -> bool:
        """True when the answer is 200."""
        return self.word == "ready"


def application(
    readiness: Callable[[], Readiness],
    *,
    metrics: Callable[[], bytes],
    refused: Callable[[str], None] = _nobody,
    inspects: Inspects = _everybody,
) -> web.Application:
    """Return the three pages; anything else is 404, and whatever is not GET or HEAD is 405, counted by ``refused``.

    Figures and details are for those of whom ``inspects`` says so.
    """

    async def live(request: web.Request) -> web.Response:
        del request
        return _text("ok")

    async def ready(request: web.Request) -> web.Response:
        now = readiness()
        detailed = "verbose" in request.query and await inspects(*_caller(request))
        lines = [now.word, *(now.detail if detailed else ())]
        return _text("\n".join(lines), status=200 if now.is_ready else 503)

    async def exposition(request: web.Request) -> web.Response:
        if not await inspects(*_caller(request)):
            return _text("LB502: the role inspect is needed", status=403 if "Authorization" in request.headers else 401)
        readiness()  # The gauge "ready" says what /readyz would.
        body = await asyncio.to_thread(metrics)  # Thousands of series take longer than a loop turn may.
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    pages = web.Application(client_max_size=1, middlewares=[_counting(refused)])
    pages.on_response_prepare.append(_anonymous)
    for path, page in (("/livez", live), ("/readyz", ready), ("/metrics", exposition)):
        pages.router.add_get(path, page)
    return pages


def _caller(request: web.Request) -> tuple[str | None, str]:
    return request.headers.get("Authorization"), request.remote or ""


def _counting(refused: Callable[[str], None]) -> Middleware:
    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as answer:
            refused(REFUSED.get(answer.status, "malformed"))
            raise

    return counted


async def _anonymous(request: web.Request, response: web.StreamResponse) -> None:
    """Leave out which software answers, in which version: who only reaches the port need not know."""
    del request
    response.headers.pop("Server", None)


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=f"{text}\n", status=status, headers={"Cache-Control": "no-store"})


class Noise(logging.Filter):
    """Keeps out of the log, with its stack, what is no HTTP: whoever reaches the port could fill the log with it."""

    def __init__(self, refused: Callable[[str], None]) -> None:
        """Count by ``refused`` instead."""
        super().__init__()
        self._refused = refused

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False, and count, for what a client did wrong."""
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            self._refused("malformed")
            return False
        return True


class Probe:
    """The listener; made by ``serve_probe``."""

    def __init__(self, listen: Listen, runner: web.AppRunner, *, noise: Noise) -> None:
        """Keep what ``serve_probe`` has started."""
        self._noise = noise
        self.listen = listen
        """Where it listens, with the port that was chosen."""
        self._runner = runner

    async def stop(self) -> None:
        """Close the listener and its connections."""
        await self._runner.cleanup()
        logging.getLogger("aiohttp.server").removeFilter(self._noise)


async def serve_probe(
    listen: Listen,
    readiness: Callable[[], Readiness],
    *,
    metrics: Callable[[], bytes],
    refused: Callable[[str], None] = _nobody,
    inspects: Inspects = _everybody,
) -> Probe:
    """Serve the pages on ``listen``, which is not a Unix socket.

    Args:
        listen: Port 0 lets the system choose.
        readiness: Asked for each ``/readyz``.
        metrics: Renders ``/metrics``; called in a thread.
        refused: Counts what is no request, or none for these pages, by its reason.
        inspects: Says who may see figures and details.

    Raises:
        AccessError: the address cannot be bound (LB501).
    """
    noise = Noise(refused)
    logging.getLogger("aiohttp.server").addFilter(noise)
    runner = web.AppRunner(
        application(readiness, metrics=metrics, refused=refused, inspects=inspects),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=IDLE,
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        shutdown_timeout=CLOSING,
    )
    await runner.setup()
    try:
        with prepared(listen):
            # Bound by us: aiohttp would take IPv6 alone on [::], and the kubelet of an IPv4 cluster would find nobody.
            await web.SockSite(runner, bound(listen), backlog=BACKLOG).start()
    except BaseException:
        await Probe(listen, runner, noise=noise).stop()
        raise
    port = int(runner.addresses[0][1])
    return Probe(Listen(listen.host, port), runner, noise=noise)
