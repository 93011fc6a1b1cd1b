"""Snapshots back to documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lbcontrol.model.services import PolicyRank, ServiceSnapshot
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.combine import snapshots_of
from lbcontrol.sources.documents.expand import duration_text, expanded_yaml

FULL = """
services:
- name: greeter
  aliases: ["greeter.shop:50051", "no", "1e3"]
  endpoints:
  - {address: "127.0.0.1:50051", weight: 2, locality: {region: r1, zone: "no", subZone: "012"}, health: Draining}
  - {address: "[::1]:50051", health: Unknown}
  policy: {loadBalancer: {type: RingHash, ringHash: {header: x-user}}, timeout: 1m30s250ms}
  rules: [{backendRefs: [{name: greeter, weight: 90}, {name: "yes", weight: 0}]}]
- name: empty
---
apiVersion: lbcontrol.io/v1alpha1
kind: ServicePolicy
metadata: {name: p, namespace: shop, creationTimestamp: "2026-11-24T10:00:00.5+01:00"}
spec:
  targetRefs: [{name: greeter}, {name: empty}]
  locality: {}
  perClient: {maxRequests: 7, connectTimeout: 250ms}
  drop: [{category: shed, percent: 0.5}, {category: all, percent: 100}]
---
apiVersion: lbcontrol.io/v1alpha1
kind: ServicePolicy
metadata: {name: q}
spec: {targetRefs: [{name: empty}, {name: elsewhere}], locality: {prefer: Zone}}
"""


def read(text: str) -> list[ServiceSnapshot]:
    """Return what a text says, without the places and marks of its bytes."""
    return [bare(each) for each in snapshots_of([read_documents(text, path="f.yaml")], source="s").values()]


def bare(snapshot: ServiceSnapshot) -> ServiceSnapshot:
    """Return a snapshot without what depends on lines."""
    lines = {claim: replace(claim, origin="") for claim in snapshot.policies if claim.rank is PolicyRank.SERVICE_FILE}
    return replace(
        snapshot,
        mark="",
        origin="",
        endpoints=tuple(replace(endpoint, origin="") for endpoint in snapshot.endpoints),
        policies=tuple(lines.get(claim, claim) for claim in snapshot.policies),
        findings=(),
    )


def test_expanded_documents_say_the_same() -> None:
    """Reading what was printed gives the snapshots it was printed from."""
    before = read(FULL)
    assert [each.service for each in before] == ["elsewhere", "empty", "greeter"]
    assert read(expanded_yaml(before)) == before


def test_expanded_documents_write_out_every_default() -> None:
    """What the short form leaves out is written, in the words of the documents."""
    text = expanded_yaml(read("services: [{name: a, endpoints: [{address: '[::1]:1'}], policy: {}}]"))
    assert text.splitlines() == [
        "services:",
        "- name: a",
        "  endpoints:",
        '  - address: "[::1]:1"',
        "    weight: 1",
        "    priority: 0",
        "    health: Serving",
        "  policy:",
        "    weighting:",
        "      objective: Static",
        "    loadBalancer:",
        "      type: RoundRobin",
    ]


def test_expanded_documents_leave_out_priorities_that_zones_make() -> None:
    """With ``prefer: Zone`` the key would be refused when read."""
    text = "services: [{name: a, endpoints: [{address: '[::1]:1'}], policy: {locality: {prefer: Zone}}}]"
    assert "priority" not in expanded_yaml(read(text))
    assert read(expanded_yaml(read(text))) == read(text)


def test_expanded_snapshots_of_several_sources_become_one_service() -> None:
    """The first source that names an address describes it; nothing stands twice."""
    first = read(
        "services: [{name: a, aliases: [b], endpoints: [{address: '[::1]:1', weight: 3}], policy: {timeout: 1s}}]"
    )
    second = read(
        "services: [{name: a, endpoints: [{address: '[::1]:1'}, {address: '[::1]:2'}], policy: {timeout: 2s}}]"
    )
    (merged,) = read(expanded_yaml([*first, *second]))
    assert [(str(each.address), each.weight) for each in merged.endpoints] == [("[::1]:1", 3), ("[::1]:2", 1)]
    assert [claim.spec.timeout for claim in merged.policies] == [1.0]
    assert merged.aliases == ("b",)


def test_expanded_nothing_is_nothing() -> None:
    """No snapshot makes no document."""
    assert expanded_yaml([]) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(30, "30s"), (90, "1m30s"), (0.25, "250ms"), (3600, "1h"), (3661.001, "1h1m1s1ms"), (0.0001, "1ms")],
)
def test_duration_is_written_in_its_units(seconds: float, text: str) -> None:
    """From hours down to milliseconds, none that is zero."""
    assert duration_text(seconds) == text
