"""A dictionary in place of engine, compiler and publisher: views whose resources a test publishes.

Like the publisher it tells followers in the next turn of the loop, so that changes in a row become one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2

from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment, Decision, Mark
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, Form, LocalityForm, Resource, ResourceType
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.views import ALL, Absence, Change, Follower
from tests.conformance.control_group import MAKERS
from tests.conformance.subject import Document

WORDS = {
    ResourceType.CLUSTER: "CDS",
    ResourceType.ENDPOINTS: "EDS",
    ResourceType.LISTENER: "LDS",
    ResourceType.ROUTE: "RDS",
}
"""Short name by type, in make-before-break order."""
KINDS = {"gRPC Go": "grpc-go", "gRPC Node Pure JS": "grpc-node", "envoy": "envoy"}
STAND_INS = frozenset({ResourceType.LISTENER, ResourceType.ROUTE})
Key = tuple[ResourceType, str]


def kind_of(user_agent: str) -> str:
    """Return the kind of a user agent."""
    return KINDS.get(user_agent, "unknown")


def _health(item: Mapping[str, str]) -> Health:
    return Health.DRAINING if item["health"] == "Draining" else Health.SERVING


def decision_of(document: Document, revision: int) -> Decision:
    """Return the decision behind a service, one locality per endpoint."""
    endpoints = tuple(
        AssignedEndpoint(Address.parse(item["address"]), item["weight"], Locality("r", "z", str(n)), 0, _health(item))
        for n, item in enumerate(document["endpoints"])
    )
    name = document["name"]
    return Decision(name, Mark(1, revision), {EVERYONE: Assignment(name, EVERYONE, endpoints)})


def endpoints_form(decision: Decision) -> EndpointsForm:
    """Return the list as gRPC clients get it: what drains is left out."""
    groups = tuple(
        LocalityForm(each.locality, each.priority, each.weight, (EndpointForm(each.address, each.health),))
        for each in decision.assignments[EVERYONE].endpoints
        if each.health.takes_new_work
    )
    return EndpointsForm(decision.service, groups, carrier="locality")


def _stand_in(type_: ResourceType, name: str) -> bytes:
    listener = listener_pb2.Listener(name=name, stat_prefix="nobody")
    form = listener if type_ is ResourceType.LISTENER else route_pb2.RouteConfiguration(name=name)
    body: bytes = form.SerializeToString(deterministic=True)
    return body


def made(type_: ResourceType, name: str, body: bytes, *, service: str, form: Form | None = None) -> Resource:
    """Return a resource; its version is the digest of its bytes."""
    version = hashlib.sha256(body).hexdigest()[:16]
    return Resource(type_, name, version=version, body=body, form=form, service=service)


class FakeView:
    """What one kind of client is told."""

    def __init__(self, world: FakeWorld, kind: str) -> None:
        """Share the world's resources."""
        self._world = world
        self.kind = kind
        self.carrier = "endpoint" if kind == "envoy" else "locality"
        self.jitter = 5.0 if kind == "grpc-node" else 0.0
        self.followers: dict[Change, dict[Follower, None]] = {}
        self.rejections: list[tuple[str, str, str]] = []
        """(name, peer, reason) of each NACK."""
        self.acceptances: list[Resource] = []
        self._stand_ins: dict[Key, Resource] = {}

    def resource(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002
        """Return what is published, or a stand-in; Envoy has no listeners."""
        if type is ResourceType.LISTENER and self.kind == "envoy":
            return self.missing(type, name)
        found = self._world.resources.get((type, name))
        return found if found is not None else self.missing(type, name)

    def missing(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002
        """Return a stand-in for gRPC once the sources have synced."""
        if not self._world.complete:
            return Absence.WAITING
        if type not in STAND_INS or not self.kind.startswith("grpc"):
            return Absence.UNKNOWN
        if (type, name) not in self._stand_ins:
            self._stand_ins[type, name] = made(type, name, _stand_in(type, name), service="")
        return self._stand_ins[type, name]

    def names(self, type: ResourceType) -> Sequence[str] | None:  # noqa: A002
        """Return the services; Envoy has no listeners."""
        if not self._world.complete:
            return None
        listeners_of_envoy = type is ResourceType.LISTENER and self.kind == "envoy"
        return () if listeners_of_envoy else tuple(sorted(self._world.decisions))

    def less_gone(self, good: Resource, newest: Resource) -> Resource:
        """Leave the last good one as it is."""
        del newest
        return good

    @property
    def synced(self) -> bool:
        """What is not there yet is in a source that has not synced."""
        return self._world.complete

    def known(self, type: ResourceType) -> Sequence[str]:  # noqa: A002
        """Return the services that are there."""
        return self.names(type) or ()

    def decision(self, name: str) -> Decision | None:
        """Return the decision of a service."""
        return self._world.decisions.get(name)

    def follow(self, follower: Follower, what: Change) -> None:
        """Note a follower."""
        self.followers.setdefault(what, {})[follower] = None

    def unfollow(self, follower: Follower, what: Change) -> None:
        """Forget it."""
        self.followers.get(what, {}).pop(follower, None)
        if not self.followers.get(what, {"": None}):
            del self.followers[what]

    def rejected(self, resource: Resource, *, peer: str, reason: str) -> None:
        """Remember."""
        self.rejections.append((resource.name, peer, reason))

    def acknowledged(self, resource: Resource) -> None:
        """Remember."""
        self.acceptances.append(resource)

    def tell(self, changes: Sequence[Change]) -> None:
        """Tell every follower what concerns it, at most once each."""
        told: dict[Follower, dict[Change, None]] = {}
        for change in changes:
            wildcard = self.followers.get((change[0], ALL), {})
            for follower in {**self.followers.get(change, {}), **wildcard}:
                told.setdefault(follower, {})[change] = None
        for follower, mine in told.items():
            follower.changed(tuple(mine))


class FakeWorld:
    """Views over published services."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Begin empty, with nothing synced."""
        self._scheduler = scheduler
        self.complete = False
        self.resources: dict[Key, Resource] = {}
        self.decisions: dict[str, Decision] = {}
        self.views: dict[str, FakeView] = {}
        self._changed: dict[Change, None] = {}
        self._revision = 0

    def view(self, profile: ClientProfile) -> FakeView:
        """Return the view of a kind."""
        if profile.kind not in self.views:
            self.views[profile.kind] = FakeView(self, profile.kind)
        return self.views[profile.kind]

    def publish(self, services: Sequence[Document], *, complete: bool = True) -> None:
        """Make ``services`` the whole state; followers are told in the next turn."""
        before, synced = self.resources, self.complete
        self._revision += 1
        fresh = {document["name"]: decision_of(document, self._revision) for document in services}
        old = self.decisions
        self.decisions = {
            name: old[name] if name in old and old[name].assignments == each.assignments else each
            for name, each in fresh.items()
        }
        self.complete = complete
        self.resources = {
            (type_, document["name"]): self._made(type_, document) for type_ in WORDS for document in services
        }
        self._mark([key for key in {**before, **self.resources} if before.get(key) is not self.resources.get(key)])
        if complete is not synced:
            self._mark([change for view in self.views.values() for change in view.followers])

    def _made(self, type_: ResourceType, document: Document) -> Resource:
        name = document["name"]
        body = MAKERS[WORDS[type_]](document).SerializeToString(deterministic=True)
        form = endpoints_form(self.decisions[name]) if type_ is ResourceType.ENDPOINTS else None
        resource = made(type_, name, body, service=name, form=form)
        old = self.resources.get((type_, name))
        return old if old is not None and old.version == resource.version else resource

    def _mark(self, changes: Sequence[Change]) -> None:
        if changes and not self._changed:
            self._scheduler.call_soon(self._flush)
        self._changed.update(dict.fromkeys(changes))

    def _flush(self) -> None:
        order = list(WORDS)
        changes = sorted(self._changed, key=lambda change: (order.index(change[0]), change[1]))
        self._changed = {}
        for view in self.views.values():
            view.tell(changes)
