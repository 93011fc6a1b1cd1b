"""One word for one thing, and no text that does not belong in a public repository."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.code import ROOT, Source, sources

SAY = {
    "helper": "the thing's name",
    "helpers": "the thing's name",
    "util": "the thing's name",
    "utils": "the thing's name",
    "manager": "hub, publisher, supervisor",
    "provider": "source",
    "plugin": "source or front end",
    "upstream": "service",
    "shard": "cohort",
    "qps": "rps",
    "algorithm": "policy",
}
"""Word that no name contains, and what to say instead."""
CLUSTER_MAY = (
    "lbcontrol/model/rendering.py",
    "lbcontrol/engine/compile/",
    "lbcontrol/frontends/xds/",
    "lbcontrol/frontends/lrs",
    "lbcontrol/sources/kubernetes",
)
"""*cluster* is the xDS object, and a form of a rendering; a Kubernetes cluster may be named where Kubernetes is."""


def names(source: Source) -> Iterator[tuple[int, str]]:
    """Every name the file defines: modules, classes, functions, arguments, variables, fields."""
    yield 1, Path(source.path).stem
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr


def words(name: str) -> set[str]:
    """Split snake_case and CamelCase into lower-case words."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_names_use_the_words_of_the_glossary() -> None:
    """No name in the product contains a word for which we have a better one."""
    wrong = [
        f"{source.path}:{line} {name}: say {SAY[word]}"
        for source in sources("lbcontrol")
        for line, name in names(source)
        for word in words(name) & set(SAY)
    ]
    assert wrong == []


def test_cluster_is_an_xds_word() -> None:
    """Outside xDS, LRS and Kubernetes nothing is called a cluster."""
    wrong = [
        f"{source.path}:{line} {name}"
        for source in sources("lbcontrol")
        if not source.path.startswith(CLUSTER_MAY)
        for line, name in names(source)
        if words(name) & {"cluster", "clusters"}
    ]
    assert wrong == []


def test_functions_do_not_begin_with_get() -> None:
    """A function that returns a thing is named after the thing; commands and RPC methods called "get" may be."""
    wrong = [
        place for source in sources("lbcontrol") for place, node in source.functions() if node.name.startswith("get_")
    ]
    theirs = (" get_assignment", " get_buffer", " get_extra_info", " get_write_buffer_size")  # An RPC's and asyncio's.
    assert [place for place in wrong if not place.endswith(theirs)] == []


FORBIDDEN = {
    "path of a machine": r"/wo" r"rk/|/ho" r"me/[a-z]|/ro" r"ot/",
    "neighbour of the checkout": r"\.\./sha" r"red",
    "package index or mirror": r"py"
    r"pi\.org|python"
    r"hosted\.org|proxy\.go"
    r"lang\.org|npm"
    r"js\.org|deb\.deb"
    r"ian\.org",
    "text for no reader": r"\bCE" r"O\b|\bFIX" r"ME\b|\bXX" r"X\b",
}
"""Written in halves, so that this file does not contain what it forbids."""
LEFT_OUT = ("LICENSE", "go.sum", ".png", ".ico", ".json.gz")


def tracked() -> list[Path]:
    """Return the text files git knows, or will know."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and not name.endswith(LEFT_OUT) and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_files_contain_no_forbidden_text(what: str) -> None:
    """Nothing in the repository names the place it was written in or an address packages come from."""
    pattern = re.compile(FORBIDDEN[what])
    wrong = []
    for path in tracked():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number} {line.strip()[:80]}")
    assert wrong == []


def test_todo_names_an_issue() -> None:
    """What is left to do has a number: ``TO`` ``DO(#12)``."""
    loose = re.compile(r"\bTO" r"DO\b(?!\(#\d+\))")
    wrong = [s.path for s in sources("lbcontrol", "clients/python/lookaside", "tests") if loose.search(s.text)]
    assert wrong == []
