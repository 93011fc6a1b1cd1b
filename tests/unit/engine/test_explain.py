"""Explain and preview: why a weight is what it is, and what an operator's write would do."""

from __future__ import annotations

import pytest

from lbcontrol.engine.case import Case
from lbcontrol.engine.events import OverrideSet, SourceStale
from lbcontrol.engine.explain import explain, preview
from lbcontrol.model.assignment import EVERYONE, Explanation, Mark
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Health
from tests.support.builders import Fed, address, claim, drain, endpoint, lost, set_weight, snapshot, updated, weights


def case_of(fed: Fed) -> Case:
    """Return greeter's case."""
    case = fed.engine.case("greeter")
    assert case is not None
    return case


def reasons(explanation: Explanation) -> dict[str, str]:
    """Return the sentence of each step."""
    return {step.rule: step.reason for step in explanation.steps}


def test_explanation_has_every_step_in_order() -> None:
    """Seven rules, each with a sentence; the ids name the events behind them."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1, weight=3, origin="greeter.yaml:4"), endpoint(2)])))
    first, second = explain(case_of(fed), EVERYONE)
    assert reasons(first) == {
        "merge": "named by one (greeter.yaml:4)",
        "health": "serving: the registry says serving",
        "guards": "none acting",
        "locality": "priority 0",
        "weights": "3 static",
        "subset": "kept: 2 of 2",
        "policy": "RoundRobin, nobody asked for anything else",
    }
    assert (first.weight, first.share, second.share) == (3, 0.75, 0.25)
    assert (first.mark, first.cohort, first.service) == (Mark(1, 1), EVERYONE, "greeter")
    assert [step.event for step in first.steps] == ["e3", "e3", "", "e3", "e3", "", ""]


def test_event_id_is_that_of_the_endpoint_s_last_change() -> None:
    """A source's change and an operator's word move the id of the endpoint concerned; others keep theirs."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1), endpoint(2), endpoint(3)])))
    fed.feed(updated(snapshot([endpoint(1, weight=2), endpoint(2)])), OverrideSet(drain(2)), OverrideSet(drain(9)))
    fed.feed(updated(snapshot([endpoint(1, weight=2), endpoint(2)], mark="again")))
    assert [each.steps[0].event for each in explain(case_of(fed), EVERYONE)] == ["e4", "e5"]
    assert set(case_of(fed).events) == {address(1), address(2)}


def test_explanation_names_operators_and_registries() -> None:
    """Who drained and who set the weight, with their reasons, beside what the sources say."""
    fed = Fed("one", "two")
    fed.feed(updated(snapshot([endpoint(1), endpoint(2)])), updated(snapshot([endpoint(1)], source="two")))
    fed.feed(OverrideSet(drain(1, by="ana", reason="deploy")), OverrideSet(set_weight(2, 8)))
    first, second = (reasons(each) for each in explain(case_of(fed), EVERYONE))
    assert first["merge"] == "named by one, two; weight and place are the first one's, health is the most pessimistic"
    assert first["health"] == "draining: the registry says serving, drained by ana: deploy"
    assert second["weights"] == "8 set by an operator"


def test_explanation_of_an_endpoint_that_gets_nothing() -> None:
    """It is in the answer with no weight and says where it fell out; draining keeps its weight without a share."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1, health=Health.NOT_SERVING), endpoint(2, health=Health.DRAINING)])))
    dead, draining = explain(case_of(fed), EVERYONE)
    assert (dead.weight, dead.share, draining.weight, draining.share) == (None, 0.0, 1, 0.0)
    assert reasons(dead)["locality"] == "left out: it does not serve"
    assert reasons(dead)["weights"] == "none: it does not serve"
    assert reasons(dead)["subset"] == "not listed"


def test_explanation_of_places() -> None:
    """Closed gaps, the client's own zone, and a cohort that does not exist."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1), endpoint(2, priority=7)])))
    far = tuple(explain(case_of(fed), "zone=r1/nowhere"))[1]
    assert (far.cohort, reasons(far)["locality"], far.share) == (EVERYONE, "priority 1: 7 asked for, gaps closed", 0.0)
    policy = claim(prefer_zone=True)
    fed.feed(updated(snapshot([endpoint(1, zone="a"), endpoint(2, zone="b")], policies=(policy,))))
    near, other = explain(case_of(fed), "zone=r1/a")
    assert reasons(near)["locality"] == "priority 0, same zone as the client"
    assert reasons(other)["locality"] == "priority 1, not in the client's zone r1/a"
    assert reasons(near)["policy"] == "RoundRobin, from greeter.yaml:9"


def test_explanation_of_stale_and_scaled() -> None:
    """A stale source is named as the guard that keeps the picture; a scaled weight says so."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1, weight=MAX_WEIGHT_SUM), endpoint(2, weight=MAX_WEIGHT_SUM)])))
    fed.feed(SourceStale("one", lost()))
    first = next(explain(case_of(fed), EVERYONE))
    assert reasons(first)["guards"] == "stale, last picture in force: one"
    assert "static → 2147483646: scaled" in reasons(first)["weights"]


def test_preview_shows_the_decision_without_making_it() -> None:
    """A drain to be put in force and one to be taken back; the case and its mark stay."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1), endpoint(2)])), OverrideSet(drain(2)))
    case = case_of(fed)
    there = preview(case, drain(1), clear=False, wall=0.0)
    assert [each.health for each in there.assignments[EVERYONE].endpoints] == [Health.DRAINING, Health.DRAINING]
    assert (there.mark, there.cause) == (case.decision.mark, "drain")
    back = preview(case, drain(2), clear=True, wall=0.0)
    assert [each.health for each in back.assignments[EVERYONE].endpoints] == [Health.SERVING, Health.SERVING]
    assert case_of(fed) is case


def test_preview_of_nothing_new_is_the_present_decision() -> None:
    """Setting what is set changes nothing; what has expired by then counts for nothing."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), OverrideSet(set_weight(1, 5, expires_at=5000.0)))
    case = case_of(fed)
    assert preview(case, set_weight(1, 5), clear=False, wall=0.0) is case.decision
    later = preview(case, drain(9), clear=False, wall=5000.0)
    assert weights(later.assignments[EVERYONE].endpoints) == {"1": 1}


def test_preview_of_the_impossible_is_refused() -> None:
    """The caller tells the operator; nothing is frozen by asking."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])))
    with pytest.raises(ValueError, match="accepted: 1 to"):
        preview(case_of(fed), set_weight(1, 0), clear=False, wall=0.0)
    assert fed.engine.frozen() == {}


def test_case_shows_the_claims_of_all_sources() -> None:
    """Policies in order of snapshots, whoever wins."""
    fed = Fed("one", "two")
    fed.feed(updated(snapshot([endpoint(1)], policies=(claim("a"),))))
    fed.feed(updated(snapshot(source="two", policies=(claim("b", timeout=2.0),), defines=False)))
    case = case_of(fed)
    assert [each.origin for each in case.policy_claims] == ["a", "b"]
    assert (case.service, [each.source for each in case.snapshots], case.overrides) == ("greeter", ["one", "two"], ())


def test_one_endpoint_is_explained_as_it_is_among_all() -> None:
    """Who asks for one of 10,000 does not wait for the others."""
    fed = Fed("one")
    fed.feed(updated(snapshot([endpoint(1, weight=1), endpoint(2, weight=3)])))
    first, second = explain(case_of(fed), EVERYONE)
    assert list(explain(case_of(fed), EVERYONE, only=second.address)) == [second]
    assert list(explain(case_of(fed), EVERYONE, only=first.address)) == [first]
    assert list(explain(case_of(fed), EVERYONE, only=endpoint(3).address)) == []
