"""Log lines: one shape, nothing that a terminal obeys, not too many of one kind."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from lbcontrol.app.logs import MOST_CHARACTERS, MOST_EVENTS, MOST_PER_SECOND, Hush, configure


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where lines go; logging is as before afterwards."""
    stream, handlers, level = io.StringIO(), logging.root.handlers[:], logging.root.level
    logging.root.handlers.clear()
    configure(stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_line_begins_with_time_level_and_event(out: io.StringIO) -> None:
    """Key=value, the same keys first in every line."""
    structlog.get_logger().warning("finding", do="lbcontrol help", code="LB101", count=2)
    line = out.getvalue()
    assert line.startswith("timestamp=")
    assert line.endswith(' level=warning event=finding code=LB101 do="lbcontrol help" count=2\n')


def test_values_cannot_break_the_line_or_the_terminal(out: io.StringIO) -> None:
    """Line ends and escapes are written out, long values cut, other objects made text."""
    structlog.get_logger().info("x", why="a\nb\x1b[31m", long="y" * 2 * MOST_CHARACTERS, other=ValueError("z"))
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[31m" in out.getvalue()
    assert len(out.getvalue()) < MOST_CHARACTERS + 300
    assert "other=z" in out.getvalue()


def test_libraries_speak_in_the_same_shape(out: io.StringIO) -> None:
    """Warnings of grpc and asyncio become lines of ours; their chatter does not."""
    logging.getLogger("grpc").info("chatter")
    logging.getLogger("grpc").error("failed %s", "so")
    assert out.getvalue().count("\n") == 1
    assert 'level=error event="grpc says" message="failed so"' in out.getvalue()


def test_what_comes_too_often_is_counted_instead() -> None:
    """Ten lines a second of one event; the next one says how many were left out, others are not touched."""
    now = [100.0]
    hush = Hush(lambda: now[0])

    def passed(event: str) -> bool:
        try:
            hush(None, "info", {"event": event})
        except structlog.DropEvent:
            return False
        return True

    assert sum(passed("a") for _ in range(25)) == MOST_PER_SECOND
    assert passed("b")
    now[0] += 1.0
    assert hush(None, "info", {"event": "a"}) == {"event": "a", "hushed": 15}
    assert hush(None, "info", {"event": "a"}) == {"event": "a"}
    assert all(passed(f"event {number}") for number in range(2 * MOST_EVENTS))
