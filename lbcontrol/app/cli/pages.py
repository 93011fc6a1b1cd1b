"""The pages of the error codes, which are also the ones in ``docs/errors``."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


def _folder() -> Traversable:
    return resources.files("lbcontrol.app") / "errors"


def codes() -> list[str]:
    """Return every code that has a page."""
    names = (each.name for each in _folder().iterdir())
    return sorted(name.removesuffix(".md") for name in names if name.startswith("LB") and name.endswith(".md"))


def page(code: str) -> str:
    """Return a page.

    Raises:
        KeyError: there is none for this code.
    """
    if code not in codes():
        raise KeyError(code)
    return (_folder() / f"{code}.md").read_text(encoding="utf-8")


def title(code: str) -> str:
    """Return the first line of a page, without the code."""
    return page(code).partition("\n")[0].removeprefix(f"# {code}: ")
