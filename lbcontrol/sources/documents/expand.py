"""Snapshots back to documents: every default written out, ready to be read again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from lbcontrol.model.endpoints import Endpoint
from lbcontrol.model.services import LoadBalancerType, PolicyClaim, PolicyRank, PolicySpec, RouteRule, ServiceSnapshot
from lbcontrol.sources.documents.convert import HEALTHS
from lbcontrol.sources.documents.policies import API_VERSION

WORDS = {health: word.value for word, health in HEALTHS.items()}
"""States and the words that mean them in documents."""
MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""Of each unit of a duration, largest first."""
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
"""Texts that need no quotes, unless YAML reads them as a word of its own."""


def expanded_yaml(snapshots: Sequence[ServiceSnapshot]) -> str:
    """Return documents that say what the snapshots say, defaults written out.

    Args:
        snapshots: Of one or more services; those of one service from several sources become one service, in which the
            first to name an address describes it.

    Returns:
        YAML of one or more documents; ``read_documents`` makes the same snapshots of it, but for places and marks.
    """
    merged = _merged(snapshots)
    defined = [_service(each) for each in merged if each.defines]
    documents: list[Mapping[str, object]] = [{"services": defined}] if defined else []
    return yaml.dump_all(documents + _policies(merged), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def duration_text(seconds: float) -> str:
    """Return a duration as documents write it: ``1m30s``; the smallest unit is the millisecond."""
    left, text = max(round(seconds * 1000), 1), ""
    for unit, size in MILLISECONDS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def _merged(snapshots: Sequence[ServiceSnapshot]) -> list[ServiceSnapshot]:
    result: dict[str, ServiceSnapshot] = {}
    for each in snapshots:
        first = result.get(each.service)
        result[each.service] = _union(first, each) if first else each
    return list(result.values())


def _union(first: ServiceSnapshot, other: ServiceSnapshot) -> ServiceSnapshot:
    known = {endpoint.address for endpoint in first.endpoints}
    return replace(
        first,
        endpoints=(*first.endpoints, *(each for each in other.endpoints if each.address not in known)),
        aliases=tuple(dict.fromkeys((*first.aliases, *other.aliases))),
        policies=(*first.policies, *other.policies),
        rules=first.rules or other.rules,
        defines=first.defines or other.defines,
    )


def _service(snapshot: ServiceSnapshot) -> dict[str, object]:
    own = [claim for claim in snapshot.policies if claim.rank is PolicyRank.SERVICE_FILE]
    result: dict[str, object] = {"name": snapshot.service}
    if snapshot.aliases:
        result["aliases"] = list(snapshot.aliases)
    result["endpoints"] = [_endpoint(each, snapshot) for each in snapshot.endpoints]
    if own:
        result["policy"] = _spec(min(own, key=lambda claim: (claim.created_at, claim.origin)).spec)
    if snapshot.rules:
        result["rules"] = [_rule(rule) for rule in snapshot.rules]
    return result


def _endpoint(endpoint: Endpoint, snapshot: ServiceSnapshot) -> dict[str, object]:
    place = endpoint.locality
    parts = {"region": place.region, "zone": place.zone, "subZone": place.sub_zone}
    locality = {key: text for key, text in parts.items() if text}
    result: dict[str, object] = {"address": str(endpoint.address), "weight": endpoint.weight}
    if locality:
        result["locality"] = locality
    if not any(claim.spec.prefer_zone for claim in snapshot.policies):  # The two keys exclude each other.
        result["priority"] = endpoint.priority
    return {**result, "health": WORDS[endpoint.health]}


def _rule(rule: RouteRule) -> dict[str, object]:
    return {"backendRefs": [{"name": ref.service, "weight": ref.weight} for ref in rule.backends]}


def _spec(spec: PolicySpec) -> dict[str, object]:
    balancer: dict[str, object] = {"type": spec.load_balancer.type.value}
    if spec.load_balancer.type is LoadBalancerType.RING_HASH and spec.load_balancer.hash_header:
        balancer["ringHash"] = {"header": spec.load_balancer.hash_header}
    client: dict[str, object] = {} if spec.max_requests is None else {"maxRequests": spec.max_requests}
    if spec.connect_timeout is not None:
        client["connectTimeout"] = duration_text(spec.connect_timeout)
    result: dict[str, object] = {"weighting": {"objective": spec.objective.value}, "loadBalancer": balancer}
    if spec.prefer_zone:
        result["locality"] = {"prefer": "Zone"}
    if client:
        result["perClient"] = client
    if spec.drops:
        result["drop"] = [{"category": drop.category, "percent": drop.percent} for drop in spec.drops]
    return result if spec.timeout is None else {**result, "timeout": duration_text(spec.timeout)}


def _policies(snapshots: Sequence[ServiceSnapshot]) -> list[Mapping[str, object]]:
    """Return one document for each policy that is not a service's own, with all of its targets among the snapshots."""
    targets: dict[PolicyClaim, list[str]] = {}
    for snapshot in snapshots:
        for claim in snapshot.policies:
            if claim.rank is not PolicyRank.SERVICE_FILE:
                targets.setdefault(claim, []).append(snapshot.service)
    return [_policy(claim, names) for claim, names in targets.items()]


def _policy(claim: PolicyClaim, services: list[str]) -> dict[str, object]:
    space, _, name = claim.origin.removeprefix("ServicePolicy ").rpartition("/")
    metadata: dict[str, object] = {"name": name}
    if space:
        metadata["namespace"] = space
    if claim.created_at:
        metadata["creationTimestamp"] = datetime.fromtimestamp(claim.created_at, UTC).isoformat()
    refs = [{"group": "", "kind": "Service", "name": service} for service in services]
    spec = {"targetRefs": refs, **_spec(claim.spec)}
    return {"apiVersion": API_VERSION, "kind": "ServicePolicy", "metadata": metadata, "spec": spec}


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader might take for something else, and uses no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (PyYAML's signature)
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=None if PLAIN.fullmatch(data) else '"')


_Dumper.add_representer(str, _text)
