"""What is right in itself and still may not do what its author expects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import LoadBalancerType, PolicyClaim
from lbcontrol.sources.documents.documents import Documents, ServiceEntry
from lbcontrol.sources.documents.refusals import quoted

CARRY_WEIGHTS = frozenset({LoadBalancerType.ROUND_ROBIN, LoadBalancerType.RING_HASH})
"""Client policies under which stock gRPC clients follow the weights of endpoints."""


TOLD_LATER = frozenset({"LB126", "LB127"})
"""Of these the engine and the compiler tell themselves, because they see all sources."""
_Said = tuple[PolicyClaim, str]
"""A policy and its place."""


def warnings_of(documents: Sequence[Documents]) -> dict[str, list[Finding]]:
    """Return the warnings about each service, by its name."""
    entries = {service.name: service for each in documents for service in each.services}
    result: defaultdict[str, list[Finding]] = defaultdict(list)
    for each in documents:
        for policy in each.policies:
            for target in policy.targets:
                if target not in entries:
                    result[target].append(_no_target(policy.name, target, at=f"{each.path}:{policy.line}"))
        for service in each.services:
            result[service.name] += _no_backends(service, entries.keys(), each.path)
    for name, said in _claims(documents).items():
        result[name] += _second_policies(name, said)
        if name in entries:
            result[name] += _lost_weights(entries[name], *_winner(said))
    return {name: findings for name, findings in result.items() if findings}


def _claims(documents: Sequence[Documents]) -> Mapping[str, list[_Said]]:
    """Return all policies of each service, with their places."""
    claims: defaultdict[str, list[_Said]] = defaultdict(list)
    for each in documents:
        for service in each.services:
            if service.policy:
                claims[service.name].append((service.policy, f"{each.path}:{service.line}"))
        for policy in each.policies:
            for target in policy.targets:
                claims[target].append((policy.claim, f"{each.path}:{policy.line}"))
    return claims


def _warning(code: str, what: str, at: str, **parts: str) -> Finding:
    return Finding(code, what, at, severity=Severity.WARNING, **parts)


def _no_target(policy: str, target: str, *, at: str) -> Finding:
    what = f"ServicePolicy {quoted(policy)} is for {quoted(target)}, which no file of this source defines"
    effect = "it waits; it acts when another source defines the service"
    return _warning("LB124", what, at, effect=effect, do="correct targetRefs, or add the service")


def _no_backends(service: ServiceEntry, defined: AbstractSet[str], path: str) -> Iterator[Finding]:
    for rule in service.rules:
        for ref in rule.backends:
            if ref.service not in defined:
                what = f"a rule of {quoted(service.name)} sends calls to {quoted(ref.service)}, which no file defines"
                effect = "its share of the calls fails until another source defines it"
                yield _warning("LB124", what, f"{path}:{service.line}, {service.name}.rules", effect=effect)


def precedence(claim: PolicyClaim) -> tuple[int, float, str]:
    """Return the sort key of a policy: the first of several is in force, the others have no effect."""
    return (-claim.rank, claim.created_at, claim.origin)


def _winner(said: list[_Said]) -> _Said:
    return min(said, key=lambda each: precedence(each[0]))


def _second_policies(name: str, said: list[_Said]) -> Iterator[Finding]:
    winner, _ = _winner(said)
    for claim, at in said:
        if claim is not winner:
            why = f"{winner.origin} ranks higher" if claim.rank < winner.rank else f"{winner.origin} is older"
            what = f"{claim.origin} has no effect on {quoted(name)}"
            yield _warning("LB126", what, at, why=why, do="put the settings into one place: policies do not merge")


def _lost_weights(service: ServiceEntry, claim: PolicyClaim, at: str) -> Iterator[Finding]:
    picker = claim.spec.load_balancer.type
    if picker in CARRY_WEIGHTS:
        return
    by_priority: defaultdict[int, set[int]] = defaultdict(set)
    for endpoint in service.endpoints:
        by_priority[endpoint.priority].add(endpoint.weight)
    if any(len(weights) > 1 for weights in by_priority.values()):
        what = f"stock gRPC clients do not follow the weights of {quoted(service.name)}"
        why = f"under loadBalancer.type: {picker} they choose without them"
        yield _warning("LB127", what, at, why=why, effect="Envoy and lookaside clients do", do="use RoundRobin")
