"""Weights: the source's static weight, or the operator's in its place.

Goal: every weight is a whole number of at least 1, and the weights of one priority add up to less than 2^32: clients
reject the whole list otherwise (gRFC A27: weight 0, sum over uint32). Where the sum S of a priority with n listed
endpoints is larger than the limit L = 2^32 - 1, each weight w becomes

    max(1, floor(w * (L - n) / S))

whose sum is at most (L - n) + n = L. Shares move by less than one part in (L - n) / S, except for the weights that the
floor of 1 lifts. Draining endpoints count in the sum: some client kinds are told of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Health
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.policies.merge import Merged
from lbcontrol.policies.step import Chance


@dataclass(frozen=True, slots=True)
class WeightInputs:
    """What the step reads."""

    service: str
    endpoints: Sequence[Merged]
    healths: Sequence[Health]
    priorities: Mapping[str, Sequence[int]]
    """Cohort key to the priority of each endpoint."""
    overrides: Mapping[Address, int]
    """Weights operators set; those for addresses that no source names wait."""


@dataclass(frozen=True, slots=True)
class WeightOutput:
    """Cohort key to the weight of each endpoint."""

    weights: Mapping[str, tuple[int, ...]]
    findings: tuple[Finding, ...] = ()


def step(_state: None, inputs: WeightInputs, _now: float, _rng: Chance | None) -> tuple[None, WeightOutput]:
    """Return the weight of each endpoint in each cohort.

    Raises:
        ValueError: an operator's weight is outside 1 to 2^32 - 1.
    """
    asked = _asked(inputs)
    if sum(asked) <= MAX_WEIGHT_SUM:  # then no part of it is larger
        return None, WeightOutput(dict.fromkeys(inputs.priorities, asked))
    weights = {cohort: _fit(asked, column, inputs.healths) for cohort, column in inputs.priorities.items()}
    scaled = any(column != asked for column in weights.values())
    return None, WeightOutput(weights, (_finding(inputs.service),) if scaled else ())


def fitted(weight: int, *, total: int, count: int) -> int:
    """Return a weight scaled so that ``count`` weights that add up to ``total`` fit the limit of clients."""
    return weight if total <= MAX_WEIGHT_SUM else max(1, weight * (MAX_WEIGHT_SUM - count) // total)


def sums(
    weights: Sequence[int], priorities: Sequence[int], *, healths: Sequence[Health]
) -> tuple[Counter[int], Counter[int]]:
    """Return the sum of weights and the number of listed endpoints by priority."""
    totals: Counter[int] = Counter()
    counts: Counter[int] = Counter()
    for weight, priority, health in zip(weights, priorities, healths, strict=True):
        if health is not Health.NOT_SERVING:
            totals[priority] += weight
            counts[priority] += 1
    return totals, counts


def _asked(inputs: WeightInputs) -> tuple[int, ...]:
    overrides = inputs.overrides
    if not overrides:
        return tuple([each.weight for each in inputs.endpoints])
    for address, weight in overrides.items():
        if not 1 <= weight <= MAX_WEIGHT_SUM:
            raise ValueError(f"the operator's weight of {address} is {weight}; accepted: 1 to {MAX_WEIGHT_SUM}")
    return tuple([overrides.get(each.address, each.weight) for each in inputs.endpoints])


def _fit(asked: Sequence[int], priorities: Sequence[int], healths: Sequence[Health]) -> tuple[int, ...]:
    totals, counts = sums(asked, priorities, healths=healths)
    pairs = zip(asked, priorities, strict=True)
    return tuple([fitted(weight, total=totals[tier], count=counts[tier]) for weight, tier in pairs])


def _finding(service: str) -> Finding:
    return Finding(
        "LB414",
        f'weights of "{service}" are scaled down',
        why=f"clients reject weights that add up to more than {MAX_WEIGHT_SUM} in one priority",
        effect="shares stay the same to within rounding",
        do="use smaller weights",
        severity=Severity.WARNING,
    )
