"""Runs the server of a configuration; the heavy parts are imported only once signals are heeded."""

from __future__ import annotations

import asyncio
import importlib

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
    server = importlib.import_module("lbcontrol.app.server")
    return int(asyncio.run(server.serve(config, stop)))
