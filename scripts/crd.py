"""Writes the CustomResourceDefinition of ServicePolicy from the models that read the same documents from files.

What a model checks beyond JSON Schema stands here once more, as CEL rules with messages of their own, so that the API
server refuses what lbcontrol would refuse; tests/integration/test_crd.py compares the two on a real
one. With ``--check`` it only says whether the file is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lbcontrol.model.services import MAX_NAME_BYTES
from lbcontrol.sources.documents.policies import LATER_OBJECTIVES, ServicePolicyDocument
from lbcontrol.sources.documents.schema import schema_of
from lbcontrol.sources.documents.vocabulary import DURATION_PATTERN, HEADER_PATTERN, STATUS
from lbcontrol.sources.kubernetes.policies import GROUP, KIND, PLURAL, VERSION

FILE = Path(__file__).resolve().parent.parent / "deploy" / "kubernetes" / "crd" / f"{GROUP}_{PLURAL}.yaml"
HEAD = "# Made by scripts/crd.py from the models that read ServicePolicy documents; do not edit it here.\n"
DURATION_LENGTH = 28
"""Characters of the longest duration: four times five digits and two letters."""
LATER = {"reportInterval": "string", "sectionName": "string", "spillBelow": "number"}
"""Types of keys without an effect yet; the others are mappings."""
LATER_EFFECT = "is not supported yet: it would have no effect in this version; take it out"
KEPT = ("description", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "required")
"""Keywords that mean the same in both."""
MOST_ANCESTORS = 16
"""Of a policy's status, and so targets of a policy (PolicyStatus of the Gateway API)."""

Schema = dict[str, Any]

NAME_RULES = (
    (f"size(bytes(self)) <= {MAX_NAME_BYTES}", f"a name has at most {MAX_NAME_BYTES} bytes"),
    (r"self.matches('^[^\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]*$')", "the name contains a control character: remove it"),
)
DURATION_RULES = (
    (
        f"self.matches('^{DURATION_PATTERN}$')",
        "a duration is text of whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms",
    ),
    (
        (
            f"!self.matches('^{DURATION_PATTERN}$')"
            " || (duration(self) > duration('0s') && duration(self) <= duration('8760h'))"
        ),
        "a duration is above 0 and at most 365 days; leave the key out for no limit",
    ),
)
HEADER_RULES = (
    (
        "self.matches('^[a-z0-9_.-]+$') && !self.endsWith('-bin')",
        "header names are lower-case letters, digits, - _ . and do not end in -bin: write one like x-user",
    ),
)
PERCENT_RULES = (
    (
        (
            "self * 10000.0 - double(int(self * 10000.0 + 0.5)) < 0.00001"
            " && self * 10000.0 - double(int(self * 10000.0 + 0.5)) > -0.00001"
        ),
        "clients are told millionths: a percent has at most 4 decimals",
    ),
)
CROSS_RULES: Mapping[str, tuple[Schema, ...]] = {
    "LoadBalancerPart": (
        {
            "rule": "!has(self.ringHash) || (has(self.type) && self.type == 'RingHash')",
            "message": "ringHash says what the type RingHash hashes: write type: RingHash, or take ringHash out",
            "fieldPath": ".ringHash",
        },
    ),
    "Objective": (
        {
            "rule": "self == 'Static'",
            "messageExpression": f"'objective ' + self + ' {LATER_EFFECT}'",
            "reason": "FieldValueForbidden",
        },
    ),
}
"""Rules about more than one key, by the name of the model."""


def _rules(pairs: tuple[tuple[str, str], ...]) -> list[Schema]:
    return [{"rule": rule, "message": message} for rule, message in pairs]


def _structural(node: Mapping[str, Any], root: Mapping[str, Any]) -> Schema:
    """Return a JSON schema as the structural schema of a CustomResourceDefinition."""
    name = str(node.get("$ref", "")).rpartition("/")[2]
    whole = {**(root["$defs"][name] if name else {}), **node}
    made: Schema = {"type": whole["type"]}
    made.update((key, whole[key]) for key in KEPT if key in whole)
    if "const" in whole:
        made["enum"] = [whole["const"]]
    if "items" in whole:
        made["items"] = _structural(whole["items"], root)
    if "properties" in whole:
        made["properties"] = {key: _key(key, child, root) for key, child in whole["properties"].items()}
    rules = [*_value_rules(made, whole.get("pattern", "")), *CROSS_RULES.get(name, ()), *_later_rules(whole)]
    if name == "Objective":
        made["enum"] = [*made["enum"], *LATER_OBJECTIVES]
    return made | ({"x-kubernetes-validations": rules} if rules else {})


def _key(name: str, node: Mapping[str, Any], root: Mapping[str, Any]) -> Schema:
    if STATUS in node:
        kind = LATER.get(name, "object")
        words = f"{node['description']} {node[STATUS].capitalize()}: writing it is an error."
        return {"type": kind, "description": words} | (
            {"x-kubernetes-preserve-unknown-fields": True} if kind == "object" else {}
        )
    made = _structural(node, root)
    if name == "drop":  # Each category once; what is applied by several hands is merged by it.
        made |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["category"]}
    elif made["type"] == "array":
        made["x-kubernetes-list-type"] = "atomic"
    return made


def _value_rules(made: Schema, pattern: str) -> list[Schema]:
    """Return what a single value is checked for beyond its type, and bound what CEL would find too long.

    Patterns become rules as well: what the API server says of a pattern is the pattern.
    """
    if pattern == f"^{DURATION_PATTERN}$":
        made["maxLength"] = DURATION_LENGTH
        return _rules(DURATION_RULES)
    if pattern == f"^{HEADER_PATTERN}$":
        made["maxLength"] = MAX_NAME_BYTES
        return _rules(HEADER_RULES)
    if made["type"] == "number":
        return _rules(PERCENT_RULES)
    return _rules(NAME_RULES) if made.get("maxLength") == MAX_NAME_BYTES else []


def _later_rules(whole: Mapping[str, Any]) -> Iterator[Schema]:
    for name, child in whole.get("properties", {}).items():
        if STATUS in child:
            message = f"{name} {LATER_EFFECT}"
            yield {
                "rule": f"!has(self.{name})",
                "message": message,
                "fieldPath": f".{name}",
                "reason": "FieldValueForbidden",
            }


def _text(description: str, *, most: int, least: int = 0, **further: Any) -> Schema:
    return {
        "type": "string",
        "description": description,
        **({"minLength": least} if least else {}),
        "maxLength": most,
        **further,
    }


def _condition() -> Schema:
    """Return the schema of a condition (KEP-1623)."""
    reason = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
    return {
        "type": "object",
        "required": ["type", "status", "lastTransitionTime", "reason", "message"],
        "properties": {
            "type": _text("Accepted or Programmed.", least=1, most=316),
            "status": {"type": "string", "description": "Whether it holds.", "enum": ["True", "False", "Unknown"]},
            "observedGeneration": {
                "type": "integer",
                "description": "The generation it is said of.",
                "format": "int64",
                "minimum": 0,
            },
            "lastTransitionTime": {
                "type": "string",
                "description": "When its status changed last.",
                "format": "date-time",
            },
            "reason": _text("Why, in one word.", least=1, most=1_024, pattern=reason),
            "message": _text("Why, for people.", most=32_768),
        },
    }


def _status() -> Schema:
    """Return the schema of the status (GEP-713, PolicyStatus)."""
    reference = {
        "type": "object",
        "description": "The Service.",
        "required": ["name"],
        "properties": {
            "group": _text("Empty: the group of Service.", most=253),
            "kind": _text("Service.", least=1, most=63),
            "namespace": _text("Namespace of the Service.", least=1, most=63),
            "name": _text("Name of the Service.", least=1, most=MAX_NAME_BYTES),
            "sectionName": _text("A port of the Service.", least=1, most=253),
            "port": {"type": "integer", "description": "A port of the Service.", "minimum": 1, "maximum": 65_535},
        },
    }
    ancestor = {
        "type": "object",
        "required": ["ancestorRef", "controllerName", "conditions"],
        "properties": {
            "ancestorRef": reference,
            "controllerName": _text("Who says so; lbcontrol.io/control-plane for lbcontrol.", least=1, most=253),
            "conditions": {
                "type": "array",
                "description": "What became of the policy for this Service.",
                "maxItems": 8,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": _condition(),
            },
        },
    }
    return {
        "type": "object",
        "description": "What became of the policy; written by lbcontrol.",
        "properties": {
            "ancestors": {
                "type": "array",
                "description": "One entry for each Service of targetRefs.",
                "maxItems": MOST_ANCESTORS,
                "x-kubernetes-list-type": "atomic",
                "items": ancestor,
            }
        },
    }


def _columns() -> list[Schema]:
    first = ".status.ancestors[?(@.controllerName=='lbcontrol.io/control-plane')]"
    said = f"{first}.conditions[?(@.type=='{{}}')].{{}}".format
    return [
        {"name": "Target", "type": "string", "jsonPath": ".spec.targetRefs[0].name"},
        {"name": "Accepted", "type": "string", "jsonPath": said("Accepted", "status")},
        {"name": "Programmed", "type": "string", "jsonPath": said("Programmed", "status")},
        {"name": "Reason", "type": "string", "jsonPath": said("Accepted", "reason"), "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def definition() -> Schema:
    """Return the CustomResourceDefinition."""
    root = schema_of(ServicePolicyDocument)
    schema = {
        "type": "object",
        "description": root["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _structural(root["properties"]["spec"], root),
            "status": _status(),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema},
    }
    names = {
        "kind": KIND,
        "listKind": f"{KIND}List",
        "plural": PLURAL,
        "singular": KIND.lower(),
        "shortNames": ["svcpolicy"],
        "categories": ["lbcontrol"],
    }
    labels = {"gateway.networking.k8s.io/policy": "Direct", "app.kubernetes.io/name": "lbcontrol"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": labels},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def manifest() -> str:
    """Return the file."""
    return HEAD + yaml.safe_dump(definition(), sort_keys=False, allow_unicode=True, width=118)


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; the exit code."""
    stale = not FILE.exists() or FILE.read_text() != manifest()
    if "--check" in arguments:
        print(f"crd: {FILE.name} differs: run scripts/crd.py" if stale else "crd: up to date")
        return int(stale)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(manifest())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
