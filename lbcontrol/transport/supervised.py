"""What a front end's code raises ends one call, and nothing else: logged, counted, and answered INTERNAL."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from lbcontrol.model.clients import Peer
from lbcontrol.runtime.ports import Metadata, Status, StatusCode, StatusError, UnaryHandler

Arguments = ParamSpec("Arguments")
Caught = Callable[[Exception], None]
"""Takes an exception that nobody expected; ``Streams.caught``."""

INTERNAL = Status(StatusCode.INTERNAL, "LB508: the server failed on this call; its log says where")
"""What a client is told: no paths, no names, no stack."""


def attempt(caught: Caught, call: Callable[Arguments, None], *args: Arguments.args, **words: Arguments.kwargs) -> bool:
    """Call a stream handler; False when it raised, which ``caught`` is told."""
    try:
        call(*args, **words)
    except Exception as error:  # noqa: BLE001  it ends this stream and is told
        caught(error)
        return False
    return True


def hand_over(caught: Caught, take: Callable[[bytes], None], *, message: bytes) -> bool:
    """Do as ``attempt`` with one message: the call that is made most often."""
    try:
        take(message)
    except Exception as error:  # noqa: BLE001  it ends this stream and is told
        caught(error)
        return False
    return True


async def answer(
    handler: UnaryHandler, *, request: bytes, peer: Peer, metadata: Metadata, caught: Caught
) -> bytes | Status:
    """Return what a unary handler answers, or the status its call ends with."""
    try:
        return await handler(request, peer, metadata)
    except StatusError as error:
        return error.status
    except Exception as error:  # noqa: BLE001  it ends this call and is told
        caught(error)
        return INTERNAL
