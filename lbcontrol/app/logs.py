"""Logs: one line of key=value per event on stderr, escaped, cut, and bounded per cause."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

MOST_PER_SECOND = 10
"""Lines of one event in a second; what is over is counted in its next line."""
MOST_EVENTS = 256
"""Events whose rate is remembered; the names come from code, so that this is never reached in practice."""
MOST_CHARACTERS = 4_000
"""Longest value."""
FIRST_KEYS = ("timestamp", "level", "event", "code")


class Hush:
    """Drops lines of an event that comes too often."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing said."""
        self._now = now
        self._seen: dict[str, tuple[float, int]] = {}

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Pass the line on, with the number of those dropped before it."""
        del logger, method
        name, now = str(event.get("event")), self._now()
        began, count = self._seen.get(name, (now, 0))
        if now - began < 1.0:
            self._remember(name, began, count + 1)
            if count >= MOST_PER_SECOND:
                raise structlog.DropEvent
            return event
        self._remember(name, now, 1)
        if count > MOST_PER_SECOND:
            event["hushed"] = count - MOST_PER_SECOND
        return event

    def _remember(self, name: str, began: float, count: int) -> None:
        if len(self._seen) >= MOST_EVENTS and name not in self._seen:
            self._seen.clear()
        self._seen[name] = (began, count)


def _plain(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Make each value a text that a terminal cannot obey."""
    del logger, method
    return {key: _text(value) for key, value in event.items()}


def _text(value: object) -> object:
    if not isinstance(value, str):
        return value if isinstance(value, bool | int | float) else _text(str(value))
    cut = value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS] + "…"
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in cut)


class _Forward(logging.Handler):
    """Gives lines of libraries (grpc, asyncio, aiohttp) the shape of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record under the library's name."""
        line: Any = structlog.get_logger()
        level = record.levelname.lower()
        getattr(line, level if level in {"warning", "error", "critical"} else "info")(
            f"{record.name} says", message=record.getMessage(), exc_info=record.exc_info
        )


def configure(stream: TextIO | None = None) -> None:
    """Log to ``stream`` (default stderr) from now on; of libraries, warnings and worse."""
    structlog.configure(
        processors=[
            Hush(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _plain,
            structlog.processors.LogfmtRenderer(key_order=FIRST_KEYS, drop_missing=True, bool_as_flag=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)
