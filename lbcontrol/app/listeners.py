"""The three listeners of a server: opened together or not at all, closed with a grace period."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from lbcontrol.app.assembly import Core
from lbcontrol.app.faces import Faces
from lbcontrol.app.limits import admin_limits, client_limits
from lbcontrol.app.probe import Probe, Readiness, serve_probe
from lbcontrol.transport.binding import Server, binding

_log = structlog.get_logger("lbcontrol.listeners")


class Listeners:
    """Probe first, so that a start can be watched; clients last, when everything they may ask is there."""

    def __init__(self, core: Core, faces: Faces, *, readiness: Callable[[], Readiness]) -> None:
        """Keep what is served; nothing listens yet."""
        self._core = core
        self._faces = faces
        self._readiness = readiness
        self._probe: Probe | None = None
        self._servers: list[Server] = []

    async def open(self) -> None:
        """Open all three.

        Raises:
            AccessError: one cannot be bound (LB501); those opened before are closed again.
        """
        config, metrics = self._core.ground.config, self._core.ground.metrics
        limits = config.document.limits
        operators = admin_limits(limits)
        clients = replace(client_limits(limits), is_short=lambda: self._core.memory.is_short)
        serve = binding(config.transport)
        try:
            self._probe = await serve_probe(
                config.probe, self._readiness, metrics=metrics.render, refused=self._refused
            )
            for methods, listen, most in (
                (self._faces.admin, config.admin, operators),
                (self._faces.clients, config.grpc, clients),
            ):
                scheduler, protocols = self._core.ground.scheduler, self._faces.protocols
                self._servers.append(
                    await serve(methods, listen, scheduler=scheduler, metrics=metrics, limits=most, protocols=protocols)
                )
        except BaseException:
            await self._close(0.0)
            raise
        admin, grpc = (str(server.listen) for server in self._servers)
        _log.info("listening", grpc=grpc, admin=admin, probe=str(self._probe.listen), transport=config.transport)

    def _refused(self, reason: str) -> None:
        self._core.ground.metrics.rejected_total.labels("probe", reason).inc()

    async def close(self, grace: float, *, hurried: Callable[[], Awaitable[None]]) -> None:
        """Stop accepting, end streams spread over ``grace`` seconds, at once when ``hurried`` comes true."""
        closing = asyncio.ensure_future(self._close(grace))
        hurry = asyncio.ensure_future(hurried())
        await asyncio.wait([closing, hurry], return_when=asyncio.FIRST_COMPLETED)
        if not closing.done():
            await asyncio.gather(*(server.stop(0.0) for server in self._servers))
        await closing
        hurry.cancel()

    async def _close(self, grace: float) -> None:
        await asyncio.gather(*(server.stop(grace) for server in self._servers))
        if self._probe is not None:
            await self._probe.stop()
