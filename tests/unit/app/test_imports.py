"""What the server can do without is not imported."""

from __future__ import annotations

import importlib
import sys

import pytest

from lbcontrol.app.serve import unimported


def test_module_counts_as_not_installed_within_the_block_alone() -> None:
    """An import fails inside, works after it, and what was there before stays."""
    sys.modules.pop("this", None)
    with unimported("this"), pytest.raises(ImportError):
        importlib.import_module("this")
    assert "this" not in sys.modules
    with unimported("sys"):
        assert importlib.import_module("sys") is sys
