"""The hand-written sources of this checkout, parsed once."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("lbcontrol", "clients/python/lookaside")
EVERYTHING = (*PRODUCT, "tests", "scripts", "benchmarks")
GENERATED = ("clients/python/lookaside/api/lbcontrol/", "lbcontrol/pb/grpc/")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One hand-written Python file."""

    path: str
    """Relative to the checkout, with slashes."""
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function and method with its place, ``path:line name``."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield f"{self.path}:{node.lineno} {node.name}", node

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full module name of every import, wherever it stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, "." * node.level + (node.module or "")


@functools.cache
def parse(path: Path) -> Source:
    """Read and parse one file."""
    text = path.read_text()
    return Source(str(path.relative_to(ROOT)), text, ast.parse(text, path.name))


def sources(*folders: str) -> list[Source]:
    """Return the hand-written files under ``folders`` that exist, in order of path."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [parse(path) for path in sorted(found) if not str(path.relative_to(ROOT)).startswith(GENERATED)]
