"""The JSON schema of the documents, for editors, for messages and for the test that walks it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from lbcontrol.sources.documents.policies import ServicePolicyDocument
from lbcontrol.sources.documents.services import ServicesDocument
from lbcontrol.sources.documents.vocabulary import STATUS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The JSON Schema version we write."""


class _WithoutNull(GenerateJsonSchema):
    """Absent keys are left out, never null: the reader refuses null. Defaults are told of scalars and lists only."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = super().default_schema(schema)
        if isinstance(inner.get("default", 0), dict | None):
            del inner["default"]
        return inner


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of one model, without nulls."""
    return model.model_json_schema(schema_generator=_WithoutNull)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a document in a file: ``services:`` or ``kind: ServicePolicy``."""
    models = (ServicesDocument, ServicePolicyDocument)
    references, schema = models_json_schema([(model, "validation") for model in models], schema_generator=_WithoutNull)
    used = json.dumps([references[model, "validation"] for model in models]) + json.dumps(schema)
    return {
        "$schema": DIALECT,
        "title": "Documents of lbcontrol",
        "oneOf": [references[model, "validation"] for model in models],
        "$defs": {name: each for name, each in schema["$defs"].items() if f'"#/$defs/{name}"' in used},
    }


def keys(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Iterator[tuple[str, bool]]:
    """Walk a JSON schema.

    Yields:
        Dotted path of every key (``[]`` for the items of a list), and whether the key is refused as not supported yet.
    """
    root = root or schema
    node = root["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for choice in node.get("oneOf", ()):
        yield from keys(choice, root)
    if "items" in node:
        yield from ((f"[]{path}", refused) for path, refused in keys(node["items"], root))
    for name, child in node.get("properties", {}).items():
        yield f".{name}", STATUS in child
        yield from ((f".{name}{path}", refused) for path, refused in keys(child, root))
