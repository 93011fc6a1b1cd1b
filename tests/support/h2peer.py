"""A peer written frame by frame, for tests of the HTTP/2 connection without sockets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, Event, Message
from lbcontrol.http2.fields import Fields
from lbcontrol.http2.frames import (
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    PREFACE,
    SETTINGS_ACK,
    Code,
    Kind,
    frame,
    long_of,
    settings_frame,
)
from lbcontrol.http2.grpc import prefixed
from lbcontrol.http2.limits import Limits

Pairs = Iterable[tuple[str, str]]
REQUEST = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.Echo/Stream"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)
MOST = 1_000
"""Bytes of a message that the connection under test takes."""


@dataclass
class Sent:
    """One frame that the connection wrote."""

    kind: int
    flags: int
    stream: int
    payload: bytes


@dataclass
class Peer:
    """A client and the connection under test; time stands still unless a test moves it."""

    limits: Limits = field(default_factory=Limits)
    now: float = 100.0

    def __post_init__(self) -> None:
        """Say hello, as every client does."""
        self.connection = Connection(self.limits, message_limit=self._limit)
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.events: list[Event] = []
        self.feed(PREFACE + settings_frame({}) + SETTINGS_ACK)
        self.frames()

    @staticmethod
    def _limit(fields: Fields) -> int:
        del fields
        return MOST

    def feed(self, data: bytes) -> list[Event]:
        """Hand bytes over; returns and keeps what happened."""
        found = self.connection.receive(data, now=self.now)
        self.events += found
        return found

    def headers(
        self, stream: int = 1, fields: Iterable[tuple[str, str]] = REQUEST, *, end: bool = False
    ) -> list[Event]:
        """Open a stream, or send trailers."""
        flags = END_HEADERS | (END_STREAM if end else 0)
        return self.feed(frame(Kind.HEADERS, flags, stream=stream, payload=self.encoder.encode(list(fields))))

    def data(self, body: bytes, stream: int = 1, *, flags: int = 0) -> list[Event]:
        """Send one DATA frame."""
        return self.feed(frame(Kind.DATA, flags, stream=stream, payload=body))

    def message(self, message: bytes, stream: int = 1) -> list[bytes]:
        """Send one gRPC message; returns the messages that were taken."""
        return [event.body for event in self.data(prefixed(message), stream) if isinstance(event, Message)]

    def frames(self) -> list[Sent]:
        """Return what the connection wrote since the last call."""
        raw, found = self.connection.take(), []
        while raw:
            size = int.from_bytes(raw[:3])
            payload = raw[HEAD_BYTES : HEAD_BYTES + size]
            found.append(Sent(raw[3], raw[4], int.from_bytes(raw[5:9]), payload))
            raw = raw[HEAD_BYTES + size :]
        return found

    def broken(self) -> tuple[Code, str] | None:
        """Return why the connection ended, None while it lives."""
        return next(((event.code, event.reason) for event in self.events if isinstance(event, Broken)), None)

    def reset_codes(self) -> list[Code]:
        """Return the codes of the RST_STREAM frames written since the last look."""
        return [Code(long_of(sent.payload)) for sent in self.frames() if sent.kind == Kind.RST_STREAM]
