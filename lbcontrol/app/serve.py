"""Runs the server of a configuration; the heavy parts are imported only once signals are heeded."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Iterator

from lbcontrol.app.config import ServerConfig
from lbcontrol.app.stop import StopOrder


def run(config: ServerConfig) -> int:
    """Serve until SIGTERM or SIGINT; a second signal ends at once.

    Args:
        config: From ``config.load``.

    Returns:
        Exit code: 0 after an ordered end, 1 when a part that must not end has ended.

    Raises:
        LbControlError: it could not start; the findings say what to do.
    """
    stop = StopOrder()
    stop.install()
    with unimported("rich"):  # structlog takes it for tracebacks in colour, which a log has not: 0.3 s of 1.8 s.
        importlib.import_module("structlog")
    server = importlib.import_module("lbcontrol.app.server")
    selector = importlib.import_module("lbcontrol.runtime.lag").MeteredSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return int(runner.run(server.serve(config, stop, selector=selector)))


@contextlib.contextmanager
def unimported(name: str) -> Iterator[None]:
    """Have a module that something can do without count as not installed for the time of a block."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how Python says so
    try:
        yield
    finally:
        del sys.modules[name]
