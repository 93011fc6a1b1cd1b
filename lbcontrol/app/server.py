"""One server from start to end: parts, listeners, sources, readiness, and an end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
from collections.abc import AsyncIterator, Coroutine

import structlog

from lbcontrol import __version__
from lbcontrol.app import logs
from lbcontrol.app.assembly import Core, assemble, lay_ground
from lbcontrol.app.config import ServerConfig
from lbcontrol.app.faces import build_faces
from lbcontrol.app.listeners import Listeners
from lbcontrol.app.probe import Readiness
from lbcontrol.app.running import RunningSource
from lbcontrol.app.stop import StopOrder
from lbcontrol.app.takeover import TakeOver
from lbcontrol.runtime.authorization import check_exposure
from lbcontrol.runtime.pauses import ShortPauses
from lbcontrol.runtime.supervision import supervise
from lbcontrol.stores.file import FileStore

_log = structlog.get_logger("lbcontrol.server")


async def serve(config: ServerConfig, stop: StopOrder) -> int:
    """Serve until ordered to stop.

    Args:
        config: What to serve.
        stop: Signals; taken already.

    Returns:
        Exit code: 0 after an ordered end, 1 when a part that must not end has ended.

    Raises:
        LbControlError: it could not start; nothing is left running.
    """
    loop = asyncio.get_running_loop()
    stop.attach(loop)
    logs.configure()
    _open_all_files()
    _check_exposure(config)
    core = assemble(lay_ground(config, loop))
    try:
        return await Server(core, stop).run()
    finally:
        core.close()


class Server:
    """A server that is wired and not yet listening."""

    def __init__(self, core: Core, stop: StopOrder) -> None:
        """Keep the parts."""
        self._core = core
        self._stop = stop
        self._pauses = ShortPauses(core.ground.scheduler)
        self._faces = build_faces(core)
        self._listeners = Listeners(core, self._faces, readiness=self.readiness)

    def readiness(self) -> Readiness:
        """Return whether clients should be sent here."""
        views = self._faces.operations.sources()
        detail = [f"source {view.name}: {_state(view.synced, view.stale_for)}" for view in views]
        if self._stop.is_given:
            return Readiness("stopping", detail)
        return Readiness("ready" if self._core.directory.ready else "syncing", detail)

    async def run(self) -> int:
        """Start everything, wait for the order to stop, end everything."""
        core = self._core
        began = core.ground.scheduler.now()
        _announce(core)
        await core.persistence.claim(core.epoch)
        core.memory.start()
        self._pauses.start()
        core.lag.start()
        async with self._working() as working:
            await self._listeners.open()
            failed = await self._until_stop(working, began)
            await self._listeners.close(core.ground.config.document.shutdown_grace, hurried=self._stop.hurried)
        self._pauses.stop()
        if core.ground.logins is not None:
            await core.ground.logins.close()
        await core.persistence.flush()
        _log.info("stopped")
        return int(failed)

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Run hub, persistence and sources; every source has its sink before the hub decides anything."""
        core = self._core
        renewals = [each.run() for each in core.ground.credentials]
        parts = [self._keeping(), *renewals, *map(self._watching, core.sources)]
        tasks = [asyncio.create_task(part) for part in (core.hub.run(), *parts)]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keeping(self) -> None:
        """Keep the state store up to date, once it is ours."""
        core = self._core
        if isinstance(core.ground.store, FileStore):
            taking = TakeOver(core.ground.store, core.persistence, engine=core.engine, hub=core.hub)
            await taking.run(core.epoch, core.ground.scheduler)
        await core.persistence.run()

    def _watching(self, running: RunningSource) -> Coroutine[None, None, None]:
        """Return the task of one source, whose sink is made now."""
        ground, chance = self._core.ground, random.SystemRandom()
        sink = self._core.hub.sink(running.name)
        return supervise(
            running.name, running.source, sink=sink, scheduler=ground.scheduler, metrics=ground.metrics, rng=chance
        )

    async def _until_stop(self, working: list[asyncio.Task[None]], began: float) -> bool:
        """Wait for the order to stop; True when a part ended that must not."""
        asked = asyncio.create_task(self._stop.asked())
        ready = asyncio.create_task(self._tell_ready(began))
        done, _ = await asyncio.wait([asked, *working], return_when=asyncio.FIRST_COMPLETED)
        for task in (asked, ready):
            task.cancel()
        await asyncio.gather(asked, ready, return_exceptions=True)
        ended = [task for task in done if task is not asked]
        for task in ended:
            _log.critical("ended by itself", part=str(task.get_coro()), exc_info=task.exception())
        _log.info("stopping", grace=self._core.ground.config.document.shutdown_grace)
        return bool(ended)

    async def _tell_ready(self, began: float) -> None:
        """Log once when the server has become ready."""
        directory, changed = self._core.directory, asyncio.Event()
        undo = directory.watch("", changed.set)
        try:
            while not directory.ready:
                await changed.wait()
                changed.clear()
        finally:
            undo()
        seconds = round(self._core.ground.scheduler.now() - began, 3)
        _log.info("ready", services=len(directory.decisions()), seconds=seconds)


def _check_exposure(config: ServerConfig) -> None:
    """Refuse listeners that strangers could use; raises AccessError (LB505)."""
    document = config.document
    tokens = document.authentication is not None and document.authentication.kubernetes is not None
    for listen, tls, operators in ((config.grpc, config.tls.grpc, False), (config.admin, config.tls.admin, True)):
        check_exposure(
            str(listen),
            encrypted=tls is not None,
            authenticated=tls is not None and (tls.authenticates or tokens),
            operators=operators,
            insecure=config.insecure,
        )
    rights = document.authorization is not None or document.authentication is not None  # They guard /metrics.
    check_exposure(str(config.probe), authenticated=rights, insecure=config.insecure)


def _open_all_files() -> None:
    """Let this process open as many files as it may: each connection is one, and the usual limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _announce(core: Core) -> None:
    """Say what this server is and what it lacks."""
    config = core.ground.config
    sources = ", ".join(f"{each.name} ({each.type})" for each in core.sources)
    _log.info("starting", version=__version__, config=config.origin or "defaults", sources=sources, epoch=core.epoch)
    _log.info(core.ground.authorizer.description)
    for name, tls in (("grpc", config.tls.grpc), ("admin", config.tls.admin)):
        if tls is not None:
            clients = "need a certificate" if tls.authenticates else "are anonymous without a certificate"
            _log.info("tls", listener=name, cert=str(tls.cert), least=tls.min_version, clients=clients)
    if core.persistence.durable:
        _log.info("state directory", path=str(config.state_dir))
    else:
        _log.info("no state directory: drains and weights of operators are lost on restart", do="set stateDir")


def _state(synced: bool, stale_for: float | None) -> str:  # noqa: FBT001  a row of a table
    if stale_for is not None:
        return f"stale for {stale_for:.0f} s"
    return "synced" if synced else "not synced yet"
