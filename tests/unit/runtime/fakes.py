"""A compiler, knowledge and followers small enough to see through, and a publisher built on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment, Decision, Mark, Urgency
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import (
    Balancer,
    ClusterForm,
    EndpointForm,
    EndpointsForm,
    Form,
    ListenerForm,
    LocalityForm,
    Resource,
    ResourceType,
    RouteForm,
)
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.publisher import Publisher, PublisherOptions
from lbcontrol.runtime.view import PublishedView
from lbcontrol.runtime.views import Absence, Change

CLUSTER, ENDPOINTS, LISTENER, ROUTE = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINTS,
    ResourceType.LISTENER,
    ResourceType.ROUTE,
)
BAD_WEIGHT = 666
"""A weight the fake compiler finds fault with."""
RAISING_WEIGHT = 667
"""A weight the fake compiler raises at."""

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """Capabilities of the fake compiler."""

    kind: str = "grpc-go"
    carrier: str = "locality"
    weight_delay: float = 0.0
    restart_jitter: float = 0.0
    stand_in: bool = True
    listeners: bool = True
    namespace: str = ""

    def without_namespace(self) -> Kind:
        """Have none anyway."""
        return self


KINDS = {
    "grpc-go": Kind(),
    "grpc-cpp": Kind("grpc-cpp"),
    "grpc-node": Kind("grpc-node", weight_delay=1.0, restart_jitter=5.0),
    "envoy": Kind("envoy", "endpoint", stand_in=False, listeners=False),
}


class FakeCompiler:
    """One locality per endpoint; every type has one form, listeners one per name."""

    def capabilities_for(self, profile: ClientProfile) -> Kind:
        """Look the kind up."""
        return KINDS.get(profile.kind, Kind("unknown", stand_in=False))

    def share_key(self, capabilities: Any, type: ResourceType) -> Hashable:  # noqa: A002
        """Share by carrier."""
        return capabilities.carrier if type is ENDPOINTS else None

    def forms(
        self,
        decision: Decision,
        type: ResourceType,  # noqa: A002
        *,
        cohort: str,
        capabilities: Any,
        previous: Form | None,
    ) -> tuple[Form, ...]:
        """Make the forms."""
        assigned = decision.assignments[cohort].endpoints
        if any(each.weight == RAISING_WEIGHT for each in assigned):
            raise ZeroDivisionError("weights")
        if type is CLUSTER:
            return (ClusterForm(decision.service, (Balancer.WRR_LOCALITY_ROUND_ROBIN,)),)
        if type is ROUTE:
            return (RouteForm(decision.service, ((decision.service, 1),)),)
        if type is LISTENER:
            return tuple(ListenerForm(name, decision.service) for name in (decision.service, *decision.aliases))
        return (EndpointsForm(decision.service, tuple(map(locality, assigned)), carrier=capabilities.carrier),)

    def stand_in(self, name: str, type: ResourceType, *, capabilities: Any) -> Form | None:  # noqa: A002
        """Stand in for listeners and routes."""
        forms: dict[ResourceType, Form] = {LISTENER: ListenerForm(name, "nowhere"), ROUTE: RouteForm(name, ())}
        return forms.get(type)

    def problems(self, form: Form) -> tuple[Finding, ...]:
        """Find fault with one weight."""
        bad = isinstance(form, EndpointsForm) and any(each.weight == BAD_WEIGHT for each in form.localities)
        return (Finding("LB301", "bad weight"),) if bad else ()


def locality(each: AssignedEndpoint) -> LocalityForm:
    """Return an endpoint as a locality of its own."""
    return LocalityForm(each.locality, each.priority, each.weight, (EndpointForm(each.address, each.health),))


def encode(form: Form) -> bytes:
    """Return bytes that are equal for equal forms."""
    return repr(form).encode()


class FakeKnowledge:
    """What a test says is known."""

    def __init__(self) -> None:
        self.settled = True
        self.synced = True
        self.defined: set[str] = set()

    def is_unknown(self, name: str) -> bool:
        """Return whether the name is not defined."""
        return self.settled and name not in self.defined


class Stream:
    """A follower that keeps what it is told, and reads it as a front end would."""

    def __init__(self, view: PublishedView) -> None:
        self.view = view
        self.told: list[tuple[Change, ...]] = []
        self.read: dict[Change, Resource | Absence] = {}

    def changed(self, changes: Sequence[Change]) -> None:
        """Note the call and read each resource anew."""
        self.told.append(tuple(changes))
        for change in changes:
            self.read[change] = self.view.resource(*change)

    def follow(self, *changes: Change) -> Stream:
        """Follow and read."""
        for change in changes:
            self.view.follow(self, change)
            self.read[change] = self.view.resource(*change)
        return self

    def leave(self) -> None:
        """Follow nothing any more."""
        for change in self.read:
            self.view.unfollow(self, change)


class HeldWorker:
    """Background work that a test lets go by hand."""

    def __init__(self) -> None:
        self.jobs: deque[Callable[[], None]] = deque()

    def start(self, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Keep the job."""
        self.jobs.append(lambda: done(work()))

    def step(self) -> None:
        """Do the oldest job."""
        self.jobs.popleft()()


class World:
    """A publisher on virtual time."""

    def __init__(self, options: PublisherOptions | None = None) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.knowledge = FakeKnowledge()
        self.compiler = FakeCompiler()
        self.publisher = Publisher(
            encode,
            self.clock,
            compiler=self.compiler,
            knowledge=self.knowledge,
            metrics=self.metrics,
            options=options,
        )
        self._revisions = 0

    def view(self, kind: str = "grpc-go", zone: str = "") -> PublishedView:
        """Return the view of a kind in a zone."""
        return self.publisher.view(ClientProfile(kind=kind, locality=Locality("r" if zone else "", zone)))

    def stream(self, *changes: Change, kind: str = "grpc-go", zone: str = "") -> Stream:
        """Open a stream that follows ``changes``."""
        return Stream(self.view(kind, zone)).follow(*changes)

    def decide(self, service: str, *weights: int, **more: Any) -> Decision:
        """Publish a decision with one endpoint per weight; weight 0 drains, None in place leaves out."""
        self._revisions += 1
        made = decision(service, *weights, revision=self._revisions, **more)
        if made.removed:
            self.knowledge.defined -= {service}
        else:
            self.knowledge.defined |= {service, *made.aliases}
        self.publisher.receive(made)
        return made

    def sample(self, name: str, **labels: str) -> float:
        """Return the value of a metric."""
        return self.metrics.registry.get_sample_value(f"lbcontrol_{name}", labels) or 0.0

    def encodes(self, type: ResourceType = ENDPOINTS) -> float:  # noqa: A002
        """Return how many resources of a type were encoded."""
        return self.sample("encodes_total", protocol="xds", type=type.value)


def decision(
    service: str,
    *weights: int,
    revision: int = 1,
    zones: Sequence[str] = (),
    urgency: Urgency = Urgency.IMMEDIATE,
    **more: Any,
) -> Decision:
    """Return a decision with one endpoint per weight; weight 0 drains. Each zone has a cohort of its own."""
    endpoints = tuple(
        AssignedEndpoint(
            Address("127.0.0.1", 50_000 + place),
            weight or 1,
            Locality("r", "z", str(place)),
            0,
            Health.SERVING if weight else Health.DRAINING,
        )
        for place, weight in enumerate(weights)
    )
    cohorts = (EVERYONE, *(f"zone=r/{zone}" for zone in zones))
    assignments = {cohort: Assignment(service, cohort, endpoints) for cohort in cohorts}
    return Decision(service, Mark(1, revision), assignments, urgency=urgency, cause="endpoints", **more)


def ports_of(form: EndpointsForm) -> list[int]:
    """Return the ports of a form's endpoints."""
    return [endpoint.address.port for each in form.localities for endpoint in each.endpoints]


def body(answer: Resource | Absence) -> bytes:
    """Return the bytes of an answer that must be a resource."""
    assert isinstance(answer, Resource), answer
    return answer.body
