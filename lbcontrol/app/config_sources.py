"""The ``sources`` of the server's configuration: each entry is checked by the options of its type."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lbcontrol.app.config_document import LATER_SOURCES
from lbcontrol.sources import SOURCES
from lbcontrol.sources.documents.messages import checked
from lbcontrol.sources.documents.refusals import Problem, RefusalError, accepted, shown
from lbcontrol.sources.documents.tree import Fields, line_of
from lbcontrol.sources.documents.vocabulary import NOT_YET
from lbcontrol.sources.spec import Options, SourceSpec

REGISTRY = "registry"
"""Type, and default name, of the self-registration source, which is always there."""
FILE = "file"
"""Type, and default name, of the file source."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One source to run."""

    name: str
    type: str
    """A key of ``SOURCES``."""
    options: Options


def spec_of(type: str) -> SourceSpec[Any]:  # noqa: A002  (the key people write)
    """Return what a type of source is made of."""
    module, _, name = SOURCES[type].partition(":")
    spec: SourceSpec[Any] = getattr(importlib.import_module(module), name)
    return spec


def source(name: str, type: str, **options: object) -> SourceConfig:  # noqa: A002  (the key people write)
    """Return a source of our own making."""
    return SourceConfig(name, type, spec_of(type).options.model_validate(options))


def read_sources(root: Fields) -> tuple[list[SourceConfig], list[Problem]]:
    """Read the ``sources`` of a document.

    Args:
        root: The whole document, as written.

    Returns:
        The sources that are right, and every problem of the others.
    """
    written = root.get("sources")
    if not isinstance(written, Fields):
        return [], []
    found: list[SourceConfig] = []
    problems: list[Problem] = []
    for name, entry in written.items():
        made, wrong = _read(root, name, entry)
        problems += wrong
        found += [made] if made else []
    return found, [*problems, *_second_registries(root, found)]


def _read(root: Fields, name: str, entry: object) -> tuple[SourceConfig | None, list[Problem]]:
    at = ("sources", name)
    if not isinstance(entry, Fields):
        what = f"source {shown(name)} is {shown(entry)}"
        return None, [_problem(root, at, RefusalError("LB106", what, why="wanted: a mapping with the key type"))]
    refusal = _type_refusal(entry.get("type"))
    if refusal is not None:
        return None, [_problem(root, (*at, "type") if "type" in entry else at, refusal)]
    kind = str(entry["type"])
    given = Fields(entry.line)
    given.key_lines = entry.key_lines
    given.update({key: value for key, value in entry.items() if key != "type"})
    options, problems = checked(spec_of(kind).options, given)
    placed = [dataclasses.replace(each, label=".".join(filter(None, (*at, each.label)))) for each in problems]
    return (SourceConfig(name, kind, options) if options is not None else None), placed


def _type_refusal(written: object) -> RefusalError | None:
    if written in LATER_SOURCES:
        return RefusalError("LB107", f"type {written} is {NOT_YET}", why=accepted(list(SOURCES)), do="take it out")
    if written is None:
        return RefusalError("LB105", 'the key "type" is missing', why=accepted(list(SOURCES)), do="write type: file")
    if written not in SOURCES:
        return RefusalError("LB103", f"unknown type {shown(written)}", why=accepted(list(SOURCES), written))
    return None


def _second_registries(root: Fields, found: list[SourceConfig]) -> Iterator[Problem]:
    for second in [each for each in found if each.type == REGISTRY][1:]:
        why = "backends could not say which one they mean"
        refusal = RefusalError("LB122", "a second source of type registry", why=why, do="take one of them out")
        yield _problem(root, ("sources", second.name), refusal)


def _problem(root: Fields, loc: tuple[str, ...], refusal: RefusalError) -> Problem:
    return Problem(line_of(root, loc), ".".join(loc), refusal)
