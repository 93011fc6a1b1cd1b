"""What a connection tells its owner, in the order it happened."""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.http2.fields import Fields
from lbcontrol.http2.frames import Code


@dataclass(slots=True)
class Opened:
    """A request began; its fields are well formed."""

    stream: int
    fields: Fields


@dataclass(slots=True)
class Message:
    """A whole request message, without its prefix."""

    stream: int
    body: bytes


@dataclass(slots=True)
class HalfClosed:
    """The peer will send nothing more on the stream."""

    stream: int


@dataclass(slots=True)
class Refused:
    """A message cannot be taken: end the stream with a status.

    ``limit`` is 0 where the message is flagged as compressed, or the peer ended its side within the message (``cut``).
    """

    stream: int
    size: int
    limit: int
    cut: bool = False


@dataclass(slots=True)
class Closed:
    """The stream is gone without our doing: the peer reset it, or broke a rule and we did, maybe before it was open."""

    stream: int
    code: Code | int
    ours: bool
    """True when we reset it."""
    reason: str = ""


@dataclass(slots=True)
class Writable:
    """The message under way has left; the next one can be given."""

    stream: int


@dataclass(slots=True)
class Broken:
    """The connection is over: write what is left (a GOAWAY stands in it), then close."""

    code: Code
    reason: str


@dataclass(slots=True)
class PeerLeaves:
    """The peer sent GOAWAY: it opens no further streams."""

    code: int


Event = Opened | Message | HalfClosed | Refused | Closed | Writable | Broken | PeerLeaves


def without_stillborn(events: list[Event]) -> list[Event]:
    """Leave out streams that were opened and reset in one go: of them only our reasons need be heard."""
    gone = {each.stream for each in events if type(each) is Closed}
    if not gone:
        return events
    gone &= {each.stream for each in events if isinstance(each, Opened)}
    return [
        each
        for each in events
        if isinstance(each, Broken | PeerLeaves) or each.stream not in gone or (isinstance(each, Closed) and each.ours)
    ]
