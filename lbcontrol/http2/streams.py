"""One stream (RFC 9113 section 5.1): who may still send, the two windows, the message under way."""

from __future__ import annotations

from lbcontrol.http2.fields import IDENTITY
from lbcontrol.http2.grpc import PREFIX_BYTES, Assembly


class Stream:
    """State of one open stream. It leaves its connection's table when both sides are done."""

    __slots__ = (
        "assembly",
        "began",
        "credit",
        "encoding",
        "ending",
        "expected",
        "headers",
        "id",
        "limit",
        "paused",
        "receivable",
        "received",
        "refused",
        "remote_open",
        "rest",
        "window",
    )

    def __init__(self, id: int, *, window: int, receivable: int, limit: int) -> None:  # noqa: A002  (field's term)
        """Open it: ``window`` bytes may be sent, ``receivable`` received, messages have at most ``limit``."""
        self.id = id
        self.window = window
        self.receivable = receivable
        self.credit = 0
        """Bytes consumed and not yet given back by WINDOW_UPDATE."""
        self.limit = limit
        """Longest message that is taken, in bytes."""
        self.assembly: Assembly | None = None
        """Part of a message, once a message came in parts."""
        self.remote_open = True
        self.encoding = IDENTITY
        """What the peer's ``grpc-encoding`` names."""
        self.headers: bytes | None = None
        """Block to be sent before anything else; None once it has left."""
        self.began = False
        """Our HEADERS have left."""
        self.rest: memoryview | None = None
        """What is left of the message under way."""
        self.ending: bytes | None = None
        """Trailer block to send after the message under way."""
        self.expected: int | None = None
        """Bytes of body by content-length that are still to come."""
        self.received = 0
        self.refused = False
        """True once a message could not be taken: what follows is dropped."""
        self.paused = False
        """True while nothing is given back, so that the peer has to stop."""

    def takes(self, size: int) -> bool:
        """True when a DATA frame of ``size`` bytes with one whole message is all in order."""
        plain = self.remote_open and self.expected is None and not self.refused
        return plain and self.assembly is None and size <= self.receivable and size - PREFIX_BYTES <= self.limit
