"""The command line's entry point."""

from __future__ import annotations

import pytest

from lbcontrol.app.cli import main


def test_main_exits_with_usage_when_no_verb_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the reason on stderr."""
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no commands" in capsys.readouterr().err
