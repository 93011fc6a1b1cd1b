"""Every key of the JSON schema either changes what is served or is refused: nothing is silently ignored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.documents.combine import snapshots_of
from lbcontrol.sources.documents.schema import json_schema, keys

ENDPOINT: dict[str, Any] = {"address": "127.0.0.1:80"}
POLICY: dict[str, Any] = {
    "weighting": {},
    "loadBalancer": {"type": "RingHash", "ringHash": {"header": "x-a"}},
    "locality": {},
    "perClient": {},
    "drop": [{"category": "a", "percent": 1}],
}
SERVICE: dict[str, Any] = {
    "name": "greeter",
    "aliases": [],
    "endpoints": [{**ENDPOINT, "locality": {}}],
    "policy": POLICY,
    "rules": [{"backendRefs": [{"name": "greeter"}]}],
}
SERVICES: dict[str, Any] = {"services": [SERVICE]}
DOCUMENT: dict[str, Any] = {
    "apiVersion": "lbcontrol.io/v1alpha1",
    "kind": "ServicePolicy",
    "metadata": {"name": "p"},
    "spec": {"targetRefs": [{"name": "greeter"}], **POLICY},
}
"""Documents in which each list has one item and each mapping stands, so that every key has a place."""

POLICY_EFFECTS: dict[str, Any] = {
    "loadBalancer": {"type": "PickFirst"},
    "loadBalancer.ringHash": {"header": "x-b"},
    "loadBalancer.ringHash.header": "x-b",
    "locality": {"prefer": "Zone"},
    "locality.prefer": "Zone",
    "perClient": {"maxRequests": 3},
    "perClient.maxRequests": 3,
    "perClient.connectTimeout": "250ms",
    "drop": [],
    "drop[].category": "b",
    "drop[].percent": 2.5,
    "timeout": "1m30s",
}
EFFECTS: dict[str, Any] = {
    ".services": [],
    ".services[].name": "other",
    ".services[].aliases": ["also"],
    ".services[].endpoints": [],
    ".services[].endpoints[].address": "127.0.0.1:81",
    ".services[].endpoints[].weight": 2,
    ".services[].endpoints[].locality": {"zone": "a"},
    ".services[].endpoints[].locality.region": "r",
    ".services[].endpoints[].locality.zone": "z",
    ".services[].endpoints[].locality.subZone": "s",
    ".services[].endpoints[].priority": 1,
    ".services[].endpoints[].health": "Draining",
    ".services[].policy": {"timeout": "1s"},
    ".services[].rules": [],
    ".services[].rules[].backendRefs": [{"name": "other"}],
    ".services[].rules[].backendRefs[].name": "other",
    ".services[].rules[].backendRefs[].weight": 7,
    ".metadata": {"name": "q"},
    ".metadata.name": "q",
    ".metadata.namespace": "shop",
    ".metadata.creationTimestamp": "2026-11-24T10:00:00Z",
    ".spec": {"targetRefs": [{"name": "greeter"}], "timeout": "1s"},
    ".spec.targetRefs": [{"name": "other"}],
    ".spec.targetRefs[].name": "other",
    **{f".services[].policy.{key}": value for key, value in POLICY_EFFECTS.items()},
    **{f".spec.{key}": value for key, value in POLICY_EFFECTS.items()},
}
"""Key to a value that must change the picture."""
ONE_VALUE = {
    ".apiVersion": ("v2", "lbcontrol.io/v1alpha1"),
    ".kind": ("Policy", "ServicePolicy"),
    ".spec.targetRefs[].group": ("apps", '""'),
    ".spec.targetRefs[].kind": ("Pod", "Service"),
    ".services[].policy.weighting.objective": ("Fair", "Static"),
    ".spec.weighting.objective": ("Fair", "Static"),
}
"""Key that accepts a single value today, with another one and the accepted one: it refuses the others."""
ELSEWHERE = {
    f"{where}.{key}" for where in (".services[].policy", ".spec") for key in ("weighting", "loadBalancer.type")
}
"""``weighting`` acts through ``objective``; the types of pickers have a test of their own."""
FOR_OTHERS = {".metadata.labels", ".metadata.annotations"}
"""Tools that handle the same document in Kubernetes write and read them; to refuse them would keep it from files."""


def all_keys(*, refused: bool) -> list[str]:
    """Return the keys of the schema that are refused, or that are not."""
    return [key for key, is_refused in keys(json_schema()) if is_refused is refused]


def picture(document: object) -> dict[str, ServiceSnapshot]:
    """Return what a document says, without the mark of its bytes."""
    said = snapshots_of([read_documents(json.dumps(document), path="f.yaml")], source="s")
    return {name: dataclasses.replace(each, mark="") for name, each in said.items()}


def changed(key: str, value: object) -> Any:
    """Return the base document of ``key`` with another value there."""
    document = json.loads(json.dumps(SERVICES if key.startswith(".services") else DOCUMENT))
    steps: list[str | int] = []
    for word in key.removeprefix(".").split("."):
        steps += [word.removesuffix("[]"), 0] if word.endswith("[]") else [word]
    node: Any = document
    for step in steps[:-1]:
        node = node[step]
    node[steps[-1]] = value
    return document


def findings(document: object) -> Iterator[tuple[str, str, str]]:
    """Return code, text and accepted values of what is wrong with a document."""
    with pytest.raises(ConfigError) as caught:
        read_documents(json.dumps(document), path="f.yaml")
    return ((each.code, each.what, each.why) for each in caught.value.findings)


def test_base_documents_are_right() -> None:
    """What the other tests change is without fault, so that a change alone makes the difference."""
    assert set(picture(SERVICES)) == set(picture(DOCUMENT)) == {"greeter"}


def test_every_key_has_an_effect_test() -> None:
    """The tables here name each key of the schema that is accepted, and none that is not."""
    tested = EFFECTS.keys() | ONE_VALUE.keys() | ELSEWHERE | FOR_OTHERS
    assert sorted(tested) == sorted(all_keys(refused=False))


@pytest.mark.parametrize("key", EFFECTS)
def test_key_changes_what_is_served(key: str) -> None:
    """Another value of the key makes another snapshot."""
    base = SERVICES if key.startswith(".services") else DOCUMENT
    assert picture(changed(key, EFFECTS[key])) != picture(base)


@pytest.mark.parametrize("key", sorted(FOR_OTHERS))
def test_key_for_other_tools_is_text_and_changes_nothing(key: str) -> None:
    """Labels and annotations are accepted and change nothing; what Kubernetes would refuse is refused."""
    assert picture(changed(key, {"team": "a"})) == picture(DOCUMENT)
    ((code, what, _),) = findings(changed(key, {"team": 1}))
    assert (code, what) == ("LB106", f"{key.rpartition('.')[2]}.team is 1")


@pytest.mark.parametrize("key", ONE_VALUE)
def test_key_of_one_value_refuses_the_others(key: str) -> None:
    """A key that can only say one thing today refuses every other value and names the one."""
    value, only = ONE_VALUE[key]
    said = list(findings(changed(key, value)))
    assert [(code, why) for code, _, why in said if code in {"LB103", "LB114"}] == [
        (said[0][0], f"accepted: {only}")
        if key != ".kind"
        else ("LB114", "accepted: ServicePolicy (did you mean this?)")
    ]


@pytest.mark.parametrize("where", [".services[].policy", ".spec"])
def test_client_policy_changes_what_is_served(where: str) -> None:
    """Each type of picker is another policy."""
    kinds = ["RoundRobin", "RingHash", "LeastRequest", "PickFirst", "ClientWeighted"]
    made = [picture(changed(f"{where}.loadBalancer", {"type": kind}))["greeter"].policies[0] for kind in kinds]
    assert [claim.spec.load_balancer.type.value for claim in made] == kinds


@pytest.mark.parametrize("key", all_keys(refused=True))
def test_key_without_effect_is_refused(key: str) -> None:
    """A key of the vocabulary that does nothing yet is refused by its name, whatever it says."""
    values: list[object] = [1, "x", {}, [], True]
    for value in values:
        ((code, what, why),) = findings(changed(key, value))
        assert code == "LB107"
        assert what.endswith(f"{key.rpartition('.')[2]} is not supported yet")
        assert why == "it would have no effect in this version"


@pytest.mark.parametrize("where", [".services[].policy", ".spec"])
@pytest.mark.parametrize("objective", ["Utilization", "Latency"])
def test_objective_without_effect_is_refused(where: str, objective: str) -> None:
    """Objectives that nothing follows yet are refused by name."""
    said = list(findings(changed(f"{where}.weighting.objective", objective)))
    assert ("LB107", f'weighting.objective "{objective}" is not supported yet') in [each[:2] for each in said]


VOCABULARY = ["weighting.reportInterval", "weighting.trust", "subset", "locality.spillBelow", "healthCheck"]
VOCABULARY += ["outlierDetection", "slowStart", "drain"]


def test_the_whole_vocabulary_is_known() -> None:
    """Keys of the design that come later are refused as such, not as unknown."""
    refused = all_keys(refused=True)
    assert {f".spec.{key}" for key in VOCABULARY} <= set(refused)
    assert {f".services[].policy.{key}" for key in VOCABULARY} <= set(refused)
    assert {".services[].rules[].matches", ".services[].rules[].filters"} <= set(refused)


def test_schema_is_closed_and_described() -> None:
    """No mapping takes unknown keys, nothing may be null, and every key says what it means."""
    schema = json_schema()
    text = json.dumps(schema)
    assert '"null"' not in text
    assert "Address" not in schema["$defs"]
    for definition in schema["$defs"].values():
        if definition["type"] == "object":
            assert definition["additionalProperties"] is False
            each = definition["properties"].items()  # A reference may leave the words to what it refers to.
            assert [name for name, child in each if not child.get("description") and "$ref" not in child] == []
    assert [choice["$ref"] for choice in schema["oneOf"]] == [
        "#/$defs/ServicesDocument",
        "#/$defs/ServicePolicyDocument",
    ]
