"""Sources: what they say replaces what they said, and losing one empties nothing."""

from __future__ import annotations

import dataclasses

from lbcontrol.engine.events import SourceAlive, SourceStale, SourceSynced
from lbcontrol.engine.state import SourceState
from lbcontrol.model.assignment import EVERYONE, Mark, Urgency
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import BackendRef, RouteRule
from tests.support.builders import Fed, claim, endpoint, lost, snapshot, updated, weights


def test_snapshot_replaces_that_source_s_picture_only() -> None:
    """Each source's endpoints come and go with its own snapshots."""
    fed = Fed("one", "two")
    fed.feed(updated(snapshot([endpoint(1), endpoint(2)])), updated(snapshot([endpoint(3)], source="two")))
    assert fed.one(updated(snapshot([endpoint(2)]))).urgency is Urgency.IMMEDIATE
    assert weights(fed.greeter()) == {"2": 1, "3": 1}


def test_service_exists_while_any_source_has_it() -> None:
    """The last source that takes it back makes the removal; its mark goes on from there."""
    fed = Fed("one", "two")
    fed.feed(updated(snapshot([endpoint(1)])), updated(snapshot([endpoint(2)], source="two")))
    assert not fed.one(updated(removed=["greeter"])).removed
    gone = fed.one(dataclasses.replace(updated(removed=["greeter"]), source="two"))
    assert (gone.removed, gone.assignments, gone.mark) == (True, {}, Mark(1, 4))
    assert (gone.urgency, gone.cause) == (Urgency.IMMEDIATE, "removed")
    assert fed.engine.case("greeter") is None
    assert fed.engine.is_unknown("greeter")
    assert fed.one(updated(snapshot([endpoint(1)]))).mark == Mark(1, 5)


def test_service_that_never_was_is_not_removed() -> None:
    """Taking back what nobody served says nothing to anybody."""
    assert Fed().feed(updated(removed=["greeter"])) == ()


def test_changed_wins_over_removed_in_one_event() -> None:
    """A source that replaces a service in one breath has it."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])))
    fed.feed(updated(snapshot([endpoint(2), endpoint(3)]), removed=["greeter"]))
    assert weights(fed.greeter()) == {"2": 1, "3": 1}
    assert [state.endpoints for state in fed.engine.sources()] == [2]


def test_document_that_only_attaches_a_policy_defines_nothing() -> None:
    """A policy for a service without endpoints waits; rules come the same way."""
    rule = RouteRule((BackendRef("greeter-v2"),))
    fed = Fed("one", "two")
    attached = snapshot(source="two", defines=False, policies=(claim(timeout=3.0),), rules=(rule,), aliases=("g",))
    assert fed.feed(updated(attached)) == ()
    assert fed.engine.is_unknown("greeter")
    assert fed.engine.is_unknown("g")
    decision = fed.one(updated(snapshot([endpoint(1)])))
    assert (decision.policy.timeout, decision.rules) == (3.0, (rule,))
    assert decision.assignments[EVERYONE].policy.timeout == 3.0
    fed.feed(updated(removed=["greeter"]))
    assert fed.engine.services() == ()


def test_stale_source_empties_nothing() -> None:
    """The endpoints stay; the decision names the source for people and may wait."""
    fed = Fed("one", "two")
    fed.feed(updated(snapshot([endpoint(1)])), updated(snapshot([endpoint(2)], service="cart", source="two")))
    decision = fed.one(SourceStale("one", lost()))
    assert (decision.service, decision.stale_sources) == ("greeter", ("one",))
    assert (decision.urgency, decision.cause) == (Urgency.WEIGHT, "endpoints")
    assert weights(decision.assignments[EVERYONE].endpoints) == {"1": 1}
    assert fed.feed(SourceStale("one", lost("still refused"))) == ()
    assert fed.one(SourceAlive("one")).stale_sources == ()


def test_source_state_is_kept_for_people() -> None:
    """Counts, times and the newest reason; stale since the first one."""
    fed = Fed("one", sync=False)
    fed.feed(SourceSynced("one", complete=False), updated(snapshot([endpoint(1), endpoint(2)])))
    fed.feed(SourceStale("one", lost()), SourceStale("one", lost("timed out")))
    assert fed.engine.sources() == (
        SourceState(
            "one",
            synced=True,
            complete=False,
            stale=lost("timed out"),
            stale_since=1004.0,
            last_event_at=1003.0,
            services=1,
            endpoints=2,
        ),
    )
    fed.feed(SourceAlive("one"))
    (state,) = fed.engine.sources()
    assert (state.stale, state.stale_since, state.last_event_at) == (None, None, 1006.0)


def test_equal_content_makes_no_decision() -> None:
    """A new mark, place or object of the source is no news to clients."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1, origin="a.yaml:4")], mark="1")))
    assert fed.feed(updated(snapshot([endpoint(1, origin="a.yaml:5")], mark="2"))) == ()
    case = fed.engine.case("greeter")
    assert case is not None
    assert (case.snapshots[0].mark, case.decision.mark) == ("2", Mark(1, 1))


def test_source_s_warnings_are_shown() -> None:
    """What a source tolerated stands with the decision, first."""
    warning = Finding("LB120", "weight without effect", severity=Severity.WARNING)
    fed = Fed()
    decision = fed.one(updated(snapshot([endpoint(1)], findings=(warning,))))
    assert decision.findings == (warning,)


def test_source_that_nobody_added_is_added() -> None:
    """Its first update makes it a source like any other."""
    fed = Fed("one")
    fed.feed(updated(snapshot([endpoint(1)], source="two")))
    assert [state.name for state in fed.engine.sources()] == ["one", "two"]
