"""Sizes: files, tests and argument lists (statements, complexity and argument counts are ruff's part)."""

from __future__ import annotations

import ast
import statistics
import tomllib

from tests.architecture.code import EVERYTHING, PRODUCT, ROOT, Function, sources

MAX_FILE_LINES = 500
MAX_TEST_LINES = 40
MAX_POSITIONAL = 2
SEAMS = frozenset({"allows", "opened", "require", "step", "__exit__", "__aexit__"})
"""Methods whose order of arguments is a seam: who may do what, a stream's start, a policy's step, Python's own."""
BEFORE_THE_RULE = frozenset(
    {
        "lbcontrol/frontends/admin.py __init__",
        "lbcontrol/frontends/health.py __init__",
        "lbcontrol/frontends/native_register.py __init__",
    }
)
"""Written before this test existed; the list may only get shorter, and a line that is no longer true must go."""
UNARY = ("peer", "metadata")
"""How the arguments of a unary handler end: the transport calls it with message, peer, metadata."""


def test_files_are_at_most_500_lines() -> None:
    """No hand-written file is longer than the hard limit, and nine of ten stay under 350 lines."""
    lengths = {source.path: source.text.count("\n") for source in sources(*EVERYTHING)}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}
    assert statistics.quantiles(lengths.values(), n=10)[8] < 350


def test_tests_are_at_most_40_lines() -> None:
    """A test that needs more than 40 lines needs a builder in tests/support."""
    tests = [(place, node) for source in sources("tests") for place, node in source.functions()]
    tests = [(place, node) for place, node in tests if node.name.startswith("test_")]
    long = [place for place, node in tests if (node.end_lineno or 0) - node.lineno + 1 > MAX_TEST_LINES]
    assert len(tests) > 50
    assert long == []


def test_tests_have_one_docstring_each() -> None:
    """Every test says in a sentence what it holds to be true."""
    functions = [each for source in sources("tests") for each in source.functions()]
    silent = [place for place, node in functions if node.name.startswith("test_") and not ast.get_docstring(node)]
    assert silent == []


def _positional(node: Function) -> list[str]:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_arguments_past_the_second_are_keyword_only() -> None:
    """A call with three bare values cannot be read; the seams named above are the exceptions."""
    wrong = set()
    for source in sources(*PRODUCT):
        for _, node in source.functions():
            names = _positional(node)
            inner = node.name.startswith("_") and node.name != "__init__"
            seam = node.name in SEAMS or tuple(names[-2:]) == UNARY
            if len(names) > MAX_POSITIONAL and not inner and not seam:
                wrong.add(f"{source.path} {node.name}")
    assert wrong == BEFORE_THE_RULE


def test_linter_holds_the_budgets_of_functions() -> None:
    """Statements, complexity and arguments are limited by ruff, and no file is let off."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert (ruff["pylint"]["max-statements"], ruff["mccabe"]["max-complexity"], ruff["pylint"]["max-args"]) == (
        30,
        8,
        6,
    )
    off = {"C901", "PLR0913", "PLR0915", "D100", "D101", "D102", "D103", "D104", "ANN001", "ANN201"}
    assert off.isdisjoint(ruff["ignore"])
    freed = {path: off & set(rules) for path, rules in ruff["per-file-ignores"].items() if off & set(rules)}
    assert set(freed) <= {"tests/**"}
