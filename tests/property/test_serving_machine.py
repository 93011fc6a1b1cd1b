"""From source to client: whatever sources say and clients do, at rest each client's picture is the model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from lbcontrol.engine import events
from lbcontrol.model.assignment import EVERYONE
from lbcontrol.model.endpoints import Health
from lbcontrol.model.services import BackendRef, RouteRule, ServiceSnapshot
from tests.support.builders import drain, endpoint, lost
from tests.support.spine import Spine, XdsClient, clusters, hosts, route_name

SOURCES = ("one", "two")
SERVICES = ("a", "b", "c")
NAMES = (*SERVICES, "x", "nobody")
"""``x`` is an alias that any service may claim."""

ENDPOINTS = st.builds(
    lambda number, weight, health, zone: endpoint(number, weight=weight, health=health, zone=zone),
    st.integers(0, 5),
    st.integers(1, 3),
    st.sampled_from([Health.SERVING, Health.SERVING, Health.DRAINING, Health.NOT_SERVING]),
    st.sampled_from(["", "z1", "z2"]),
)
RULES = st.sampled_from([(), (("b", 1), ("c", 2)), (("a", 1), ("nobody", 1)), (("a", 0), ("b", 1))])


def rules_of(refs: tuple[tuple[str, int], ...]) -> tuple[RouteRule, ...]:
    """Return one rule over these services."""
    return (RouteRule(tuple(BackendRef(*ref) for ref in refs)),) if refs else ()


@st.composite
def pictures(draw: st.DrawFn) -> ServiceSnapshot:
    """Return what a source may say of a service."""
    return ServiceSnapshot(
        draw(st.sampled_from(SERVICES)),
        draw(st.sampled_from(SOURCES)),
        endpoints=tuple(draw(st.lists(ENDPOINTS, max_size=4, unique_by=lambda each: each.address))),
        aliases=draw(st.sampled_from([(), ("x",)])),
        rules=rules_of(draw(RULES)),
    )


class ServingMachine(RuleBasedStateMachine):
    """Two sources, three services that share an alias, clients of every kind and both variants."""

    def __init__(self) -> None:
        super().__init__()
        self.spine = Spine(*SOURCES)
        self.clients: list[XdsClient] = []

    @rule(changes=st.lists(pictures(), min_size=1, max_size=3), removed=st.lists(st.sampled_from(SERVICES), max_size=2))
    def update(self, changes: list[ServiceSnapshot], removed: list[str]) -> None:
        """A source replaces some services at once."""
        source = changes[0].source
        mine = {each.service: each for each in changes if each.source == source}
        gone = tuple(name for name in removed if name not in mine)
        self.spine.feed(events.SourceUpdated(source, tuple(mine.values()), gone))

    @rule(source=st.sampled_from(SOURCES), complete=st.sampled_from([True, True, True, False]))
    def sync(self, source: str, *, complete: bool) -> None:
        """A source has handed over everything, or all that was readable."""
        self.spine.feed(events.SourceSynced(source, complete))

    @rule(source=st.sampled_from(SOURCES), alive=st.booleans())
    def life(self, source: str, *, alive: bool) -> None:
        """A source is lost, or back."""
        self.spine.feed(events.SourceAlive(source) if alive else events.SourceStale(source, lost()))

    @rule()
    def grace(self) -> None:
        """The wait at the start is over."""
        self.spine.feed(events.GraceEnded())

    @rule(number=st.integers(0, 5), service=st.sampled_from(SERVICES))
    def drain(self, number: int, service: str) -> None:
        """An operator drains."""
        self.spine.feed(events.OverrideSet(drain(number, service=service)))

    @precondition(lambda self: len(self.clients) < 5)
    @rule(
        kind=st.sampled_from(["grpc-cpp", "grpc-go", "grpc-node", "envoy", "unknown"]),
        variant=st.sampled_from(["sotw", "delta"]),
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        zone=st.sampled_from(["", "z1"]),
    )
    def connect(self, kind: str, variant: str, names: list[str], zone: str) -> None:
        """A client connects; a proxy or an unknown one follows everything."""
        wanted = names if kind.startswith("grpc") else []
        self.clients.append(self.spine.client(kind, *wanted, variant=variant, zone=zone))

    @precondition(lambda self: self.clients)
    @rule(place=st.integers(0, 4), names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    def retarget(self, place: int, names: list[str]) -> None:
        """A client opens and closes channels."""
        client = self.clients[place % len(self.clients)]
        if not client.wild:
            client.names(*names)

    @precondition(lambda self: self.clients)
    @rule(place=st.integers(0, 4), what=st.sampled_from(["close", "stall", "go_on"]))
    def disturb(self, place: int, what: str) -> None:
        """A client goes, reads nothing, or reads again."""
        client = self.clients[place % len(self.clients)]
        getattr(client, what)()
        if what == "close":
            self.clients.remove(client)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.045, 1.0]))
    def wait(self, seconds: float) -> None:
        """Time passes, and some read."""
        self.spine.clock.advance(seconds)
        for client in self.clients[::2]:
            client.read()

    @rule()
    def quiet(self) -> None:
        """Everything comes to rest."""
        for client in self.clients:
            client.go_on()
        for _ in range(4):
            self.spine.rest()
            for client in self.clients:
                client.read()
        for client in self.clients:
            assert client.status is None
            self.judge(client)

    def teardown(self) -> None:
        """End at rest, and leave nothing behind."""
        self.quiet()

    # The model, from the engine's cases alone.

    def owner(self, name: str) -> str | None:
        """Return the service that serves a name, as far as decided."""
        for service in self.spine.engine.services():
            case = self.spine.engine.case(service)
            assert case is not None
            if name == service or name in case.decision.aliases:
                return service
        return None

    def serving(self, service: str) -> set[str]:
        """Return the addresses that take new calls."""
        case = self.spine.engine.case(service)
        assert case is not None
        everyone = case.decision.assignments[EVERYONE].endpoints
        return {each.address.host for each in everyone if each.health.takes_new_work}

    def judge(self, client: XdsClient) -> None:
        """Compare a client's picture with the model."""
        services = set(self.spine.engine.services())
        if client.wild:
            if self.spine.settled:
                assert set(client.held["CDS"]) == services
                assert set(client.held["EDS"]) == services
            for service, body in client.held["EDS"].items():
                if service in services:
                    assert hosts(body) == self.serving(service)
            return
        asked = client.asked["LDS"] | client.asked.get("CDS", frozenset())
        waiting = any(self.owner(name) is None for name in asked) and not self.spine.settled
        for name in client.asked["LDS"]:
            owner = self.owner(name)
            if owner is None:
                self.judge_absent(client, name)
            elif not waiting:
                self.judge_served(client, name, owner)

    def judge_absent(self, client: XdsClient, name: str) -> None:
        """A name that nobody serves fails at once when that is certain."""
        if self.spine.settled:
            route = client.held["RDS"].get(route_name(client.held["LDS"][name]), b"")
            assert not clusters(route)

    def judge_served(self, client: XdsClient, name: str, owner: str) -> None:
        """A name that is served leads to the service's clusters and endpoints."""
        assert route_name(client.held["LDS"][name]) == owner
        case = self.spine.engine.case(owner)
        assert case is not None
        rules = case.decision.rules
        wanted = {r.service: r.weight for r in rules[0].backends if r.weight} if rules else {owner: 1}
        assert set(clusters(client.held["RDS"][owner])) == set(wanted)
        for service in wanted:
            if self.owner(service) != service:
                assert hosts(client.held["EDS"].get(service, b"")) == set()
            else:
                assert hosts(client.held["EDS"][service]) == self.serving(service)


TestServingMachine = ServingMachine.TestCase
TestServingMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
