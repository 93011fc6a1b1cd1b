"""The publisher: newest decisions in, per view the resources that are published, and who has to be told.

A decision only marks what it touches. A flush compiles what has followers, encodes what differs, puts it in force in
each view and then tells each follower once, make-before-break. Everything here runs on the loop's thread, except that
big services are compiled by the worker; their last resources stay in force until that is done.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from lbcontrol.model.assignment import Decision, Urgency
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Resource
from lbcontrol.runtime.catalog import Catalog
from lbcontrol.runtime.changes import in_order
from lbcontrol.runtime.compiler import Capabilities, Compiler, Knowledge
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.pacing import Pace
from lbcontrol.runtime.parking import Parking
from lbcontrol.runtime.ports import Scheduler, Timer
from lbcontrol.runtime.rendering import Entry, Job, Key, Renderer, ResourceCache
from lbcontrol.runtime.stand_ins import StandIns
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.runtime.telling import Teller
from lbcontrol.runtime.view import PublishedView, ViewParts
from lbcontrol.runtime.views import Change, Encode, Follower
from lbcontrol.runtime.worker import BIG, Background

ViewKey = tuple[Capabilities, str, str]
"""Capabilities, region and zone."""


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """How the publisher paces and where it works."""

    interval: float = 1.0
    """Seconds between two flushes of weights alone to one view (the control interval)."""
    worker: Background | None = None
    """Compiles big services; without one everything is done on the loop's thread."""
    big: int = BIG
    """Endpoints to compile above which the worker does it."""


class Publisher:
    """Implements ``views.Views``. Views live as long as somebody holds them."""

    def __init__(
        self,
        encode: Encode,
        scheduler: Scheduler,
        *,
        compiler: Compiler,
        knowledge: Knowledge,
        metrics: Metrics,
        options: PublisherOptions | None = None,
    ) -> None:
        """Publish nothing yet; subscribe ``receive`` to the bus and ``sources_changed`` to the hub."""
        self._scheduler = scheduler
        self._metrics = metrics
        self._options = options or PublisherOptions()
        self._teller = Teller(scheduler, Supervisor(metrics, scheduler))
        self._views: weakref.WeakValueDictionary[ViewKey, PublishedView] = weakref.WeakValueDictionary()
        self._busy: dict[str, dict[PublishedView, None]] = {}
        self._postponed: list[Callable[[], None]] = []
        self._timer: Timer | None = None
        self._timer_at = float("inf")
        renderer = Renderer(compiler, encode, metrics=metrics, clock=scheduler)
        self._parts = ViewParts(
            Catalog(),
            ResourceCache(),
            renderer,
            knowledge,
            StandIns(renderer, followed=self._is_followed),
            Parking(metrics),
            metrics,
            scheduler,
            is_big=self._is_big,
            arm=self._arm,
            parked=self._parked,
            settle_parked=self._settle_parked,
            count=self._count,
        )

    def view(self, profile: ClientProfile) -> PublishedView:
        """Return the view of clients like this one; the same object for equal kinds, versions and zones."""
        capabilities = self._parts.renderer.compiler.capabilities_for(profile)
        region, zone = profile.locality.region, profile.locality.zone
        view = self._views.get((capabilities, region, zone))
        if view is None:
            pace = Pace(interval=self._options.interval, delay=capabilities.weight_delay)
            view = PublishedView(capabilities, Locality(region, zone), parts=self._parts, pace=pace)
            self._views[capabilities, region, zone] = view
        return view

    def receive(self, decision: Decision) -> None:
        """Take a decision from the bus; it is published at the next flush."""
        names = self._parts.catalog.put(decision)
        now = self._scheduler.now()
        concerned = False
        for view in self._all():
            view.stale_names()
            if view.concerns(decision.service, names):
                concerned = True
                view.pace.want(decision.service, decision.urgency, now=now)
        if concerned:
            self._arm()
        else:
            self._parts.cache.prune(decision.service, ())

    def sources_changed(self) -> None:
        """Tell those whose answer about an absent name, or about all names, is no longer the same."""
        for view in self._all():
            changes = view.recheck()
            if changes:
                self._tell({view: [(change, False) for change in changes]})

    def flush(self) -> None:
        """Publish everything that waits, and tell everybody, now and on this thread."""
        now = self._scheduler.now()
        ready = self._grouped({view: view.pace.take_all(now) for view in self._all()})
        for service, views in ready.items():
            self._keep(self._render(self._jobs(service, views)))
        self._publish(ready, now)
        self._teller.finish()

    def findings(self) -> list[Finding]:
        """Return why forms are withheld from everybody, and what is parked for a kind of client."""
        return self._parts.cache.findings() + self._parts.parking.findings()

    def _all(self) -> list[PublishedView]:
        return list(self._views.values())

    # Flushing.

    def _arm(self) -> None:
        """See to it that a flush runs when the first view is due."""
        due = min((view.pace.due for view in self._all() if view.pace.due is not None), default=None)
        if due is None or due >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._scheduler.call_later(max(0.0, due - self._scheduler.now()), self._flush_due)

    def _flush_due(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        now = self._scheduler.now()
        due = self._grouped({view: view.pace.take(now) for view in self._all()})
        self._publish({service: views for service, views in due.items() if self._prepare(service, views)}, now)
        postponed, self._postponed = self._postponed, []
        for start in postponed:
            self._teller.tell({}, told=start)
        self._arm()

    def _grouped(self, taken: Mapping[PublishedView, Mapping[str, float]]) -> dict[str, dict[PublishedView, None]]:
        """Turn what each view has to flush into the views of each service."""
        now = self._scheduler.now()
        grouped: dict[str, dict[PublishedView, None]] = {}
        for view, services in taken.items():
            for service, since in services.items():
                grouped.setdefault(service, {})[view] = None
                self._metrics.change_to_sent_seconds.observe(now - since)
        return grouped

    def _prepare(self, service: str, views: dict[PublishedView, None]) -> bool:
        """Bring the service's entries up to date; False when the worker does it and it is published later."""
        if service in self._busy:
            self._busy[service].update(views)
            return False
        jobs = self._jobs(service, views)
        worker = self._options.worker
        if not self._is_big(jobs.values()) or worker is None:
            self._keep(self._render(jobs))
            return True
        self._busy[service] = {}
        self._postponed.append(partial(self._start, worker, service, views))
        return False

    def _start(self, worker: Background, service: str, views: dict[PublishedView, None]) -> None:
        """Have the worker make a big service. Who has to be told of others was: the two would hold up each other."""
        began, jobs = self._scheduler.now(), self._jobs(service, views)
        worker.start(partial(self._render, jobs), partial(self._rendered, service, views, began))

    def _rendered(
        self, service: str, views: dict[PublishedView, None], began: float, entries: dict[Key, Entry]
    ) -> None:
        """Publish what the worker made, and ask for what changed meanwhile."""
        again = self._busy.pop(service)
        self._keep(entries)
        self._publish({service: views}, began)
        for view in again:
            view.pace.want(service, Urgency.IMMEDIATE, now=self._scheduler.now())
        self._arm()

    def _jobs(self, service: str, views: Iterable[PublishedView]) -> dict[Key, Job]:
        """Return what has to be made for these views, each once; drop what no view uses."""
        self._parts.cache.prune(service, {job.key: None for view in self._all() for job in view.jobs(service)})
        jobs = {job.key: job for view in views for job in view.jobs(service)}
        return {
            key: job for key, job in jobs.items() if job.previous is None or job.previous.decision is not job.decision
        }

    def _render(self, jobs: Mapping[Key, Job]) -> dict[Key, Entry]:
        return {key: self._parts.renderer.render(job) for key, job in jobs.items()}

    def _keep(self, entries: Mapping[Key, Entry]) -> None:
        for key, entry in entries.items():
            newest = self._parts.catalog.service(key.service)
            current = self._parts.cache.entry(key)
            if newest is not None and (current is None or current.decision is not newest):
                self._parts.cache.keep(key, entry)

    def _is_big(self, jobs: Iterable[Job]) -> bool:
        return self._options.worker is not None and sum(job.endpoints for job in jobs) > self._options.big

    def _publish(self, ready: Mapping[str, Iterable[PublishedView]], began: float) -> None:
        """Put the services' entries in force, then tell the followers. ``began`` is when work for it started."""
        changes: dict[PublishedView, list[tuple[Change, bool]]] = {}
        for service, views in ready.items():
            for view in views:
                changes.setdefault(view, []).extend(view.apply(service))
        self._tell(changes, told=partial(self._flushed, tuple(changes), began))
        self._flushed(changes, began)

    def _flushed(self, views: Iterable[PublishedView], began: float) -> None:
        """Keep the next flush away from this one: once when it is published, once when all have been told."""
        ended = self._scheduler.now()
        for view in views:
            view.pace.flushed(ended, duration=ended - began)

    def _tell(
        self,
        changes: Mapping[PublishedView, Iterable[tuple[Change, bool]]],
        *,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        tellings: dict[Follower, tuple[Change, ...]] = {}
        for view, changed in changes.items():
            tellings.update(view.followers.tellings(in_order(changed)))
        self._teller.tell(tellings, told=told)

    # Parking and counting.

    def _parked(self, kind: str, resource: Resource) -> None:
        """Have every view of the kind fall back to the last good bytes."""
        for view in self._all():
            if view.kind == kind and view.withholds(resource):
                view.pace.want(resource.service, Urgency.IMMEDIATE, now=self._scheduler.now())
        self._arm()

    def _settle_parked(self, kind: str, resource: Resource) -> None:
        if not any(view.kind == kind and view.withholds(resource) for view in self._all()):
            self._parts.parking.release(kind, resource)

    def _count(self, kind: str, what: Change) -> int:
        return sum(view.followers.count(what) for view in self._all() if view.kind == kind)

    def _is_followed(self, what: Change) -> bool:
        return any(view.followers.has(what) for view in self._all())
