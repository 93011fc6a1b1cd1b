"""Registries name what exists, and packages say what belongs in them."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping

import pytest

import lbcontrol
from tests.architecture.code import ROOT, parse

REGISTRIES = {
    "lbcontrol.sources": "SOURCES",
    "lbcontrol.policies": "POLICIES",
    "lbcontrol.frontends": "FRONTENDS",
    "lbcontrol.probes": "PROBES",
    "lbcontrol.stores": "STORES",
    "lbcontrol.buses": "BUSES",
    "lbcontrol.transport": "TRANSPORTS",
}
"""Where one line per implementation stands; a package that is not there yet has none."""


def entries() -> Iterator[tuple[str, str, object]]:
    """Registry, name and value of every line of every registry that exists."""
    for package, registry in REGISTRIES.items():
        if not (ROOT / package.replace(".", "/")).is_dir():
            continue
        lines = getattr(importlib.import_module(package), registry, {})
        assert isinstance(lines, Mapping), f"{package}.{registry} is not a mapping"
        yield from ((f"{package}.{registry}", name, value) for name, value in lines.items())


@pytest.mark.parametrize(("registry", "name", "value"), list(entries()))
def test_registry_line_resolves(registry: str, name: str, value: object) -> None:
    """A text names ``module:object`` in the registry's own package; anything else must be callable or carry a SPEC."""
    if isinstance(value, str):
        module, _, attribute = value.partition(":")
        assert module.startswith(registry.rpartition(".")[0] + ".")
        value = getattr(importlib.import_module(module), attribute)
    assert callable(value) or hasattr(value, "SPEC") or hasattr(value, "build"), f"{registry}[{name!r}] is {value!r}"


def test_registries_are_not_empty() -> None:
    """The front ends at least are registered, so that the test above has something to check."""
    assert "lbcontrol.frontends.FRONTENDS" in {registry for registry, _, _ in entries()}


def test_every_package_says_what_belongs_in_it() -> None:
    """The docstring of each package names in 3 to 10 lines what is in it and what is not."""
    wrong = []
    for path in sorted((ROOT / "lbcontrol").rglob("__init__.py")):
        if path.is_relative_to(ROOT / "lbcontrol" / "pb" / "grpc"):
            continue
        text = ast.get_docstring(parse(path).tree) or ""
        rule = "belongs here" in text.lower() or "belong here" in text.lower()
        if not (rule and 3 <= text.count("\n") + 1 <= 10):
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


def test_every_module_can_be_imported() -> None:
    """No module needs another to be imported first, and none has a broken import in a corner."""
    names = [info.name for info in pkgutil.walk_packages(lbcontrol.__path__, "lbcontrol.")]
    assert len(names) > 30
    for name in names:
        if name != "lbcontrol.__main__":
            importlib.import_module(name)
