"""Difference: whether a decision says anything new, why, and how soon clients must hear of it.

What takes work away from a backend (removal, drain, health) or sends calls elsewhere (routing, policy, priority) goes
out at once; an addition may wait 50 ms for its neighbours; a weight waits for the control interval (DESIGN.md
section 3, coalescing). Endpoints that did not change are the same objects, so that finding the few that did costs one
look per endpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Decision, Urgency
from lbcontrol.model.endpoints import Address, Health

CAUSES = ("drain", "health", "policy", "endpoints", "weight")
"""Of several equally urgent causes the first is named."""
FOR_PEOPLE = (Urgency.WEIGHT, "endpoints")
"""Only staleness or findings differ: no client dials differently."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How soon, and why."""

    urgency: Urgency
    cause: str


@dataclass(frozen=True, slots=True)
class Known:
    """Addresses that sources name, listed or not: tells an ejection from a removal."""

    before: Collection[Address] = ()
    after: Collection[Address] = ()


def difference(before: Decision, after: Decision, *, known: Known) -> Difference | None:
    """Return how ``after`` differs from ``before``, both of a service that exists; None when it says the same."""
    if says_the_same(before, after):
        return None
    found = list(_all(before, after, known)) or [FOR_PEOPLE]
    urgency = max(urgency for urgency, _ in found)
    cause = min((cause for each, cause in found if each is urgency), key=CAUSES.index)
    return Difference(urgency, cause)


def says_the_same(one: Decision, other: Decision) -> bool:
    """Return whether two decisions have the same content; mark, urgency and cause are not content."""
    return (
        one.assignments == other.assignments
        and one.aliases == other.aliases
        and one.policy == other.policy
        and one.rules == other.rules
        and one.stale_sources == other.stale_sources
        and one.findings == other.findings
    )


def _all(before: Decision, after: Decision, known: Known) -> Iterator[tuple[Urgency, str]]:
    if (before.policy, before.rules, before.aliases) != (after.policy, after.rules, after.aliases):
        yield Urgency.IMMEDIATE, "policy"
    old, new = before.assignments[EVERYONE].endpoints, after.assignments[EVERYONE].endpoints
    if old != new:
        yield from _endpoints(old, new, known)
    elif before.assignments != after.assignments:
        yield Urgency.IMMEDIATE, "endpoints"  # a zone's list alone


def _endpoints(
    old: Sequence[AssignedEndpoint], new: Sequence[AssignedEndpoint], known: Known
) -> Iterator[tuple[Urgency, str]]:
    kept = set(map(id, old)) & set(map(id, new))
    left = {each.address: each for each in old if id(each) not in kept}
    for each in new:
        if id(each) in kept:
            continue
        was = left.pop(each.address, None)
        if was is not None:
            yield from _changed(was, each)
        elif each.address in known.before:
            yield Urgency.IMMEDIATE, "health"
        else:
            yield Urgency.ADDITION, "endpoints"
    for address in left:
        yield Urgency.IMMEDIATE, "health" if address in known.after else "endpoints"


def _changed(was: AssignedEndpoint, now: AssignedEndpoint) -> Iterator[tuple[Urgency, str]]:
    if was.health is not now.health:
        yield Urgency.IMMEDIATE, "drain" if Health.DRAINING in (was.health, now.health) else "health"
    if (was.priority, was.locality) != (now.priority, now.locality):
        yield Urgency.IMMEDIATE, "endpoints"
    if was.weight != now.weight:
        yield Urgency.WEIGHT, "weight"
