"""Ours and h2 take the same frames, one by one, and have to make the same of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.errors import StreamFaultError
from lbcontrol.http2.events import Broken, Closed, Event, HalfClosed, Message, Opened, PeerLeaves, Refused
from lbcontrol.http2.frames import HEAD_BYTES, MAX_WINDOW, PREFACE, Kind
from lbcontrol.http2.grpc import PREFIX_BYTES
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.streams import Stream
from tests.fuzz.differences import LATE, Difference, differ, known
from tests.fuzz.inputs import FindingError
from tests.fuzz.ledger import Ledger, Parsed, parsed, resets
from tests.fuzz.oracle import Oracle, Seen
from tests.fuzz.owner import Owner
from tests.fuzz.subject import MOST, check_held, check_over, connect, frames

FLOW = {"connection_window", "stream_window", "initial_window"}


class Body:
    """The body of a stream as h2 hands it over, and what messages a reader must find in it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._raw = b""
        self.refused = False

    def add(self, data: bytes) -> list[tuple[object, ...]]:
        """Return what becomes known by more bytes: messages, and a refusal as the last of all."""
        found: list[tuple[object, ...]] = []
        self._raw += data
        while not self.refused and len(self._raw) >= PREFIX_BYTES:
            size = int.from_bytes(self._raw[1:PREFIX_BYTES])
            if self._raw[0] or size > MOST:
                self.refused = True
                found.append(("refused", 0 if self._raw[0] else size))
            elif len(self._raw) < PREFIX_BYTES + size:
                break
            else:
                found.append(("message", self._raw[PREFIX_BYTES : PREFIX_BYTES + size]))
                self._raw = self._raw[PREFIX_BYTES + size :]
        return found

    def end(self) -> list[tuple[object, ...]]:
        """Return what becomes known by the end: a message that is cut is refused."""
        is_cut = bool(self._raw) and not self.refused
        self.refused = self.refused or is_cut
        return [("refused", 0)] if is_cut else []


class Noting(Connection):
    """A connection that notes why streams are refused, also those that had not been opened."""

    __slots__ = ("faults",)

    def __init__(self, *args: Any, **words: Any) -> None:
        """Note nothing yet."""
        super().__init__(*args, **words)
        self.faults: list[str] = []

    def _fault(self, fault: StreamFaultError, now: float) -> None:
        self.faults.append(fault.reason)
        super()._fault(fault, now)


class Lockstep:
    """One connection of ours, its owner, the ledger, and h2."""

    def __init__(self, limits: Limits, *, seconds: float, note: Callable[[Difference], None]) -> None:
        """Begin; each frame comes ``seconds`` after the one before; known differences are told to ``note``."""
        self._limits = limits
        self._connection = connect(limits, Noting)
        self._owner = Owner(self._connection)
        self._ledger = Ledger(limits.stream_window)
        self._oracle: Oracle | None = Oracle(limits)
        self._bodies: dict[int, Body] = {}
        self._streams: dict[int, Stream] = {}
        self._left: set[int] = set()
        """Streams that ours has ended: nothing is told of them any more."""
        self._reset: set[int] = set()
        self._seconds = seconds
        self._note = note
        self._now = 100.0
        self._judge_output(self._connection.take())

    def run(self, data: bytes) -> None:
        """Take in a whole input.

        Raises:
            FindingError: a rule was broken, or the two differ in a way that is not known.
        """
        for piece in frames(data):
            self._now += self._seconds
            self._step(piece)
            if self._owner.over:
                break
        check_held(self._connection, self._limits)
        if not self._connection.established and self._streams:
            raise FindingError("a stream before the connection is established")
        if self._connection.highest < max(self._streams, default=0):
            raise FindingError("a stream beyond the highest")

    def _step(self, piece: bytes) -> None:
        frame = _frame(piece)
        self._connection.faults.clear()
        events = self._connection.receive(piece, now=self._now)
        written = parsed(self._connection.take())
        check_over(self._connection, events)
        seen = _seen(events, resets(written), self._connection.faults)
        overstepped = self._account(frame, events, seen)
        for sent in written:
            self._ledger.ours(sent[0], sent[1], stream=sent[2], payload=sent[3])
        if overstepped and seen.verdict == "accepted":
            raise FindingError("a window was overstepped and nothing is refused")
        if frame is not None and frame[0] == Kind.RST_STREAM:
            self._reset.discard(frame[2])  # The peer knows now, and nothing of it is late any more.
        if seen.reason == "closed_stream" and frame is not None and frame[2] in self._reset:
            raise FindingError(f"a late frame of stream {frame[2]}, which ours reset, ends the connection")
        if seen.reason.startswith("streams") and self._connection._leaving:
            seen.reason = "leaving"
        self._compare(piece, seen)
        self._streams.update(self._connection.streams)
        self._owner.act(events, self._now)
        acted = self._owner.direct + self._connection.take()
        self._owner.direct = b""
        self._judge_output(acted)
        self._reset.update(sent[2] for sent in (*written, *parsed(acted)) if sent[0] == Kind.RST_STREAM)
        self._follow({event.stream for event in events if isinstance(event, Closed)})

    def _account(self, frame: Parsed | None, events: list[Event], seen: Seen) -> bool:
        """Put the peer's frame into the ledger; True when it must be refused."""
        for event in events:
            if isinstance(event, Opened):
                self._ledger.opened(event)
        if frame is None:
            return False
        kind, flags, stream, payload = frame
        overstepped = self._ledger.theirs(kind, flags, stream=stream, payload=payload)
        for event in events:
            if isinstance(event, Closed) and not event.ours:
                self._ledger.gone(event.stream)
        if seen.reason in FLOW and not overstepped:
            raise FindingError(f"{seen.reason}: no window was overstepped")
        return overstepped

    def _judge_output(self, written: bytes) -> None:
        for kind, flags, stream, payload in parsed(written):
            self._ledger.ours(kind, flags, stream=stream, payload=payload)

    def _compare(self, piece: bytes, ours: Seen) -> None:
        """Hold what ours made of a frame beside what h2 did; one that refused its connection has no more to say."""
        if self._oracle is None:
            return
        theirs = self._oracle.feed(piece)
        if differ(ours.verdict, theirs.verdict):
            difference = known(ours.words, theirs.words)
            self._note(difference)
            if difference.why != LATE:
                self._oracle = None
        if "connection" in (ours.verdict, theirs.verdict):
            self._oracle = None
        elif ours.verdict == theirs.verdict == "accepted":
            self._compare_facts(ours, theirs)
        if any(fact[0] == "goaway" for fact in theirs.facts):
            self._oracle = None  # h2 takes nothing more after the peer's GOAWAY; section 6.8 lets open streams go on.

    def _compare_facts(self, ours: Seen, theirs: Seen) -> None:
        facts = [fact for fact in theirs.facts if fact[1] not in self._left]
        if ours.facts != facts:
            raise FindingError(f"ours saw {ours.facts}, h2 {facts}")
        wanted: list[tuple[object, ...]] = []
        for stream, data in theirs.data:
            if stream in self._left:
                continue
            body = self._bodies.setdefault(stream, Body())
            wanted += [(stream, *found) for found in body.add(data)]
        for stream in [fact[1] for fact in facts if fact[0] == "ended" and fact[1] in self._bodies]:
            wanted += [(stream, *found) for found in self._bodies[stream].end()]
        found = [(stream, *_message(data)) for stream, data in ours.data]
        if found != wanted:
            raise FindingError(f"ours took {found}, in h2's data are {wanted}")

    def _follow(self, closed: set[int]) -> None:
        """Tell h2 which streams our owner has ended since the last frame."""
        now = dict(self._connection.streams)
        for stream in self._streams.keys() - now.keys():
            self._bodies.pop(stream, None)
            self._left.add(stream)
            if self._oracle is not None and stream not in closed:
                self._oracle.leave(stream, reset=stream in self._reset)
        self._streams = now


def _frame(piece: bytes) -> Parsed | None:
    """Return a whole frame in its parts, None for the preface and for what is cut off."""
    whole = len(piece) >= HEAD_BYTES and len(piece) == HEAD_BYTES + int.from_bytes(piece[:3])
    if not whole or piece.startswith(PREFACE[:3]):
        return None
    kind, flags, stream, payload = parsed(piece)[0]
    return kind, flags, stream & MAX_WINDOW, payload


def _message(data: bytes) -> tuple[object, ...]:
    return ("message", data[1:]) if data[:1] == b"m" else ("refused", int(data[1:]))


def _seen(events: list[Event], resets: list[tuple[int, int]], faults: list[str]) -> Seen:
    seen = Seen()
    broken = [event.reason for event in events if isinstance(event, Broken)]
    if bool(resets) != bool(faults) and not broken:
        raise FindingError(f"RST_STREAM {resets} for faults {faults}")
    if broken:
        seen.verdict, seen.reason = "connection", broken[0]
    elif resets:
        seen.verdict, seen.reason = "stream", faults[0]
    for event in events:
        fact, data = _fact(event)
        if fact:
            seen.facts.append(fact)
        elif data:
            seen.data.append(data)
    return seen


def _fact(event: Event) -> tuple[tuple[object, ...], tuple[int, bytes] | None]:
    """Return an event as the oracle would tell it."""
    match event:
        case Opened():
            return ("opened", event.stream, event.fields), None
        case HalfClosed():
            return ("ended", event.stream), None
        case Closed() if not event.ours:
            return ("reset", event.stream, int(event.code)), None
        case PeerLeaves():
            return ("goaway", event.code), None
        case Message():
            return (), (event.stream, b"m" + event.body)
        case Refused():
            return (), (event.stream, b"r%d" % event.size)
        case _:
            return (), None
