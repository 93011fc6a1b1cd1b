"""Checked models to values of the model layer."""

from __future__ import annotations

from pathlib import PurePath
from typing import cast

from lbcontrol.model.endpoints import Endpoint, Health, Locality
from lbcontrol.model.services import (
    BackendRef,
    Drop,
    LoadBalancer,
    PolicyClaim,
    PolicyRank,
    PolicySpec,
    RouteRule,
)
from lbcontrol.sources.documents.documents import PolicyEntry, ServiceEntry
from lbcontrol.sources.documents.policies import Policy, Preference, ServicePolicyDocument
from lbcontrol.sources.documents.services import EndpointPart, HealthWord, RulePart, ServicePart, ServicesDocument
from lbcontrol.sources.documents.tree import Fields, Items

HEALTHS = {
    HealthWord.SERVING: Health.SERVING,
    HealthWord.DRAINING: Health.DRAINING,
    HealthWord.NOT_SERVING: Health.NOT_SERVING,
    HealthWord.UNKNOWN: Health.UNKNOWN,
}
"""Words of documents and the states they mean."""


def spec_of(policy: Policy) -> PolicySpec:
    """Return the settings in force, defaults filled in."""
    balancer = policy.load_balancer
    return PolicySpec(
        objective=policy.weighting.objective,
        load_balancer=LoadBalancer(balancer.type, balancer.ring_hash.header if balancer.ring_hash else ""),
        prefer_zone=policy.locality.prefer is Preference.ZONE,
        max_requests=policy.per_client.max_requests,
        connect_timeout=policy.per_client.connect_timeout,
        drops=tuple(Drop(each.category, each.percent) for each in policy.drop),
        timeout=policy.timeout,
    )


def service_entries(document: ServicesDocument, root: Fields, *, path: str) -> tuple[ServiceEntry, ...]:
    """Return the services of a document; ``root`` is the tree it was read from, for the lines."""
    items = cast("Items", root["services"])
    file = PurePath(path).name
    return tuple(
        _service(service, cast("Fields", tree), line=line, file=file)
        for service, tree, line in zip(document.services, items, items.lines, strict=True)
    )


def _service(service: ServicePart, tree: Fields, *, line: int, file: str) -> ServiceEntry:
    items = cast("Items", tree.get("endpoints", Items(line)))
    policy = None
    if service.policy is not None:
        origin = f"{file}:{tree.key_lines['policy']}"
        policy = PolicyClaim(spec_of(service.policy), PolicyRank.SERVICE_FILE, origin)
    return ServiceEntry(
        name=service.name,
        aliases=tuple(service.aliases),
        endpoints=tuple(
            _endpoint(each, f"{file}:{number}") for each, number in zip(service.endpoints, items.lines, strict=True)
        ),
        policy=policy,
        rules=tuple(_rule(rule) for rule in service.rules),
        origin=f"{file}:{line}",
        line=line,
        prioritised=tuple(
            number
            for each, number in zip(service.endpoints, items.lines, strict=True)
            if "priority" in each.model_fields_set
        ),
    )


def _endpoint(part: EndpointPart, origin: str) -> Endpoint:
    place = part.locality
    locality = Locality(place.region, place.zone, place.sub_zone)
    return Endpoint(part.address, part.weight, locality, part.priority, HEALTHS[part.health], origin)


def _rule(rule: RulePart) -> RouteRule:
    return RouteRule(tuple(BackendRef(each.name, each.weight) for each in rule.backend_refs))


def policy_entry(document: ServicePolicyDocument, *, line: int) -> PolicyEntry:
    """Return a ServicePolicy document, which begins on ``line``, as a value."""
    about = document.metadata
    name = f"{about.namespace}/{about.name}" if about.namespace else about.name
    origin, created_at = f"ServicePolicy {name}", about.creation_timestamp
    claim = PolicyClaim(spec_of(document.spec), PolicyRank.SERVICE_POLICY, origin, created_at)
    targets = tuple(dict.fromkeys(target.name for target in document.spec.target_refs))
    return PolicyEntry(name, targets, claim, line)
