"""Known attacks on HTTP/2 servers: each ends at its limit, with its word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lbcontrol.http2.events import Closed, Opened
from lbcontrol.http2.frames import END_HEADERS, END_STREAM, FRAME_BYTES, Code, Kind, frame, long_frame, settings_frame
from lbcontrol.http2.grpc import Assembly
from lbcontrol.http2.limits import Limits
from tests.support.h2peer import REQUEST, Peer

MANY = 20_000


def rapid_reset(peer: Peer, number: int) -> None:
    """Open a stream and reset it at once (CVE-2023-44487)."""
    stream = 2 * number + 1
    peer.headers(stream)
    peer.feed(long_frame(Kind.RST_STREAM, stream, value=Code.CANCEL))


def made_you_reset_by_window(peer: Peer, number: int) -> None:
    """Make the server reset a stream: WINDOW_UPDATE of 0 (CVE-2025-8671)."""
    stream = 2 * number + 1
    peer.headers(stream)
    peer.feed(long_frame(Kind.WINDOW_UPDATE, stream, value=0))


def made_you_reset_by_overflow(peer: Peer, number: int) -> None:
    """The same by a window beyond 2^31-1."""
    stream = 2 * number + 1
    peer.headers(stream)
    peer.feed(long_frame(Kind.WINDOW_UPDATE, stream, value=2**31 - 1))


def made_you_reset_by_priority_size(peer: Peer, number: int) -> None:
    """The same by a PRIORITY frame of the wrong length."""
    stream = 2 * number + 1
    peer.headers(stream)
    peer.feed(frame(Kind.PRIORITY, 0, stream=stream, payload=b"1234"))


def made_you_reset_by_self_dependency(peer: Peer, number: int) -> None:
    """The same by a stream that depends on itself."""
    stream = 2 * number + 1
    peer.headers(stream)
    peer.feed(frame(Kind.PRIORITY, 0, stream=stream, payload=stream.to_bytes(4) + b"\0"))


def made_you_reset_by_half_closed_headers(peer: Peer, number: int) -> None:
    """The same by HEADERS after END_STREAM."""
    stream = 2 * number + 1
    peer.headers(stream, end=True)
    peer.headers(stream, end=True)


def made_you_reset_by_half_closed_data(peer: Peer, number: int) -> None:
    """The same by DATA after END_STREAM."""
    stream = 2 * number + 1
    peer.headers(stream, end=True)
    peer.data(b"x", stream)


def malformed_requests(peer: Peer, number: int) -> None:
    """Requests that have to be refused, one after the other."""
    peer.headers(2 * number + 1, [(":method", "POST")])


def settings_flood(peer: Peer, number: int) -> None:
    """Each SETTINGS has to be acknowledged."""
    del number
    peer.feed(settings_frame({}))


def ping_flood(peer: Peer, number: int) -> None:
    """Each PING has to be answered."""
    peer.feed(frame(Kind.PING, 0, payload=number.to_bytes(8)))


def priority_flood(peer: Peer, number: int) -> None:
    """Nobody reads priorities."""
    peer.feed(frame(Kind.PRIORITY, 0, stream=2 * number + 3, payload=b"\0\0\0\1\0"))


def window_flood(peer: Peer, number: int) -> None:
    """Windows opened byte by byte."""
    del number
    peer.feed(long_frame(Kind.WINDOW_UPDATE, 0, value=1))


def empty_data(peer: Peer, number: int) -> None:
    """Frames without content."""
    if not number:
        peer.headers(1)
    peer.data(b"")


def small_data(peer: Peer, number: int) -> None:
    """A long message byte by byte."""
    if not number:
        peer.headers(1)
    peer.data(b"" if number else b"\0\0\0\3\0")
    peer.data(b"x")


def unknown_frames(peer: Peer, number: int) -> None:
    """Types that have to be ignored."""
    peer.feed(frame(200, 0, payload=number.to_bytes(4)))


FLOODS: dict[Callable[[Peer, int], None], tuple[str, int]] = {
    rapid_reset: ("resets", 201),
    made_you_reset_by_window: ("window_updates", 101),
    made_you_reset_by_overflow: ("window_updates", 101),
    made_you_reset_by_priority_size: ("resets", 201),
    made_you_reset_by_self_dependency: ("resets", 201),
    made_you_reset_by_half_closed_headers: ("resets", 201),
    made_you_reset_by_half_closed_data: ("resets", 201),
    malformed_requests: ("resets", 201),
    settings_flood: ("settings", 10),
    ping_flood: ("too_many_pings", 11),
    priority_flood: ("priorities", 1_001),
    window_flood: ("window_updates", 101),
    empty_data: ("empty_data", 11),
    small_data: ("small_data", 101),
    unknown_frames: ("glitches", 101),
}
"""Each flood with the word it ends by and the most rounds it gets (time stands still: no budget fills again)."""


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_flood_ends_at_its_limit(flood: Callable[[Peer, int], None]) -> None:
    """ENHANCE_YOUR_CALM after as many rounds as the limit allows, a GOAWAY with the word, then nothing is taken in."""
    reason, most = FLOODS[flood]
    peer = Peer()
    for number in range(most + 1):
        flood(peer, number)
        if peer.broken():
            break
    assert peer.broken() == (Code.ENHANCE_YOUR_CALM, reason)
    assert number < most
    assert peer.frames()[-1].kind == Kind.GOAWAY
    assert peer.headers(99_999) == []


def test_streams_that_come_and_go_in_one_go_are_not_told() -> None:
    """A stream that the peer opened and reset in the same bytes costs its owner nothing; what we reset is counted."""
    peer = Peer()
    block = peer.encoder.encode(list(REQUEST))
    opened = [frame(Kind.HEADERS, END_HEADERS, stream=stream, payload=block) for stream in (1, 3, 5)]
    peer.feed(
        b"".join(opened)
        + long_frame(Kind.RST_STREAM, 1, value=Code.CANCEL)
        + long_frame(Kind.WINDOW_UPDATE, 3, value=0)
    )
    told = [(type(event), event.stream) for event in peer.events if isinstance(event, Opened | Closed)]
    assert told == [(Opened, 5), (Closed, 3)]


def test_unfinished_messages_are_bounded_over_all_streams() -> None:
    """Each alone is within its limit: the one that makes them too many is reset, and counts as a reset it provoked."""
    peer = Peer(Limits(unfinished=10_000, streams=10))
    for stream in range(1, 21, 2):
        peer.headers(stream)
        peer.feed(frame(Kind.DATA, 0, stream=stream, payload=b"\0\0\0\3\xe8" + b"x" * 995))
    assert [event.stream for event in peer.events if isinstance(event, Closed)] == []
    peer.connection.streams[1].assembly = Assembly(20_000)
    peer.feed(frame(Kind.DATA, 0, stream=1, payload=b"\0\0\0\x4e\x20" + b"x" * 2_000))
    closed = [(event.stream, event.code, event.reason) for event in peer.events if isinstance(event, Closed)]
    assert closed == [(1, Code.ENHANCE_YOUR_CALM, "unfinished")]


def test_equal_blocks_mean_the_same_until_the_table_changes() -> None:
    """A repeated block is not decoded again; one that names an entry of the table is, once the table is another."""
    peer = Peer()
    newest = b"\x83\x86\x04\x01/\xbe"  # POST, http, a path, and the entry that came last into the table.
    peer.headers(1, [*REQUEST, ("x", "first")])
    for stream in (3, 5):
        peer.feed(frame(Kind.HEADERS, END_HEADERS, stream=stream, payload=newest))
    peer.headers(7, [*REQUEST, ("y", "second")])
    peer.feed(frame(Kind.HEADERS, END_HEADERS, stream=9, payload=newest))
    last = [event.fields[-1] for event in peer.events if isinstance(event, Opened)]
    assert last == [(b"x", b"first")] * 3 + [(b"y", b"second")] * 2


def test_budgets_fill_again_with_time() -> None:
    """Twenty resets a second for ever are no attack."""
    peer = Peer()
    for number in range(2_000):
        peer.now += 0.05
        rapid_reset(peer, number)
        peer.frames()
    assert peer.broken() is None


def test_pings_are_allowed_with_what_we_send() -> None:
    """A client that measures its bandwidth sends a PING for each DATA frame it gets."""
    peer = Peer()
    peer.headers(1)
    for number in range(500):
        assert peer.connection.sending.admit(1, 10) is not None
        ping_flood(peer, number)
    assert peer.broken() is None


def test_continuation_flood_ends_at_the_fifth() -> None:
    """A block may have four CONTINUATION frames (CVE-2024-27316)."""
    peer = Peer()
    peer.feed(frame(Kind.HEADERS, 0, stream=1, payload=b"\x82"))
    for _ in range(4):
        peer.feed(frame(Kind.CONTINUATION, 0, stream=1, payload=b"\x84"))
    assert peer.broken() is None
    peer.feed(frame(Kind.CONTINUATION, 0, stream=1, payload=b"\x84"))
    assert peer.broken() == (Code.ENHANCE_YOUR_CALM, "continuations")


def test_header_bomb_is_not_inflated() -> None:
    """A small block that names one long field again and again is refused before it is built."""
    peer = Peer()
    value = "v" * 3_000
    peer.headers(1, [*REQUEST, ("x", value)])
    block = peer.encoder.encode([*REQUEST, *[("x", value)] * 40])
    assert len(block) < 200
    peer.feed(frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream=3, payload=block))
    assert peer.broken() == (Code.ENHANCE_YOUR_CALM, "header_list")


@pytest.mark.parametrize("block", [b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xbf", b"\x3f\xff\xff\x7f"])
def test_bad_header_blocks_are_compression_errors(block: bytes) -> None:
    """Index 0, an integer without end, an index beyond the tables, a table larger than allowed."""
    peer = Peer()
    peer.feed(frame(Kind.HEADERS, END_HEADERS, stream=1, payload=block))
    assert peer.broken() == (Code.COMPRESSION_ERROR, "hpack")


def test_block_over_its_size_is_refused_before_it_is_decoded() -> None:
    """Two frames that together exceed 16 KB."""
    peer = Peer(Limits())
    peer.feed(frame(Kind.HEADERS, 0, stream=1, payload=b"\x82" * FRAME_BYTES))
    peer.feed(frame(Kind.CONTINUATION, END_HEADERS, stream=1, payload=b"\x82"))
    assert peer.broken() == (Code.ENHANCE_YOUR_CALM, "header_block_size")


def test_unfinished_block_and_message_are_noticed_by_time() -> None:
    """Dribbled input is due after its limit, not before."""
    peer = Peer()
    peer.headers(1)
    peer.data(b"\0\0")
    assert peer.connection.expired(peer.now + 9.0, message_seconds=10.0) is None
    assert peer.connection.expired(peer.now + 11.0, message_seconds=10.0) == 1
    peer.feed(frame(Kind.HEADERS, 0, stream=3, payload=b"\x82"))
    assert peer.connection.expired(peer.now + 5.5, message_seconds=10.0) == 0
