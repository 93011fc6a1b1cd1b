"""Import rules for parts that the layer contracts cannot name before they exist."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.code import PRODUCT, sources

LEAVES = {
    "lbcontrol/http2": frozenset({"hpack", "lbcontrol"}),
    "clients/python/lookaside/pickers": frozenset({"lookaside"}),
}
"""Folder to what it may import beside the standard library (own package: only the same folder, checked below)."""
CLOCKS = frozenset({"asyncio", "random", "secrets", "socket", "ssl", "subprocess", "threading", "time"})
"""Standard modules a leaf may not use either: time and chance are arguments."""


@pytest.mark.parametrize("folder", LEAVES)
def test_leaf_imports_only_what_it_may(folder: str) -> None:
    """HTTP/2 and the pickers are standard library only (HTTP/2 also hpack), without clock, chance or sockets."""
    own = folder.removeprefix("clients/python/").replace("/", ".")
    wrong = []
    for source in sources(folder):
        for line, name in source.imports():
            top = name.split(".", 1)[0]
            allowed = top in (LEAVES[folder] | set(sys.stdlib_module_names)) - CLOCKS
            if not allowed or (top in {"lbcontrol", "lookaside"} and not f"{name}.".startswith(f"{own}.")):
                wrong.append(f"{source.path}:{line} {name}")
    assert wrong == []


def test_imports_are_absolute() -> None:
    """Relative imports hide from a search who uses what."""
    wrong = [f"{s.path}:{line} {name}" for s in sources(*PRODUCT) for line, name in s.imports() if name.startswith(".")]
    assert wrong == []
