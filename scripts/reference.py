"""Writes the pages of docs/reference that say what the code says: configuration, command line, metrics.

With ``--check`` it only says which pages are not up to date.
"""

from __future__ import annotations

import enum
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import typer
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from lbcontrol.app.cli.exits import Exit
from lbcontrol.app.cli.grammar import VERBS, Verb
from lbcontrol.app.cli.options import Common, Remote, Write
from lbcontrol.app.config_document import ServerDocument
from lbcontrol.app.config_sources import spec_of
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources import SOURCES
from lbcontrol.sources.documents.policies import ServicePolicyDocument
from lbcontrol.sources.documents.schema import schema_of
from lbcontrol.sources.documents.services import ServicesDocument
from lbcontrol.sources.documents.vocabulary import STATUS
from scripts import limits

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "Made by `scripts/reference.py` from {}; do not edit it here.\n"
DEFAULT = re.compile(r"[.;] Default (.+)\.$")
"""How a field without a plain default says what happens without it."""
EXITS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed",
    Exit.USAGE: "wrong command line",
    Exit.NOT_FOUND: "no such service, endpoint, client or page",
    Exit.FINDINGS: "`check` or `validate` found something",
    Exit.REFUSED: "refused by a guard",
    Exit.TIMED_OUT: "not true in time",
    Exit.INTERRUPTED: "interrupted",
}


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def _accepted(node: Mapping[str, Any]) -> str:
    """Return in words what a key takes."""
    if "const" in node or "enum" in node:
        return ", ".join(f"`{each}`" if each else "nothing" for each in node.get("enum", [node.get("const")]))
    if "pattern" in node and "h|m|s|ms" in node["pattern"]:
        return "duration"
    least, most = node.get("minimum"), node.get("maximum")
    kind = {"array": "list", "object": "mapping", "string": "text"}.get(str(node["type"]), str(node["type"]))
    bounds = f" from {least}" if least is not None else ""
    return kind + bounds + (f" to {most}" if most is not None else "")


def _default(node: Mapping[str, Any], *, required: bool) -> str:
    told = DEFAULT.search(node.get("description", ""))
    if required:
        return "required"
    if told:
        return told[1]
    value = node.get("default")
    return (
        ""
        if value in (None, "", []) or "format" in node
        else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


def _keys(node: Mapping[str, Any], root: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, ...]]:
    """Walk a JSON schema; yields a row for each key: path, meaning, what it takes, what happens without it."""
    for name, written in node.get("properties", {}).items():
        target = root["$defs"][written["$ref"].rpartition("/")[2]] if "$ref" in written else {}
        child = {**target, **written}
        meaning = DEFAULT.sub(".", child.get("description", "")).replace("``", "`")
        if STATUS in child:
            yield f"`{path}{name}`", meaning, "*not supported yet*", ""
            continue
        yield f"`{path}{name}`", meaning, _accepted(child), _default(child, required=name in node.get("required", ()))
        yield from _keys(child, root, f"{path}{name}.")
        items = child.get("items", {})
        if "$ref" in items:
            yield from _keys(root["$defs"][items["$ref"].rpartition("/")[2]], root, f"{path}{name}[].")


def configuration() -> str:
    """Return the page of the configuration."""
    parts = [
        "# Configuration\n",
        MADE.format("the models that read the files"),
        "Keys are camelCase; an unknown key is an error, and so is one marked *not supported yet*: no key is without",
        "an effect. A duration is text like `30s`, `1m30s` or `250ms`. `lbcontrol validate FILE` checks a file,",
        "`lbcontrol schema` prints the JSON Schema of services and policies for an editor.\n",
    ]
    server = schema_of(ServerDocument)
    source = [(name, schema_of(spec_of(name).options)) for name in SOURCES]
    services, policy = schema_of(ServicesDocument), schema_of(ServicePolicyDocument)
    sections = [
        ("Server: `lbcontrol serve --config FILE`", server),
        *((f"Server: an entry of `sources` with `type: {name}`", schema) for name, schema in source),
        ("Services: files of a file source", services),
        ("Policies: files of a file source, `kind: ServicePolicy`", policy),
    ]
    for title, schema in sections:
        parts += [f"## {title}\n", _table(("key", "meaning", "takes", "default"), _keys(schema, schema))]
    return "\n".join(parts)


def _flag(field: Field[Any], hint: Any) -> tuple[str, ...]:
    """Return how a flag or argument is written, what it means, and what holds without it."""
    info = hint.__metadata__[-1]
    metavar = _choices(hint) or info.metavar or {int: "NUMBER", str: "TEXT"}.get(hint.__origin__, "")
    meaning = info.help + (f" Also `{info.envvar}`." if info.envvar else "")
    if isinstance(info, typer.models.ArgumentInfo):
        return f"`{metavar}`", meaning, "" if metavar.startswith("[") else "required"
    names = ", ".join(f"`{name}`" for name in (info.default, *info.param_decls))
    return f"{names} `{metavar}`" if metavar else names, meaning, _without(field, info.show_default)


def _without(field: Field[Any], told: object) -> str:
    """Return what holds without a flag."""
    if isinstance(told, str):
        return told
    return f"`{field.default}`" if field.default and field.default is not MISSING else ""


def _choices(hint: Any) -> str:
    """Return the words that a flag takes, empty when it is not a closed set."""
    kinds = [hint.__origin__, *typing.get_args(hint.__origin__)]
    return next(("|".join(map(str, kind)) for kind in kinds if isinstance(kind, enum.EnumMeta)), "")


def _flags(kind: type[Common], *, without: type | None = None) -> str:
    hints = typing.get_type_hints(kind, include_extras=True)
    known = {field.name for field in fields(without)} if without is not None else set()
    rows = (_flag(field, hints[field.name]) for field in fields(kind) if field.name not in known)
    return _table(("flag", "meaning", "default"), rows)


SHARED: tuple[tuple[type[Common], str], ...] = (
    (Write, "those of writes, those of asking a server, the common ones"),
    (Remote, "those of asking a server, the common ones"),
    (Common, "the common ones"),
)


def _verb(verb: Verb) -> str:
    base, further = next(pair for pair in SHARED if issubclass(verb.options, pair[0]))
    text = f"## {verb.name}\n\n{verb.help} Further flags: {further}.\n"
    return text + (f"\n{_flags(verb.options, without=base)}" if len(fields(verb.options)) > len(fields(base)) else "")


def command_line() -> str:
    """Return the page of the command line."""
    codes = _table(("exit code", "meaning"), ((str(int(code)), meaning) for code, meaning in EXITS.items()))
    return "\n".join(
        [
            "# Command line\n",
            MADE.format("`lbcontrol/app/cli`"),
            "`lbcontrol VERB [SERVICE] [ENDPOINT]`. Data goes to standard output, everything else to standard error.\n",
            codes,
            "## Common flags\n",
            _flags(Common),
            "## Flags of asking a server\n",
            _flags(Remote, without=Common),
            "## Flags of writes\n",
            _flags(Write, without=Remote),
            *map(_verb, VERBS),
        ]
    )


def _family(metric: Metric) -> tuple[str, ...]:
    name = metric.name + ("_total" if metric.type == "counter" else "")
    return f"`{name}`", metric.type, metric.documentation


def metrics() -> str:
    """Return the page of the metrics."""
    made = Metrics()
    families = [vars(each) for each in vars(made).values() if isinstance(each, MetricWrapperBase)]
    labels = {each["_name"]: each["_labelnames"] for each in families}
    rows = ((*_family(one), ", ".join(labels[one.name])) for one in made.registry.collect())
    return "\n".join(
        [
            "# Metrics\n",
            MADE.format("`lbcontrol/runtime/metrics.py`"),
            "`GET /metrics` on the probe listener, in Prometheus' text format. Names and labels are public interface:",
            "they change with a minor version at most. No label holds a client or an endpoint.\n",
            _table(("family", "type", "meaning", "labels"), rows),
        ]
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "config.md": configuration,
    "cli.md": command_line,
    "metrics.md": metrics,
    "limits.md": lambda: limits.page(MADE.format("`scripts/limits.py` and the configuration's models")),
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; the exit code."""
    stale = [
        name for name, make in PAGES.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != make()
    ]
    if "--check" in arguments:
        print(
            "\n".join(f"reference: {name} differs: run scripts/reference.py" for name in stale)
            or "reference: up to date"
        )
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(PAGES[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
