"""What became of a ServicePolicy at each of its Services, as conditions (GEP-713; PolicyStatus of the Gateway API).

    Accepted    it is well formed, its Service is there, and no older policy has the Service
    Programmed  clients of the Service are told what it says

A pure function of what is known: the same picture gives the same words, so that nothing is written twice.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import PolicyClaim
from lbcontrol.sources.documents.refusals import quoted
from lbcontrol.sources.kubernetes.attachment import Held
from lbcontrol.sources.kubernetes.objects import ENABLED, Key
from lbcontrol.sources.kubernetes.policies import Policy

ACCEPTED, PROGRAMMED = "Accepted", "Programmed"
"""Types of conditions; each is also the reason when it holds."""
INVALID, CONFLICTED, TARGET_NOT_FOUND = "Invalid", "Conflicted", "TargetNotFound"
"""Reasons for which a policy is not accepted."""
PENDING, OVERRIDDEN, NOT_SERVED = "Pending", "Overridden", "NotServed"
"""Reasons for which one that is accepted is not programmed."""
REJECTIONS = frozenset({INVALID, CONFLICTED, TARGET_NOT_FOUND})
MOST_TEXT = 1_000
"""Characters of a message."""


class Presence(enum.Enum):
    """How a Service is there."""

    MISSING = "missing"
    NOT_BALANCED = "not balanced"
    """Nobody asked for it to be balanced."""
    PORTLESS = "portless"
    """It has no TCP port, so that clients cannot ask for it."""
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its times."""

    type: str
    holds: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a policy meets at one Service."""

    service: Key
    presence: Presence
    rivals: tuple[Policy, ...] = ()
    """Good forms of all that are for the Service, the one that wins first."""
    published: tuple[tuple[PolicyClaim, ...] | None, ...] = ()
    """For each port: the claims that its last decision knew, the one in force first; None before the first decision."""


def conditions(held: Held, met: Meeting) -> tuple[Condition, Condition]:
    """Return the two conditions of a policy at one Service."""
    refused = _refusal(held, met)
    if refused is not None:
        reason, message = refused
        rest = f" {_rest(held, met)}" if reason == INVALID else ""
        return _no(ACCEPTED, reason, message), _no(PROGRAMMED, reason, f"Nothing it says now is in force.{rest}")
    accepted = Condition(ACCEPTED, holds=True, reason=ACCEPTED, message="The policy is for this Service.")
    if met.presence is Presence.PORTLESS:
        return accepted, _no(PROGRAMMED, NOT_SERVED, "The Service has no TCP port, so that clients cannot ask for it.")
    return accepted, _programmed(held, met)


def missing_targets(policy: Policy, presence: Callable[[Key], Presence]) -> tuple[Finding, ...]:
    """Return a warning for each Service of a policy that is not there, or not balanced."""
    return tuple(
        _missing(policy, (policy.key[0], name), presence((policy.key[0], name)))
        for name in policy.targets
        if presence((policy.key[0], name)) in (Presence.MISSING, Presence.NOT_BALANCED)
    )


def _missing(policy: Policy, service: Key, presence: Presence) -> Finding:
    namespace, name = service
    there = presence is Presence.NOT_BALANCED
    return Finding(
        "LB124",
        f"{policy.origin} is for Service {namespace}/{quoted(name)[1:-1]}, which is "
        + ("not balanced" if there else "not there"),
        at=policy.origin,
        effect="it waits; it acts when the Service is balanced",
        do=f"kubectl -n {namespace} annotate service {name} {ENABLED}=true" if there else "correct targetRefs",
        severity=Severity.WARNING,
    )


def is_pending(found: Sequence[Condition]) -> bool:
    """True when a condition will change by itself soon."""
    return any(each.reason == PENDING for each in found)


def _refusal(held: Held, met: Meeting) -> tuple[str, str] | None:
    """Return reason and words for which a policy is not accepted."""
    policy, (namespace, name) = held.newest, met.service
    if policy.claim is None:
        return INVALID, _cut("; ".join(_faults(policy)) + ".")
    if met.presence is Presence.MISSING:
        return TARGET_NOT_FOUND, f"There is no Service {namespace}/{name} that lbcontrol watches."
    if met.presence is Presence.NOT_BALANCED:
        do = f"kubectl -n {namespace} annotate service {name} {ENABLED}=true"
        return TARGET_NOT_FOUND, f"Service {namespace}/{name} is not balanced by lbcontrol: {do}"
    first = met.rivals[0] if met.rivals else policy
    if first.key != policy.key and first.claim is not None:
        return CONFLICTED, _conflict(policy.claim, first.claim)
    beaten = [each[0] for each in met.published if each and policy.claim in each and _is_equal_rank(each[0], policy)]
    return (CONFLICTED, _conflict(policy.claim, beaten[0])) if beaten else None


def _is_equal_rank(winner: PolicyClaim, policy: Policy) -> bool:
    """True for another policy of the same rank: one of another source, which the picture of this one lacks."""
    return policy.claim is not None and winner != policy.claim and winner.rank == policy.claim.rank


def _conflict(claim: PolicyClaim, winner: PolicyClaim) -> str:
    why = "of the same age and comes first by name" if claim.created_at == winner.created_at else "older"
    return _cut(f"{winner.origin} is {why}, and is in force as a whole: policies are not merged.")


def _faults(policy: Policy) -> Iterator[str]:
    for each in policy.findings:
        place = each.at.rpartition(", ")[2]
        yield f"{place}: {each.what}" + (f" ({each.why})" if each.why else "")


def _rest(held: Held, met: Meeting) -> str:
    """Say what a malformed policy leaves in force."""
    good = held.good
    if good is None or met.service not in good.targeted():
        return "It had no good form for this Service since lbcontrol started."
    if met.rivals and met.rivals[0].key == good.key:
        return f"Its last good form, generation {good.generation}, stays in force."
    return f"Its last good form, generation {good.generation}, has no effect beside {met.rivals[0].origin}."


def _programmed(held: Held, met: Meeting) -> Condition:
    claim = held.newest.claim
    for claims in met.published:
        if claims is None or claim not in claims:
            return _no(PROGRAMMED, PENDING, "What it says has not reached the clients yet.")
        if claims[0] != claim:
            return _no(PROGRAMMED, OVERRIDDEN, _cut(f"{claims[0].origin} ranks higher and is in force."))
    return Condition(PROGRAMMED, holds=True, reason=PROGRAMMED, message="Clients of the Service are told what it says.")


def _no(kind: str, reason: str, message: str) -> Condition:
    return Condition(kind, holds=False, reason=reason, message=message)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
