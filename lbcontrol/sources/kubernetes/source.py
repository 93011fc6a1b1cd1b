"""The Kubernetes source: a reflector for each kind and namespace, and a question for a sign of life beside them.

Nothing is told before every reflector has listed once. Whatever is lost afterwards, what was known stays in force, and
the difference is told when it is known again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.ports import Scheduler, Sink
from lbcontrol.runtime.supervision import sleep
from lbcontrol.sources.kubernetes.api import Api, connect
from lbcontrol.sources.kubernetes.objects import Key, Service, Slice, service_of, slice_of
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.reflector import Kind, Reflector

GATHER = 0.01
"""Seconds for which changes are gathered into one update: a rollout touches several objects at once."""
PROBE = 5.0
"""Seconds between two questions for a sign of life."""
PROBED = "/livez"
"""What is asked for it."""
MOST = 100
"""Services told at once; then others run."""

_log = structlog.get_logger("lbcontrol.sources.kubernetes")


class KubernetesSource:
    """Watches one cluster."""

    def __init__(self, name: str, options: KubernetesOptions, *, scheduler: Scheduler, rng: random.Random) -> None:
        """Connect nothing yet."""
        self._options = options
        self._scheduler = scheduler
        self._rng = rng
        self._picture = Picture(name, options)
        self._session: Session | None = None

    def findings(self) -> Sequence[Finding]:
        """Return why the cluster cannot be read now."""
        return () if self._session is None else self._session.findings()

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled."""
        api = await connect(self._options)
        self._picture.tell_all_again()
        kinds = list(self._kinds(api))
        session = self._session = Session(
            self._picture, sink, scheduler=self._scheduler, kinds=[kind.what for kind in kinds]
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(session.tell())
                group.create_task(self._probe(api, session))
                for kind in kinds:
                    made = Reflector(kind, session, host=api.host, scheduler=self._scheduler, rng=self._rng)
                    group.create_task(made.run())
        finally:
            await api.close()

    def _kinds(self, api: Api) -> Iterator[Kind]:
        for namespace in self._options.namespaces or ("",):
            of = f" of {namespace}" if namespace else ""
            services = api.services(namespace, self._options.selector)
            yield Kind(f"services{of}", services, service_of, Services(self._picture, namespace))
            yield Kind(f"endpointslices{of}", api.slices(namespace), slice_of, Slices(self._picture, namespace))

    async def _probe(self, api: Api, session: Session) -> None:
        while True:
            try:
                await api.alive()
            except SourceUnavailableError as error:
                session.unwell(PROBED, error)
            else:
                session.well(PROBED)
            await sleep(PROBE, self._scheduler)


class Session:
    """One run: what is still missing, what is wrong, and what the sink is told."""

    def __init__(self, picture: Picture, sink: Sink, *, scheduler: Scheduler, kinds: Sequence[str]) -> None:
        """Wait for every kind to be listed, unless all were in a run before."""
        self._picture = picture
        self._sink = sink
        self._scheduler = scheduler
        self._missing = set(kinds)
        self._synced = False
        self._troubles: dict[str, SourceUnavailableError] = {}
        self._stirred = asyncio.Event()
        if picture.is_whole:
            self._stirred.set()

    def findings(self) -> Sequence[Finding]:
        """Return what is wrong now."""
        return tuple(dict.fromkeys(error.finding for error in self._troubles.values()))

    def listed(self, what: str) -> None:
        """A whole list is in force."""
        self._missing.discard(what)
        self._picture.is_whole = self._picture.is_whole or not self._missing
        self.well(what)
        self.moved()

    def moved(self) -> None:
        """Something may be different."""
        self._stirred.set()

    def well(self, what: str) -> None:
        """The API server answers; the source is alive when nothing else is wrong."""
        was = self._troubles.pop(what, None)
        if not self._troubles and (was or what == PROBED):
            self._sink.alive()

    def unwell(self, what: str, error: SourceUnavailableError) -> None:
        """It does not; the source is stale."""
        if what not in self._troubles:
            _log.warning("cannot read", what=what, error=str(error))
        self._troubles[what] = error
        self._sink.stale(error)

    async def tell(self) -> None:
        """Tell the sink what changes, until cancelled."""
        while True:
            await self._stirred.wait()
            await sleep(GATHER, self._scheduler)
            self._stirred.clear()
            if self._picture.is_whole:
                await self._tell_all()

    async def _tell_all(self) -> None:
        done = not self._missing
        while self._picture.is_stirred:
            if telling := self._picture.take(MOST):
                self._sink.update(telling.changed, telling.removed)
            await asyncio.sleep(0)
        if done and not self._synced:
            self._synced = True
            self._sink.synced()


@dataclass(frozen=True, slots=True)
class Services:
    """The Services of a picture in one namespace, or in all for ""."""

    picture: Picture
    namespace: str

    def keys(self) -> set[Key]:
        """Return what is known."""
        return self.picture.service_keys(self.namespace)

    def put(self, item: Service) -> None:
        """A Service is new or different."""
        self.picture.put_service(item)

    def drop(self, key: Key) -> None:
        """A Service is gone."""
        self.picture.drop_service(key)


@dataclass(frozen=True, slots=True)
class Slices:
    """The EndpointSlices of a picture in one namespace, or in all for ""."""

    picture: Picture
    namespace: str

    def keys(self) -> set[Key]:
        """Return what is known."""
        return self.picture.slice_keys(self.namespace)

    def put(self, item: Slice) -> None:
        """An EndpointSlice is new or different."""
        self.picture.put_slice(item)

    def drop(self, key: Key) -> None:
        """An EndpointSlice is gone."""
        self.picture.drop_slice(key)
