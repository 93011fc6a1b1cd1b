"""The three listeners of a server: opened together or not at all, closed with a grace period."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Iterator

import structlog

from lbcontrol.app.assembly import Core
from lbcontrol.app.faces import Faces
from lbcontrol.app.identities import Inspectors
from lbcontrol.app.limits import admin_limits, client_limits
from lbcontrol.app.probe import Probe, Readiness, serve_probe
from lbcontrol.model.errors import AccessError
from lbcontrol.transport.binding import Offer, Server, binding
from lbcontrol.transport.listening import FLAG

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
        core = self._core.ground
        config, metrics = core.config, core.metrics
        limits = config.document.limits
        operators = admin_limits(limits)
        clients = dataclasses.replace(
            client_limits(limits), is_short=lambda: self._core.memory.is_short, fast_path=core.fast_path
        )
        serve = binding(config.transport)
        try:
            with _chosen_by("--probe"):
                self._probe = await serve_probe(
                    config.probe,
                    self._readiness,
                    metrics=metrics.render,
                    refused=self._refused,
                    inspects=Inspectors(core.authorizer, core.logins),
                )
            for flag, methods, listen, most in (
                ("--admin", self._faces.admin, core.listens(config.admin, config.tls.admin), operators),
                ("--grpc", self._faces.clients, core.listens(config.grpc, config.tls.grpc), clients),
            ):
                offer = Offer(methods, core.scheduler, metrics, most, self._faces.protocols)
                with _chosen_by(flag):
                    self._servers.append(await serve(offer, listen))
        except BaseException:
            await self._close(0.0)
            raise
        admin, grpc = (str(server.listen) for server in self._servers)
        _log.info("listening", grpc=grpc, admin=admin, probe=str(self._probe.listen), transport=config.transport)
        if not core.fast_path:
            _log.warning("fast path off: every message goes the long way", do="unset LBCONTROL_FAST_PATH")

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


@contextlib.contextmanager
def _chosen_by(flag: str) -> Iterator[None]:
    """Name the flag of the listener in what to do when its address cannot be bound."""
    try:
        yield
    except AccessError as error:
        finding = error.finding
        raise AccessError(dataclasses.replace(finding, do=finding.do.replace(FLAG, flag))) from error
