"""The engine under random sequences of events."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.engine import events
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event
from lbcontrol.model.assignment import EVERYONE, Decision, Mark
from lbcontrol.model.services import ServiceSnapshot
from tests.support.builders import cleared, lost
from tests.support.pictures import overrides, snapshots

PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)
SOURCES = ("one", "two")
SERVICES = ("greeter", "g", "cart")
"""``g`` is also an alias that any of them may claim."""


@st.composite
def updates(draw: st.DrawFn) -> events.SourceUpdated:
    """Return what a source may replace at once."""
    source = draw(st.sampled_from(SOURCES))
    changed = draw(st.lists(st.sampled_from(SERVICES), max_size=2, unique=True))
    removed = draw(st.lists(st.sampled_from(SERVICES), max_size=1))
    return events.SourceUpdated(
        source, tuple(draw(snapshots(source, service=service)) for service in changed), tuple(removed)
    )


names = st.sampled_from(SOURCES)
said = st.sampled_from(SERVICES).flatmap(overrides)
happenings: st.SearchStrategy[Event] = st.one_of(
    updates(),
    updates(),
    st.builds(events.SourceSynced, names, st.booleans()),
    st.builds(events.SourceStale, names, st.just(lost())),
    st.builds(events.SourceAlive, names),
    st.builds(events.OverrideSet, said),
    said.map(cleared),
    st.just(events.GraceEnded()),
)
ADDED: tuple[Event, ...] = tuple(events.SourceAdded(name) for name in SOURCES)
SYNCED: tuple[Event, ...] = tuple(events.SourceSynced(name) for name in SOURCES)


def replay(happened: list[Event], *, epoch: int = 1) -> tuple[Engine, list[Decision]]:
    """Feed a new engine and return all decisions."""
    engine = Engine(epoch=epoch)
    made: list[Decision] = []
    for second, event in enumerate(happened):
        made += engine.apply(event, now=float(second), wall=1000.0 + second)
    return engine, made


def newest(made: list[Decision]) -> dict[str, Decision]:
    """Return the last decision of each service that exists."""
    last = {decision.service: decision for decision in made}
    return {service: decision for service, decision in last.items() if not decision.removed}


@PROPERTY
@given(happened=st.lists(happenings, max_size=14))
def test_marks_only_grow_and_content_always_differs(happened: list[Event]) -> None:
    """Per service each decision is above the last one and says something else."""
    _, made = replay([*ADDED, *happened])
    last: dict[str, Decision] = {}
    for decision in made:
        before = last.get(decision.service)
        assert decision.mark > (before.mark if before else Mark())
        same = {"mark": Mark(), "urgency": 0, "cause": ""}
        assert before is None or dataclasses.replace(before, **same) != dataclasses.replace(decision, **same)  # type: ignore[arg-type]
        last[decision.service] = decision


@PROPERTY
@given(happened=st.lists(happenings, max_size=14))
def test_replay_gives_equal_decisions(happened: list[Event]) -> None:
    """The same events make the same decisions, marks and all, in every process."""
    assert replay([*ADDED, *happened])[1] == replay([*ADDED, *happened])[1]


@PROPERTY
@given(happened=st.lists(happenings, max_size=10), source=names)
def test_stale_source_empties_nothing(happened: list[Event], source: str) -> None:
    """Every endpoint that clients had they still have, as it was."""
    engine, made = replay([*ADDED, *SYNCED, *happened])
    before = newest(made)
    for decision in engine.apply(events.SourceStale(source, lost()), now=99.0, wall=1099.0):
        assert not decision.removed
        assert decision.assignments == before[decision.service].assignments


@PROPERTY
@given(happened=st.lists(happenings, max_size=12))
def test_result_depends_on_the_last_picture_alone(happened: list[Event]) -> None:
    """An engine that sees only the final pictures and overrides decides the same content."""
    engine, made = replay([*ADDED, *SYNCED, *happened])
    final: dict[tuple[str, str], ServiceSnapshot] = {}
    stale: dict[str, Event] = {}
    for event in happened:
        if isinstance(event, events.SourceUpdated):
            for service in event.removed:
                final.pop((event.source, service), None)
            final.update({(event.source, each.service): each for each in event.changed})
        elif isinstance(event, events.SourceStale | events.SourceAlive):
            stale[event.source] = event
    short: list[Event] = [*ADDED, *stale.values(), *(events.OverrideSet(each) for each in engine.overrides())]
    short += [events.SourceUpdated(source, (each,)) for (source, _), each in final.items()]
    _, other = replay([*short, *SYNCED])
    fields = ("assignments", "aliases", "policy", "rules", "stale_sources", "findings")
    one, two = newest(made), newest(other)
    assert {s: [getattr(d, f) for f in fields] for s, d in one.items()} == {
        s: [getattr(d, f) for f in fields] for s, d in two.items()
    }
    assert engine.services() == tuple(sorted(one))


@PROPERTY
@given(first=snapshots("one"), second=snapshots("one"))
def test_there_and_back_gives_equal_content_under_growing_marks(
    first: ServiceSnapshot, second: ServiceSnapshot
) -> None:
    """A, B, A: the third decision says what the first said, and its mark is the highest."""
    there = [dataclasses.replace(each, defines=True) for each in (first, second, first)]
    _, made = replay([*ADDED, *SYNCED, *(events.SourceUpdated("one", (each,)) for each in there)])
    assert [decision.mark.revision for decision in made] in ([1], [1, 2, 3])
    assert made[0].assignments == made[-1].assignments
    assert made[0].findings == made[-1].findings


@PROPERTY
@given(happened=st.lists(happenings, max_size=12), late=st.lists(happenings, max_size=6))
def test_restart_never_takes_away_before_sources_have_synced(happened: list[Event], late: list[Event]) -> None:
    """What was served is served on after a restart, through any events, until every source has synced."""
    _, made = replay([*ADDED, *SYNCED, *happened])
    before = newest(made)
    restored: list[Event] = [events.Restored(decision) for decision in before.values()]
    waiting = [event for event in late if not isinstance(event, events.SourceSynced)]
    engine, after = replay([*ADDED, *restored, *waiting], epoch=2)
    assert not any(decision.removed for decision in after)
    for service, old in before.items():
        case = engine.case(service)
        assert case is not None
        named = {each.address for each in old.assignments[EVERYONE].endpoints}
        spoken = {each.address for snapshot in case.snapshots[:-1] for each in snapshot.endpoints}
        assert named <= {each.address for each in case.decision.assignments[EVERYONE].endpoints} | spoken
        assert case.decision.mark > old.mark
