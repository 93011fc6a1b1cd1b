"""The connection under test, fed in different ways that must not matter, and what it may hold at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, Closed, Event, Message, PeerLeaves
from lbcontrol.http2.fields import Fields, FirstBlocks
from lbcontrol.http2.frames import FRAME_BYTES, HEAD_BYTES, PREFACE
from lbcontrol.http2.grpc import PREFIX_BYTES
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.sending import FORGOTTEN
from lbcontrol.http2.whole import WholeFrames
from tests.fuzz.inputs import FindingError

C = TypeVar("C", bound=Connection)

NOW = 100.0
MOST = 1_000
"""Bytes of a message."""
LIMITS = (
    Limits(),
    Limits(
        streams=3,
        stream_window=3_000,
        connection_window=70_000,
        header_block=500,
        header_list=700,
        fields=9,
        field_value=60,
        continuations=2,
        settings_entries=3,
        priorities=3,
        window_updates=4,
        empty_data=2,
        small_data=(4.0, 0.5),
        unfinished=1_200,
        glitches=3,
        resets=(4.0, 1.0),
        settings=(3.0, 0.5),
        pings=(3.0, 0.5),
    ),
)
"""The default limits, and narrow ones that short inputs reach; the first byte of an input chooses."""
WHOLE = WholeFrames()
FIRST_BLOCKS = [FirstBlocks() for _ in LIMITS]
"""What the connections of a listener share, by limits."""
AFTERWARDS = b"\0\0\x08\x06\0\0\0\0\0 answer?"
"""A PING."""


def limits_of(data: bytes) -> Limits:
    """Return the limits that an input asks for by its first byte."""
    return LIMITS[data[0] & 1 if data else 0]


def most(fields: Fields) -> int:
    """Return how long a message may be."""
    del fields
    return MOST


def connect(limits: Limits, make: type[C]) -> C:
    """Return a new connection, which shares what those of a listener share."""
    return make(limits, message_limit=most, whole=WHOLE, first_blocks=FIRST_BLOCKS[LIMITS.index(limits)])


def cuts(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut input anywhere; few pieces of long inputs, so that time goes into variety."""
    widest = max((2, 9, 40, 300)[seed & 3], len(data) >> 5)
    at, state = 0, seed
    while at < len(data):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        stop = at + 1 + (state >> 8) % widest
        yield data[at:stop]
        at = stop


def frames(data: bytes) -> Iterator[bytes]:
    """Cut input between frames, as a well-behaved client's writes would be."""
    at = len(PREFACE) if data.startswith(PREFACE) else 0
    if at:
        yield data[:at]
    while at < len(data):
        stop = at + HEAD_BYTES + int.from_bytes(data[at : at + 3])
        yield data[at:stop]
        at = stop


def told(limits: Limits, pieces: Iterable[bytes], *, short: bool = False) -> tuple[list[Event], bytes]:
    """Return events and output for an input in pieces; ``short``: as the transport has it, with short ways."""
    connection = connect(limits, Connection) if short else Connection(limits, message_limit=most)
    events: list[Event] = []
    for piece in pieces:
        whole = connection.whole_message(piece) if short else None
        events += connection.receive(piece, now=NOW) if whole is None else (Message(*whole),)
    written = connection.take()
    check_held(connection, limits)
    check_over(connection, events)
    return _lasting(events), written


def _lasting(events: list[Event]) -> list[Event]:
    """Leave out what was told of streams that were reset: whether it is told at all may depend on who was faster.

    That we reset them stands in the output, which is compared byte by byte.
    """
    gone = {event.stream for event in events if isinstance(event, Closed)}
    return [event for event in events if isinstance(event, Broken | PeerLeaves) or event.stream not in gone]


def check_over(connection: Connection, events: list[Event]) -> None:
    """A refusal is the last thing that happens; nothing is processed after it."""
    ends = [at for at, event in enumerate(events) if isinstance(event, Broken)]
    if not ends:
        return
    if ends != [len(events) - 1]:
        raise FindingError("an event follows Broken")
    if connection.receive(AFTERWARDS, now=NOW) or connection.whole_message(AFTERWARDS) or connection.take():
        raise FindingError("something is processed after Broken")


def check_held(connection: Connection, limits: Limits) -> None:
    """Everything kept for the peer stays within its limit."""
    block = connection._block
    decoder = connection._blocks._decoder
    sending = connection.sending
    bounds = {
        "input": (len(connection._intake._kept), HEAD_BYTES + FRAME_BYTES),
        "block": (block.size if block else 0, limits.header_block + FRAME_BYTES),
        "parts of a block": (len(block.parts) if block else 0, limits.continuations + 2),
        "header table": (decoder.header_table._current_size if decoder else 0, 4_096),
        "streams": (len(connection.streams), limits.streams),
        "forgotten streams": (len(sending.forgotten), FORGOTTEN),
        "waiting streams": (len(sending._waiting), limits.streams),
        "events": (len(connection._events), 0),
    }
    for stream in connection.streams.values():
        kept = 0 if stream.refused else PREFIX_BYTES + MOST
        part = stream.assembly
        bounds[f"message of stream {stream.id}"] = (len(part._kept) if part else 0, kept)
        if stream.receivable + stream.credit > limits.stream_window or stream.credit < 0:
            raise FindingError(f"window of stream {stream.id}: {stream.receivable} + {stream.credit}")
    for what, (held, bound) in bounds.items():
        if held > bound:
            raise FindingError(f"{what}: {held} held, {bound} allowed")
    if not connection._broken and connection._receiving.window != limits.connection_window:
        raise FindingError("bytes of the connection's window are lost")
