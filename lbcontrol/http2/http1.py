"""What a client of HTTP/1.1 is told: a person with curl, or a probe of the wrong kind, is to see what this port is."""

from __future__ import annotations

import re

_REQUEST_LINE = re.compile(rb"[A-Z]{3,8} \S+ HTTP/1\.[01]\r?\n")
_WORDS = b"this port speaks gRPC: HTTP/2 with prior knowledge\n"

HTTP1_ANSWER = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_WORDS), _WORDS)
)
"""Instead of frames, which nobody would read (RFC 9110 section 15.6.6)."""


def is_http1(data: bytes) -> bool:
    """Return whether a connection that begins so is one of HTTP/1."""
    return _REQUEST_LINE.match(data) is not None
