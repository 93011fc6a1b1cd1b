"""What a peer did wrong, and how far it reaches."""

from __future__ import annotations

from lbcontrol.http2.frames import Code


class ConnectionFaultError(Exception):
    """The connection cannot go on (RFC 9113 section 5.4.1): GOAWAY with ``code``, then close."""

    def __init__(self, code: Code, reason: str) -> None:
        """Keep code and reason; the reason is a short word of a closed set, for metrics and the GOAWAY's debug data."""
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason


class StreamFaultError(Exception):
    """One stream cannot go on (section 5.4.2): RST_STREAM with ``code``; the connection lives."""

    def __init__(self, stream: int, code: Code, *, reason: str) -> None:
        """Keep stream, code and reason."""
        super().__init__(f"stream {stream}: {code.name}: {reason}")
        self.stream = stream
        self.code = code
        self.reason = reason
