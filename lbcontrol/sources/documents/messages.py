"""Errors of the models in our words: what was written, what is accepted, what to do.

What is accepted is read from the JSON schema of the model at the place of the error, so that a message can never
differ from the model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lbcontrol.sources.documents.refusals import Loc, Problem, RefusalError, accepted, quoted, shown
from lbcontrol.sources.documents.schema import schema_of
from lbcontrol.sources.documents.tree import MAX_PROBLEMS, UNUSABLE, label_of, line_of, value_at
from lbcontrol.sources.documents.vocabulary import NOT_YET, STATUS

Model = TypeVar("Model", bound=BaseModel)
Schema = Mapping[str, object]

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
}
"""JSON types in words."""


def checked(model: type[Model], root: object) -> tuple[Model | None, list[Problem]]:
    """Validate a document, or a part of one.

    Args:
        model: What it should be.
        root: A value of ``tree.read_forest``.

    Returns:
        The model when nothing was wrong, and every problem otherwise.
    """
    try:
        return model.model_validate(root), []
    except ValidationError as error:
        return None, list(islice(_problems(model, root, error), MAX_PROBLEMS))


def _problems(model: type[BaseModel], root: object, error: ValidationError) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        if details["input"] is not UNUSABLE:
            loc: Loc = details["loc"]
            yield Problem(line_of(root, loc), label_of(root, loc), _refusal(model, root, details))


def schema_at(model: type[BaseModel], loc: Loc) -> Schema:
    """Return the JSON schema of what stands at ``loc``; empty when the model knows no such place."""
    root = _schema(model)
    node: Schema = root
    for step in loc:
        node = _child(_resolved(root, node), step)
    return _resolved(root, node)


@functools.lru_cache(maxsize=16)
def _schema(model: type[BaseModel]) -> Schema:
    return schema_of(model)


def _child(node: Schema, step: str | int) -> Schema:
    if isinstance(step, int):
        child = node.get("items")
    else:
        properties = node.get("properties")
        child = properties.get(step) if isinstance(properties, Mapping) else node.get("additionalProperties")
    return child if isinstance(child, Mapping) else {}


def _resolved(root: Schema, node: Schema) -> Schema:
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    definitions = root["$defs"]
    target = definitions[reference.rpartition("/")[2]] if isinstance(definitions, Mapping) else {}
    return {**target, **node}


def named(loc: Loc) -> str:
    """Return the key with the one above it: ``loadBalancer.type``; items of lists by the list's name."""
    words = [str(step) for step in loc[-2:] if isinstance(step, str)]
    if loc and isinstance(loc[-1], int):
        words = [f"an item of {words[0]}" if words else "an item"]
    return ".".join(words) if len(loc) > 1 and isinstance(loc[-2], str) else words[-1] if words else "the document"


def _refusal(model: type[BaseModel], root: object, details: ErrorDetails) -> RefusalError:
    loc, value = details["loc"], details["input"]
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, RefusalError):
        return _not_yet(loc, value, cause) if cause.code == "LB107" else cause
    node = schema_at(model, loc)
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown_key(schema_at(model, loc[:-1]), key=str(loc[-1]), place=value_at(root, *loc[:-1]))
    if kind == "missing":
        why = str(node.get("description", "")).rstrip(".")
        return RefusalError("LB105", f'the key "{loc[-1]}" is missing', why=why, do=f"write {loc[-1]}: …")
    if kind in {"enum", "literal_error"}:
        return _unknown_value(loc, value, node)
    if kind in {"too_long", "too_short", "string_too_long", "string_too_short"}:
        return _size(kind, loc, details)
    return _number(loc, value, node) if kind.endswith("_equal") else _type(loc, value, node)


def _not_yet(loc: Loc, value: object, cause: RefusalError) -> RefusalError:
    what = (
        f"{named(loc)} {quoted(value)}" if isinstance(value, str) and cause.what.startswith("objective") else named(loc)
    )
    why = "it would have no effect in this version"
    return RefusalError("LB107", f"{what} is {NOT_YET}", why=why, do="take it out")


def _unknown_key(node: Schema, *, key: str, place: object) -> RefusalError:
    properties = node.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    written = place if isinstance(place, dict) else {}
    usable = [name for name, each in known.items() if STATUS not in each]
    fresh = [name for name in usable if name not in written] or usable
    return RefusalError("LB104", f"unknown key {quoted(key)}", why=accepted(fresh, key), do="correct it or take it out")


def _unknown_value(loc: Loc, value: object, node: Schema) -> RefusalError:
    values = node.get("enum", [node["const"]] if "const" in node else [])
    words = [each or '""' for each in values] if isinstance(values, list) else []
    what = f"unknown {named(loc).removeprefix('an ')} {shown(value)}"
    return RefusalError("LB103", what, why=accepted(words, value))


def _size(kind: str, loc: Loc, details: ErrorDetails) -> RefusalError:
    limits = details["ctx"]
    if kind.startswith("string"):
        size = len(str(details["input"]).encode("utf-8", "replace"))
        why = "a name has 1 to 512 bytes"
        return RefusalError("LB120", f"{named(loc)} has {size} bytes", why=why, do="choose another name")
    if kind == "too_short":
        return RefusalError("LB105", f"{named(loc)} is empty", why="at least one is needed", do="add one")
    what = f"{named(loc)} has {limits['actual_length']} items"
    return RefusalError("LB125", what, why=f"the limit is {limits['max_length']}", do="split it")


def _range(node: Schema) -> str:
    return f"accepted: {TYPES[str(node['type'])]} from {node['minimum']} to {node['maximum']}"


def _number(loc: Loc, value: object, node: Schema) -> RefusalError:
    idle = loc[-1] == "weight" and "endpoints" in loc and value == 0
    do = "to send an endpoint no calls, write health: Draining" if idle else ""
    return RefusalError("LB116", f"{named(loc)} is {shown(value)}", why=_range(node), do=do)


def _type(loc: Loc, value: object, node: Schema) -> RefusalError:
    wanted = str(node.get("type", "object"))
    if wanted == "integer" and isinstance(value, float):
        return RefusalError("LB116", f"{named(loc)} {shown(value)} is not whole", why=_range(node))
    if wanted == "number" and isinstance(value, float):  # Not a number, or without end.
        return RefusalError("LB116", f"{named(loc)} is {shown(value)}", why=_range(node))
    scalar = isinstance(value, bool | int | float)
    do = "put it in quotes" if wanted == "string" and scalar else ""
    if wanted in {"integer", "number"} and isinstance(value, str):
        do = "write it in decimal digits, without quotes or leading zeros"
    return RefusalError("LB106", f"{named(loc)} is {shown(value)}", why=f"wanted: {TYPES[wanted]}", do=do)
