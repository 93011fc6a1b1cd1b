"""Clusters that go while a client moves to others: who is on the way is not told that where it stands is gone.

A client that was told another route first fetches the clusters that it leads to. Until it has them it keeps sending
calls where it did, and only then gives up the old cluster; told earlier that it is gone, it would fail those calls
(measured 2026-11-25, grpcio 1.85.3 and grpc-go 1.85.0: 2 to 3 calls of 400 a second for each rename of a service).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from lbcontrol.frontends.xds.subscription import Subscription
from lbcontrol.frontends.xds.ticks import SharedTick
from lbcontrol.model.rendering import ListenerForm, Resource, ResourceType, RouteForm

PATIENCE = 5.0
"""Seconds a client that moves has to give up a cluster, before it is told that it is gone."""


Subscriptions = Mapping[ResourceType, Subscription]


def _told(subs: Subscriptions, type_: ResourceType) -> Mapping[str, Resource]:
    """Return what the client was told of a type, stand-ins left out."""
    entries = subs[type_].entries if type_ in subs else {}
    return {name: entry.told for name, entry in entries.items() if entry.told is not None and entry.told.service}


def wanted_by(subs: Subscriptions) -> Collection[str]:
    """Return the clusters that the routes a client was told lead to."""
    forms = [resource.form for resource in _told(subs, ResourceType.ROUTE).values()]
    return {name for form in forms if isinstance(form, RouteForm) for name, _ in form.backends}


class Departures:
    """Whether one client is on the way. Its timer is the shared one."""

    __slots__ = ("_patient", "_ticks", "_waits")

    def __init__(self, ticks: SharedTick) -> None:
        """Begin with a client that stays."""
        self._ticks = ticks
        self._waits = False
        self._patient = True

    def wait(self, subs: Subscriptions) -> bool:
        """Return whether the client moves: it has still to fetch what it was led to, or had a moment ago."""
        if not (self._patient and ResourceType.ROUTE in subs):
            return False
        forms = [resource.form for resource in _told(subs, ResourceType.LISTENER).values()]
        routes = {form.route_name for form in forms if isinstance(form, ListenerForm)}
        clusters = subs[ResourceType.CLUSTER].entries if ResourceType.CLUSTER in subs else {}
        to_come = routes - _told(subs, ResourceType.ROUTE).keys()
        return self._waits or bool(to_come) or not clusters.keys() >= set(wanted_by(subs))

    def begin(self, over: Callable[[], None]) -> bool:
        """Note that a removal is held back, and call ``over`` when it was for too long; True, for short."""
        if not self._waits:
            self._waits = True
            self._ticks.call((self, "over"), PATIENCE, callback=lambda: self._end(over))
        return True

    def drop(self) -> None:
        """Forget it: the stream ends."""
        self._ticks.drop((self, "over"))

    def _end(self, over: Callable[[], None]) -> None:
        self._waits = self._patient = False
        over()
        self._patient = True
