"""A payload as DATA frames: made once for each of the first few stream ids, then shared by every connection.

A client's first stream has the same low id on every connection, so that one ``bytes`` object serves thousands of them.
"""

from __future__ import annotations

from lbcontrol.http2.frames import data_frames
from lbcontrol.http2.grpc import prefixed
from lbcontrol.model.rendering import Payload

KEPT = 4
"""Stream ids whose frames are kept with a payload."""


def frames_of(payload: Payload, stream: int) -> bytes:
    """Return the frames that carry ``payload`` on a stream with this id."""
    kept = payload.frames.get(stream)
    if kept is None:
        kept = data_frames(stream, prefixed(payload.message))
        if len(payload.frames) < KEPT:
            payload.frames[stream] = kept
    return kept
