"""Whatever decisions, streams and time do: after quiet every stream has read the newest compile."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lbcontrol.model.assignment import EVERYONE, Decision, Urgency
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.publisher import PublisherOptions
from lbcontrol.runtime.views import Absence
from tests.unit.runtime.fakes import (
    CLUSTER,
    ENDPOINTS,
    KINDS,
    LISTENER,
    ROUTE,
    HeldWorker,
    Stream,
    World,
    encode,
)

NAMES = ("a", "b", "x")
TYPES = (CLUSTER, ENDPOINTS, LISTENER, ROUTE)
CHANGES = st.tuples(st.sampled_from(TYPES), st.sampled_from(NAMES))


class PublisherMachine(RuleBasedStateMachine):
    """Two services that share an alias, streams of several kinds, a worker that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.worker = HeldWorker()
        self.streams: list[Stream] = []
        self.newest: dict[str, Decision] = {}
        self.versions: dict[str, bytes] = {}

    @initialize(big=st.sampled_from([1, 1000]))
    def begin(self, big: int) -> None:
        """Start with a worker for nearly everything, or for nothing."""
        self.world = World(PublisherOptions(worker=self.worker, big=big))

    @rule(
        service=st.sampled_from(["a", "b"]),
        weights=st.lists(st.integers(0, 3), min_size=1, max_size=3),
        urgency=st.sampled_from(list(Urgency)),
        alias=st.booleans(),
        zone=st.booleans(),
    )
    def decide(self, service: str, weights: list[int], urgency: Urgency, *, alias: bool, zone: bool) -> None:
        """A service gets a new assignment."""
        taken = any("x" in each.aliases for name, each in self.newest.items() if name != service)
        aliases = ("x",) if alias and not taken else ()
        zones = ("z1",) if zone else ()
        self.newest[service] = self.world.decide(service, *weights, urgency=urgency, aliases=aliases, zones=zones)
        if "x" not in {name for each in self.newest.values() for name in each.aliases}:
            self.world.knowledge.defined.discard("x")

    @rule(service=st.sampled_from(["a", "b"]))
    def remove(self, service: str) -> None:
        """A service goes, and its alias with it."""
        gone = self.newest.pop(service, None)
        self.world.knowledge.defined.difference_update(gone.aliases if gone is not None else ())
        self.world.decide(service, removed=True)

    @rule(kind=st.sampled_from(sorted(KINDS)), zone=st.sampled_from(["", "z1"]), what=st.lists(CHANGES, max_size=4))
    def connect(self, kind: str, zone: str, what: list[tuple[ResourceType, str]]) -> None:
        """A stream follows some names."""
        self.streams.append(self.world.stream(*what, kind=kind, zone=zone))

    @rule(place=st.integers(0, 20))
    def leave(self, place: int) -> None:
        """A stream ends."""
        if self.streams:
            self.streams.pop(place % len(self.streams)).leave()

    @rule(settled=st.booleans())
    def settle(self, *, settled: bool) -> None:
        """Sources sync, or one is added."""
        self.world.knowledge.settled = settled
        self.world.publisher.sources_changed()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05, 1.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.world.clock.advance(seconds)

    @rule()
    def work(self) -> None:
        """The worker finishes something."""
        if self.worker.jobs:
            self.worker.step()

    @rule()
    def quiet(self) -> None:
        """Everything comes to rest: each stream has read the newest, and equal versions are equal bytes."""
        self.world.clock.advance(3)
        while self.worker.jobs:
            self.worker.step()
            self.world.clock.advance(3)
        for stream in self.streams:
            for what, read in stream.read.items():
                assert read == stream.view.resource(*what), what
                assert self.expected(stream, *what) == (read.body if isinstance(read, Resource) else read), what

    def expected(self, stream: Stream, type_: ResourceType, name: str) -> bytes | Absence:
        """Compile anew what the stream should have."""
        capabilities = stream.view.capabilities
        listener = type_ is LISTENER
        owner = self.newest.get(name) or next((d for d in self.newest.values() if listener and name in d.aliases), None)
        if owner is not None and (capabilities.listeners or not listener):
            cohort = owner.cohort_for(stream.view._locality) if type_ is ENDPOINTS else EVERYONE
            forms = self.world.compiler.forms(owner, type_, cohort=cohort, capabilities=capabilities, previous=None)
            return next(encode(form) for form in forms if form.name == name)
        if not self.world.knowledge.settled:
            return Absence.WAITING
        form = self.world.compiler.stand_in(name, type_, capabilities=capabilities) if capabilities.stand_in else None
        return Absence.UNKNOWN if form is None else encode(form)

    @invariant()
    def versions_are_digests(self) -> None:
        """A version never stands for two bodies."""
        for stream in self.streams:
            for read in stream.read.values():
                if isinstance(read, Resource):
                    assert self.versions.setdefault(read.version, read.body) == read.body


TestPublisherMachine = PublisherMachine.TestCase
TestPublisherMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
