"""Wires the parts of one server together; nothing listens, watches or runs yet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from lbcontrol import __version__
from lbcontrol.app.config import ServerConfig
from lbcontrol.app.config_sources import REGISTRY, spec_of
from lbcontrol.app.identities import authorizer_of, logins_of
from lbcontrol.app.running import Findings, Reporting, RunningSource
from lbcontrol.buses.memory import MemoryBus
from lbcontrol.engine import compile as compiler
from lbcontrol.engine.engine import Engine
from lbcontrol.frontends.login import Logins
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.model.assignment import Decision
from lbcontrol.model.services import PolicyClaim
from lbcontrol.policies.client_policy import ranked
from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.directory import Directory
from lbcontrol.runtime.hub import Hub, HubOptions
from lbcontrol.runtime.lag import LagMeter
from lbcontrol.runtime.loads import LoadWindow
from lbcontrol.runtime.memory import MemoryGuard, group_limit
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.owner import LocalOwner
from lbcontrol.runtime.persistence import Persistence
from lbcontrol.runtime.ports import Authorizer
from lbcontrol.runtime.publisher import Publisher, PublisherOptions
from lbcontrol.runtime.registrations import Restorable
from lbcontrol.runtime.worker import Worker
from lbcontrol.stores.file import FileStore
from lbcontrol.stores.memory import MemoryStore
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.tls.credentials import Credentials
from lbcontrol.transport.tls.files import TlsFiles

FAST_PATH = "LBCONTROL_FAST_PATH"
"""Environment variable for tests: ``off`` sends every message the long way, which must lead to the same bytes."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What everything else stands on."""

    config: ServerConfig
    scheduler: LoopScheduler
    metrics: Metrics
    authorizer: Authorizer
    logins: Logins | None
    """Of callers with tokens; None where none are taken."""
    worker: Worker
    """Decides and compiles for big services."""
    questions: Worker
    """Answers what operators ask of them."""
    store: FileStore | MemoryStore
    credentials: tuple[Credentials, ...] = ()
    """Of the listeners with TLS; each once."""
    fast_path: bool = True
    """Whether changes take the short way to clients; ``FAST_PATH`` turns it off."""

    def listens(self, listen: Listen, files: TlsFiles | None) -> Listen:
        """Return where and with which credentials a listener serves."""
        return replace(listen, tls=next((each for each in self.credentials if each.files == files), None))


@dataclass(frozen=True, slots=True)
class Core:
    """From sources to what clients are told."""

    ground: Ground
    epoch: int
    engine: Engine
    persistence: Persistence
    hub: Hub
    publisher: Publisher
    directory: Directory
    loads: LoadWindow
    lag: LagMeter
    memory: MemoryGuard
    sources: tuple[RunningSource, ...]

    def close(self) -> None:
        """Give up threads and locks; nothing may be running any more."""
        self.lag.stop()
        self.memory.stop()
        self.ground.worker.close()
        self.ground.questions.close()
        if isinstance(self.ground.store, FileStore):
            self.ground.store.close()

    def tellers(self) -> list[Findings]:
        """Return the parts that can say what is wrong, besides sources and services."""
        ground = self.ground
        tokens = () if ground.logins is None else (ground.logins.tokens,)
        parts = (self.publisher, self.persistence, ground.store, *ground.credentials, *tokens)
        return [each for each in parts if isinstance(each, Findings)]


def lay_ground(config: ServerConfig, loop: asyncio.AbstractEventLoop) -> Ground:
    """Return what everything else stands on.

    Raises:
        ConfigError: certificates cannot be used.
        StateStoreError: the state directory cannot be used, or another process has it.
    """
    metrics, scheduler = Metrics(), LoopScheduler(loop)
    credentials = tuple(Credentials(each, scheduler, metrics=metrics) for each in config.tls.every())
    store = _store(config, metrics)
    metrics.build_info.labels(__version__).set(1)
    metrics.streams_limit.set(config.document.limits.streams)
    fast_path = os.environ.get(FAST_PATH, "") != "off"
    workers = Worker(loop), Worker(loop, builds=False)
    logins = logins_of(config.document, scheduler, metrics=metrics)
    authorizer = authorizer_of(config.document)
    return Ground(config, scheduler, metrics, authorizer, logins, *workers, store, credentials, fast_path)


def _store(config: ServerConfig, metrics: Metrics) -> FileStore | MemoryStore:
    if config.state_dir is None:
        return MemoryStore()
    return FileStore(config.state_dir, metrics=metrics, patient=config.document.take_over)


def assemble(ground: Ground) -> Core:
    """Wire the core; what the store knew is the first thing the engine will be told.

    Raises:
        StateStoreError: the state directory cannot be read.
    """
    scheduler, metrics = ground.scheduler, ground.metrics
    persistence = Persistence(ground.store, scheduler, metrics=metrics)
    restored = persistence.restore()
    engine = Engine(epoch=restored.epoch)
    bus = MemoryBus(scheduler, metrics=metrics)
    options = HubOptions(grace=ground.config.document.startup_grace, worker=ground.worker, journal=persistence)
    owner = LocalOwner(restored.epoch)
    hub = Hub(engine, bus, scheduler=scheduler, metrics=metrics, owner=owner, options=options)
    publisher = _publisher(ground, hub)
    interval = ground.config.document.control_interval
    directory = Directory(hub, scheduler, metrics=metrics, interval=interval)
    for part in (directory, publisher, persistence):
        bus.subscribe(part.receive)
    for changed in (directory.sources_changed, publisher.sources_changed):
        hub.watch(changed)
    hub.restore(restored.events)
    sources = _sources(ground)
    for registry in (cast("Restorable", each.source) for each in sources if each.type == REGISTRY):
        registry.restore(restored.registrations)
        registry.keep(persistence.registered)
    for reporting in (each.source for each in sources if isinstance(each.source, Reporting)):
        decided = reporting.follow(partial(claims_in_force, engine))
        bus.subscribe(partial(_decided, decided))
    return Core(
        ground,
        restored.epoch,
        engine,
        persistence,
        hub,
        publisher,
        directory,
        LoadWindow(scheduler, metrics=metrics),
        LagMeter(scheduler, metrics=metrics),
        MemoryGuard(ground.config.document.memory.limit or group_limit(), scheduler),
        sources,
    )


def claims_in_force(engine: Engine, service: str) -> Sequence[PolicyClaim] | None:
    """Return the policies that the last decision of a service knew, the one in force first; None without decision."""
    case = engine.case(service)
    return None if case is None else ranked(case.policy_claims)


def _decided(told: Callable[[str], None], decision: Decision) -> None:
    told(decision.service)


def _publisher(ground: Ground, hub: Hub) -> Publisher:
    options = PublisherOptions(interval=ground.config.document.control_interval, worker=ground.worker)
    return Publisher(
        encode, ground.scheduler, compiler=compiler, knowledge=hub, metrics=ground.metrics, options=options
    )


def _sources(ground: Ground) -> tuple[RunningSource, ...]:
    running = []
    for each in ground.config.sources:
        spec = spec_of(each.type)
        source = spec.build(each.name, each.options, scheduler=ground.scheduler, metrics=ground.metrics)
        running.append(RunningSource(each.name, each.type, source))
    return tuple(running)
