"""Every weight and share can be computed again from the JSON of its explanation alone."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from lbcontrol.engine.case import Case, Picture
from lbcontrol.engine.decide import Memo, decide
from lbcontrol.engine.explain import explain
from lbcontrol.model.assignment import Explanation
from tests.support.pictures import pictures

Steps = dict[str, Any]
PESSIMISM = ["not_serving", "draining", "serving", "unknown"]


def as_json(explanation: Explanation) -> Steps:
    """Return the steps by rule, through text."""
    steps = [{"rule": step.rule, "input": step.input, "output": step.output} for step in explanation.steps]
    return {step["rule"]: step for step in json.loads(json.dumps(steps, allow_nan=False))}


def rebuild_merge(claims: list[Steps]) -> Steps:
    """The first claim's weight and place, the most pessimistic health."""
    first = claims[0]
    worst = min((claim["health"] for claim in claims), key=PESSIMISM.index)
    return {"weight": first["weight"], "priority": first["priority"], "zone": first["zone"], "health": worst}


def rebuild_health(values: Steps) -> str:
    """A drain turns all but those not serving into draining."""
    return "draining" if values["drained"] and values["registry"] != "not_serving" else str(values["registry"])


def rebuild_priority(values: Steps) -> int | None:
    """The number of smaller tiers with takers, at most the last tier's number."""
    if values["health"] == "not_serving":
        return None
    asked = int(values["asked"])
    if values["prefer_zone"] is not None:
        asked = 0 if values["zone"] == values["prefer_zone"] else 1
    tiers: list[int] = values["tiers"]
    smaller: int = sum(tier < asked for tier in tiers)
    return min(smaller, max(len(tiers) - 1, 0))


def rebuild_weight(values: Steps) -> int | None:
    """The operator's or the static weight, scaled when the priority's sum is over the limit."""
    if values["priority"] is None:
        return None
    weight = int(values["static"] if values["set_by_operator"] is None else values["set_by_operator"])
    total, count, limit = (int(values[name]) for name in ("priority_sum", "priority_endpoints", "limit"))
    return weight if total <= limit else max(1, weight * (limit - count) // total)


def rebuild_share(values: Steps, weight: int | None) -> float:
    """The weight's part of priority 0, for who takes new work there."""
    takes = values["health"] in ("serving", "unknown") and values["priority"] == 0
    return weight / values["takers_sum"] if takes and weight is not None else 0.0


def check_chain(steps: Steps) -> tuple[int | None, float]:
    """Hold each step's output against its own input, and each input against the output it came from."""
    merge, health, locality, weighing = (steps[rule] for rule in ("merge", "health", "locality", "weights"))
    assert rebuild_merge(merge["input"]["claims"]) == merge["output"]
    assert health["input"]["registry"] == merge["output"]["health"]
    assert rebuild_health(health["input"]) == health["output"]["health"]
    inputs = locality["input"]
    assert (inputs["asked"], inputs["zone"]) == (merge["output"]["priority"], merge["output"]["zone"])
    assert rebuild_priority(inputs) == locality["output"]["priority"] == weighing["input"]["priority"]
    assert weighing["input"]["static"] == merge["output"]["weight"]
    assert weighing["input"]["health"] == inputs["health"] == health["output"]["health"]
    weight = rebuild_weight(weighing["input"])
    share = rebuild_share(weighing["input"], weight)
    assert weighing["output"] == {"weight": weight, "share": share}
    return weight, share


@settings(deadline=None, derandomize=True, max_examples=100)
@given(picture=pictures())
def test_explanations_rebuild_weights(picture: Picture) -> None:
    """In every cohort the rebuilt weights are the assignment's, and the shares add up to one or nobody serves."""
    decision = decide(picture, Memo(), now=0.0).content
    for cohort, assignment in decision.assignments.items():
        explanations = tuple(explain(Case(picture, decision, {}), cohort))
        rebuilt = {each.address: check_chain(as_json(each)) for each in explanations}
        assert rebuilt == {each.address: (each.weight, each.share) for each in explanations}
        listed = {address: weight for address, (weight, _) in rebuilt.items() if weight is not None}
        assert listed == {each.address: each.weight for each in assignment.endpoints}
        serves = any(each.health.takes_new_work for each in assignment.endpoints)
        assert abs(sum(share for _, share in rebuilt.values()) - serves) < 1e-9
