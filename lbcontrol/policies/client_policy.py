"""Client policy: which of the settings that somebody attached to a service are in force.

Goal: two people who attach settings to one service see whose count, and the answer does not flip with the order of
events. Policies do not merge: one spec is in force as a whole.

    operator override > ServicePolicy > service file > annotation > default

Of two of the same rank the older wins, then the smaller origin; the other is shown as a conflict, unless both say the
same. Routing rules have no rank: those of the first snapshot in order of precedence are in force. The choice is made
first, because *locality* reads it, and acts last, in the client's own picker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim, PolicySpec, RouteRule, ServiceSnapshot
from lbcontrol.policies.step import Chance


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """What is in force."""

    spec: PolicySpec
    claims: tuple[PolicyClaim, ...]
    """All claims, the one in force first."""
    rules: tuple[RouteRule, ...] = ()
    findings: tuple[Finding, ...] = ()


def step(
    _state: None, inputs: tuple[ServiceSnapshot, ...], _now: float, _rng: Chance | None
) -> tuple[None, ClientPolicy]:
    """Choose among the claims of all snapshots of one service, given in order of precedence."""
    claims = ranked(claim for snapshot in inputs for claim in snapshot.policies)
    spec = claims[0].spec if claims else PolicySpec()
    ruled = [snapshot for snapshot in inputs if snapshot.rules]
    rules = ruled[0].rules if ruled else ()
    findings = (*_policy_conflicts(inputs, claims), *_rule_conflicts(ruled))
    return None, ClientPolicy(spec, claims, rules, findings)


def ranked(claims: Iterable[PolicyClaim]) -> tuple[PolicyClaim, ...]:
    """Return claims, the one in force first."""
    return tuple(sorted(claims, key=lambda claim: (-claim.rank, claim.created_at, claim.origin, repr(claim.spec))))


def _policy_conflicts(snapshots: tuple[ServiceSnapshot, ...], claims: tuple[PolicyClaim, ...]) -> Iterable[Finding]:
    for claim in claims[1:]:
        if claim.rank == claims[0].rank and claim.spec != claims[0].spec:
            yield Finding(
                "LB410",
                f'a policy of "{snapshots[0].service}" is not in force',
                at=claim.origin,
                why=f"{claims[0].origin} has the same rank and is older (of one age: comes first by name)",
                effect=f"all settings are those of {claims[0].origin}; policies are not merged",
                do="remove one of the two",
            )


def _rule_conflicts(ruled: list[ServiceSnapshot]) -> Iterable[Finding]:
    for snapshot in ruled[1:]:
        if snapshot.rules != ruled[0].rules:
            yield Finding(
                "LB412",
                f'routing rules of "{snapshot.service}" are not in force',
                at=snapshot.origin or f'source "{snapshot.source}"',
                why=f'source "{ruled[0].source}" has rules for it and comes first',
                effect=f"calls are split by the rules of {ruled[0].origin or ruled[0].source}",
                do="remove one of the two",
            )
