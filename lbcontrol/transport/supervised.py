"""What a front end's code raises ends one call, and nothing else: logged here, once, and answered INTERNAL."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

import structlog

from lbcontrol.model.clients import Peer
from lbcontrol.runtime.ports import Metadata, Status, StatusCode, StatusError, UnaryHandler

Arguments = ParamSpec("Arguments")

INTERNAL = Status(StatusCode.INTERNAL, "LB508: the server failed on this call; its log says where")
"""What a client is told: no paths, no names, no stack."""

_log = structlog.get_logger("lbcontrol.transport")


def attempt(path: str, call: Callable[Arguments, None], *args: Arguments.args, **words: Arguments.kwargs) -> bool:
    """Call a stream handler; False when it raised, which is logged with the method's ``path``."""
    try:
        call(*args, **words)
    except Exception as error:  # noqa: BLE001  logged, and it ends the call
        _log.exception("stream_failed", code="LB508", method=path, error=type(error).__name__)
        return False
    return True


async def answer(path: str, handler: UnaryHandler, *, request: bytes, peer: Peer, metadata: Metadata) -> bytes | Status:
    """Return what a unary handler answers, or the status its call ends with."""
    try:
        return await handler(request, peer, metadata)
    except StatusError as error:
        return error.status
    except Exception as error:  # noqa: BLE001  logged, and it ends the call
        _log.exception("call_failed", code="LB508", method=path, error=type(error).__name__)
        return INTERNAL
