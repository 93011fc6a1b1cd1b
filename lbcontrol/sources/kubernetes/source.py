"""The Kubernetes source: a reflector for each kind and namespace, and a question for a sign of life beside them.

Nothing is told before every reflector has listed once. Whatever is lost afterwards, what was known stays in force, and
the difference is told when it is known again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler, Sink
from lbcontrol.runtime.supervision import sleep
from lbcontrol.sources.kubernetes.api import Api, RefusedError, connect
from lbcontrol.sources.kubernetes.objects import Key, Service, Slice, service_of, slice_of
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.policies import Policy, policy_of
from lbcontrol.sources.kubernetes.reflector import Kind, Reflector
from lbcontrol.sources.kubernetes.reporting import Reporting
from lbcontrol.sources.kubernetes.status import InForce

GATHER = 0.01
"""Seconds for which changes are gathered into one update: a rollout touches several objects at once."""
PROBE = 5.0
"""Seconds between two questions for a sign of life."""
PROBED = "/livez"
"""What is asked for it."""
MOST = 100
"""Services told at once; then others run."""
POLICIES = "servicepolicies"
"""The kind that the source works without when it is not installed, or may not be read."""

_log = structlog.get_logger("lbcontrol.sources.kubernetes")


class KubernetesSource:
    """Watches one cluster."""

    def __init__(
        self,
        name: str,
        options: KubernetesOptions,
        *,
        scheduler: Scheduler,
        rng: random.Random,
        metrics: Metrics | None = None,
    ) -> None:
        """Connect nothing yet."""
        self._options = options
        self._scheduler = scheduler
        self._rng = rng
        self._picture = Picture(name, options)
        self._session: Session | None = None
        self._reporting = Reporting(self._picture, options, scheduler=scheduler, rng=rng, metrics=metrics or Metrics())

    def findings(self) -> Sequence[Finding]:
        """Return why the cluster cannot be read or written now, and what is wrong with what it says."""
        session = () if self._session is None else self._session.findings()
        return (*session, *self._reporting.findings(), *self._picture.findings())

    def follow(self, in_force: InForce) -> Callable[[str], None]:
        """Learn whom to ask what is in force; returns what is to be told of every service that is decided."""
        self._reporting.follow(in_force)
        return self._reporting.decided

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled."""
        api = await connect(self._options)
        self._picture.tell_all_again()
        kinds = list(self._kinds(api))
        session = self._session = Session(
            self._picture, sink, scheduler=self._scheduler, kinds=[kind.what for kind in kinds]
        )
        session.told = self._reporting.wake if self._options.write_status else self._picture.take_moved
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(session.tell())
                group.create_task(self._probe(api, session))
                if self._options.write_status:
                    group.create_task(self._reporting.run(api))
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
            yield Kind(f"{POLICIES}{of}", api.policies(namespace), policy_of, Policies(self._picture, namespace))

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
        self._lacking: dict[str, Finding] = {}
        """Kinds that the source works without, and why it has to."""
        self.told: Callable[[], object] = lambda: None
        """Called when the sink was told what is new."""
        self._stirred = asyncio.Event()
        if picture.is_whole:
            self._stirred.set()

    def findings(self) -> Sequence[Finding]:
        """Return what is wrong now."""
        troubles = (error.finding for error in self._troubles.values())
        return tuple(dict.fromkeys((*troubles, *self._lacking.values())))

    def listed(self, what: str) -> None:
        """A whole list is in force."""
        self._has(what)
        self.well(what)
        self.moved()

    def _has(self, what: str) -> None:
        self._missing.discard(what)
        self._picture.is_whole = self._picture.is_whole or not self._missing

    def moved(self) -> None:
        """Something may be different."""
        self._stirred.set()

    def well(self, what: str) -> None:
        """The API server answers; the source is alive when nothing else is wrong."""
        self._lacking.pop(what, None)
        was = self._troubles.pop(what, None)
        if not self._troubles and (was or what == PROBED):
            self._sink.alive()

    def unwell(self, what: str, error: SourceUnavailableError) -> None:
        """It does not; the source is stale, unless it works without this kind."""
        if what in self._lacking or (what.startswith(POLICIES) and isinstance(error, RefusedError)):
            self._work_without(what, error)
            return
        if what not in self._troubles:
            _log.warning("cannot read", what=what, error=str(error))
        self._troubles[what] = error
        self._sink.stale(error)

    def _work_without(self, what: str, error: SourceUnavailableError) -> None:
        """Go on with the policies known, at first with none, until they can be read."""
        if what not in self._lacking:
            _log.warning("works without", what=what, error=str(error))
        self.well(what)
        self._lacking[what] = unread_policies(error.finding)
        self._has(what)
        self.moved()

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
        self.told()


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


@dataclass(frozen=True, slots=True)
class Policies:
    """The ServicePolicies of a picture in one namespace, or in all for ""."""

    picture: Picture
    namespace: str

    def keys(self) -> set[Key]:
        """Return what is known."""
        return self.picture.policies.keys(self.namespace)

    def put(self, item: Policy) -> None:
        """A ServicePolicy is new or different."""
        self.picture.put_policy(item)

    def drop(self, key: Key) -> None:
        """A ServicePolicy is gone."""
        self.picture.drop_policy(key)


def unread_policies(cause: Finding) -> Finding:
    """Return the finding of a cluster whose ServicePolicies cannot be read."""
    return Finding(
        "LB240", "ServicePolicies are not read", at=cause.at, why=cause.why,
        effect="Services are balanced without the policies that were not read before; tried again within 30 s",
        do="kubectl apply -k deploy/kubernetes/crd, and give the service account list and watch on servicepolicies",
        severity=Severity.WARNING,
    )  # fmt: skip
