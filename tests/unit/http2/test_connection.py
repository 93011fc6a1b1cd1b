"""The HTTP/2 connection: what it takes, what it says, what it keeps to (h2spec tries the rest over sockets)."""

from __future__ import annotations

import pytest

from lbcontrol.http2.events import Closed, HalfClosed, Message, Opened, PeerLeaves, Refused, Writable
from lbcontrol.http2.fields import encode
from lbcontrol.http2.frames import (
    END_STREAM,
    FRAME_BYTES,
    PADDED,
    WINDOW_BYTES,
    Code,
    Kind,
    Setting,
    frame,
    goaway_frame,
    long_frame,
    settings_frame,
)
from lbcontrol.http2.grpc import RESPONSE_HEADERS, prefixed, trailers, trailers_only
from tests.support.h2peer import MOST, Peer


def test_stream_carries_messages_both_ways_and_ends() -> None:
    """HEADERS, messages, half close; the answer is HEADERS, DATA, trailers."""
    peer = Peer()
    opened = peer.headers()
    assert [type(event) for event in opened] == [Opened]
    assert peer.message(b"one") == [b"one"]
    assert [type(event) for event in peer.data(b"", flags=END_STREAM)] == [HalfClosed]
    sending = peer.connection.sending
    sending.begin(1, RESPONSE_HEADERS)
    assert sending.send(1, prefixed(b"two"))
    sending.finish(1, trailers(0))
    kinds = [(sent.kind, sent.flags & END_STREAM) for sent in peer.frames()]
    assert kinds == [(Kind.HEADERS, 0), (Kind.DATA, 0), (Kind.HEADERS, END_STREAM)]
    assert peer.connection.streams == {}


@pytest.mark.parametrize("cut", range(1, 24))
def test_input_may_be_cut_anywhere(cut: int) -> None:
    """Frames and messages are found wherever the bytes are cut."""
    whole, pieces = Peer(), Peer()
    for peer in (whole, pieces):
        peer.headers()
    data = frame(Kind.DATA, 0, stream=1, payload=prefixed(b"one") + prefixed(b"two")[:4])
    data += frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"two")[4:])
    whole.feed(data)
    for at in range(0, len(data), cut):
        pieces.feed(data[at : at + cut])
    assert [type(event) for event in pieces.events] == [type(event) for event in whole.events]
    assert [event.body for event in pieces.events if isinstance(event, Message)] == [b"one", b"two"]


def test_padding_is_taken_off_and_counts_for_the_window() -> None:
    """A padded frame is a message like any other."""
    peer = Peer()
    peer.headers()
    body = b"\x03" + prefixed(b"hi") + b"\0\0\0"
    assert [event.body for event in peer.data(body, flags=PADDED) if isinstance(event, Message)] == [b"hi"]
    assert peer.connection.streams[1].receivable == peer.limits.stream_window - len(body)


def test_message_over_its_limit_is_refused_by_its_prefix() -> None:
    """Nothing of it is kept, and what follows is dropped without words."""
    peer = Peer()
    peer.headers()
    (refused,) = peer.data(b"\0" + (MOST + 1).to_bytes(4) + b"x")
    assert isinstance(refused, Refused)
    assert (refused.size, refused.limit) == (MOST + 1, MOST)
    assert peer.data(b"y" * 500) == []
    assert peer.connection.streams[1].assembly is None


def test_compressed_message_is_refused() -> None:
    """Flag 1 of the prefix; we offer no compression."""
    peer = Peer()
    peer.headers()
    (refused,) = peer.data(b"\1\0\0\0\1x")
    assert isinstance(refused, Refused)
    assert refused.limit == 0


def test_windows_are_kept_and_opened_again() -> None:
    """A message larger than the window leaves in parts; ``Writable`` says when all of it has left."""
    peer = Peer()
    peer.headers()
    sending = peer.connection.sending
    message = prefixed(b"x" * (WINDOW_BYTES + 1_000))
    assert sending.admit(1, len(message)) is None
    assert not sending.send(1, message)
    sending.finish(1, trailers(0))
    sent = peer.frames()
    assert sum(len(one.payload) for one in sent if one.kind == Kind.DATA) == WINDOW_BYTES
    assert peer.feed(long_frame(Kind.WINDOW_UPDATE, 1, value=5_000)) == []
    assert peer.frames() == []  # The connection's window is still closed.
    peer.feed(long_frame(Kind.WINDOW_UPDATE, 0, value=5_000))
    rest = peer.frames()
    assert sum(len(one.payload) for one in rest if one.kind == Kind.DATA) == len(message) - WINDOW_BYTES
    assert rest[-2].flags & END_STREAM  # Trailers waited for the message; RST_STREAM follows, since the peer is open.


def test_writable_follows_a_message_that_had_to_wait() -> None:
    """Only then is the next one taken."""
    peer = Peer()
    peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 10}))
    peer.headers()
    sending = peer.connection.sending
    assert not sending.send(1, prefixed(b"x" * 20))
    assert sending.admit(1, 1) is None
    peer.frames()
    found = peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 1_000}))
    assert [type(event) for event in found] == [Writable]
    assert [sent.kind for sent in peer.frames()] == [Kind.SETTINGS, Kind.DATA]  # The ACK goes first (section 6.5.3).
    assert sending.admit(1, 1) is not None


def test_settings_are_taken_over_whole_before_anything_is_sent() -> None:
    """A window that a frame opens and closes again was never open (RFC 9113 section 6.5.3)."""
    peer = Peer()
    peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 0}))
    peer.headers()
    assert not peer.connection.sending.send(1, prefixed(b"x" * 20))
    peer.frames()
    there_and_back = b"".join(b"\0\4" + value.to_bytes(4) for value in (1_000, 10))
    assert peer.feed(frame(Kind.SETTINGS, 0, payload=there_and_back)) == []
    assert [len(sent.payload) for sent in peer.frames() if sent.kind == Kind.DATA] == [10]


def test_waiting_streams_share_the_connections_window_in_turn() -> None:
    """A stream that got something goes to the end of the line."""
    peer = Peer()
    peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 2**20}))
    for stream in (1, 3):
        peer.headers(stream)
        peer.connection.sending.send(stream, prefixed(b"x" * 200_000))
    peer.frames()
    order = []
    for _ in range(4):
        peer.feed(long_frame(Kind.WINDOW_UPDATE, 0, value=1_000))
        order += [sent.stream for sent in peer.frames()]
    assert order == [1, 3, 1, 3]


def test_paused_stream_gives_no_window_back() -> None:
    """The peer has to stop at the window; resuming opens it again."""
    peer = Peer()
    peer.headers()
    peer.connection.pause(1)
    for _ in range(40):
        peer.message(b"x" * 995)
    assert [sent.kind for sent in peer.frames() if sent.stream == 1] == []
    peer.connection.resume(1)
    (update,) = [sent for sent in peer.frames() if sent.stream == 1]
    assert int.from_bytes(update.payload) == 40_000


def test_stream_over_the_limit_is_refused_and_the_others_live() -> None:
    """REFUSED_STREAM for the 101st; nothing else happens."""
    peer = Peer()
    for number in range(101):
        peer.headers(2 * number + 1)
    assert peer.reset_codes() == [Code.REFUSED_STREAM]
    assert len(peer.connection.streams) == 100
    assert peer.message(b"one", 1) == [b"one"]


def test_content_length_must_fit() -> None:
    """Less or more body than announced breaks the stream, not the connection."""
    for body in (b"12", b"1234"):
        peer = Peer()
        peer.headers(1, [*_post(), ("content-length", "3")])
        found = peer.data(body, flags=END_STREAM)
        assert [event.code for event in found if isinstance(event, Closed)] == [Code.PROTOCOL_ERROR]
        assert peer.broken() is None


def _post() -> list[tuple[str, str]]:
    return [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), ("content-type", "application/grpc")]


def test_leaving_refuses_new_streams_and_keeps_old_ones() -> None:
    """After our GOAWAY a new stream is refused; the open one goes on."""
    peer = Peer()
    peer.headers(1)
    peer.connection.leave()
    assert [sent.kind for sent in peer.frames()] == [Kind.GOAWAY]
    peer.headers(3)
    assert peer.reset_codes() == [Code.REFUSED_STREAM]
    assert peer.message(b"one") == [b"one"]


def test_peers_goaway_and_unknown_settings_are_taken_in() -> None:
    """The first is told, the second ignored."""
    peer = Peer()
    (event,) = peer.feed(goaway_frame(0, Code.NO_ERROR) + frame(Kind.SETTINGS, 0, payload=b"\0\x63\0\0\0\1"))
    assert isinstance(event, PeerLeaves)
    assert peer.broken() is None


def test_late_frames_of_a_stream_that_we_reset_are_ignored() -> None:
    """The peer may not have seen it yet."""
    peer = Peer()
    peer.headers()
    peer.connection.reset(1, Code.CANCEL)
    assert peer.data(b"late") == []
    assert peer.broken() is None


def test_late_frames_of_a_stream_that_we_ended_are_ignored() -> None:
    """We may end a stream while its client still talks: that must not cost the client its other streams."""
    peer = Peer()
    peer.headers(1)
    peer.headers(3)
    peer.connection.sending.finish(1, trailers(14))
    assert peer.reset_codes() == [Code.NO_ERROR]
    assert peer.data(prefixed(b"late"), 1) == []
    assert peer.headers(1, [("grpc-late", "1")], end=True) == []
    assert peer.broken() is None
    assert peer.message(b"on", 3) == [b"on"]


def test_data_that_breaks_its_stream_uses_up_no_window_of_the_others() -> None:
    """What came is given back on the connection, or 64 broken streams would stop all the others."""
    peer = Peer()
    for stream in range(1, 2 * 90, 2):
        peer.headers(stream, [*_post(), ("content-length", "3")])
        peer.data(b"x" * FRAME_BYTES, stream)
    assert peer.reset_codes() == [Code.PROTOCOL_ERROR] * 90
    peer.headers(999)
    assert peer.message(b"one", 999) == [b"one"]
    assert peer.broken() is None


def test_messages_before_one_that_is_refused_are_taken() -> None:
    """They are whole, in whatever frames they came; what follows the refused one is dropped, and nothing of it kept."""
    peer = Peer()
    peer.headers()
    found = peer.data(prefixed(b"one") + prefixed(b"two") + b"\1\0\0\0\3thr")
    assert [type(event) for event in found] == [Message, Message, Refused]
    assert peer.connection.streams[1].assembly is None


@pytest.mark.parametrize(
    ("late", "codes"),
    [
        (frame(Kind.DATA, 1, stream=1, payload=b"12345"), []),
        (frame(Kind.DATA, 9, stream=1, payload=b"\x0212345\0\0"), []),
        (frame(Kind.DATA, 0, stream=1, payload=b"123") + frame(Kind.DATA, 1, stream=1, payload=b"45"), []),
        (frame(Kind.DATA, 1, stream=1, payload=b"1234"), [Code.PROTOCOL_ERROR]),
        (frame(Kind.DATA, 0, stream=1, payload=b"123456"), [Code.PROTOCOL_ERROR]),
        (frame(Kind.HEADERS, 4, stream=1, payload=encode([(b"x", b"y")])), [Code.PROTOCOL_ERROR]),
        (frame(Kind.HEADERS, 5, stream=1, payload=encode([(b":path", b"/")])), [Code.PROTOCOL_ERROR]),
    ],
)
def test_late_frames_must_be_well_formed(late: bytes, codes: list[Code]) -> None:
    """A stream that we ended before its request was whole is judged as any other, whoever was faster."""
    peer = Peer()
    peer.headers(1, [*_post(), ("content-length", "5")])
    peer.connection.sending.finish(1, trailers_only(12))
    peer.frames()
    assert [type(event) for event in peer.feed(late)] == [Closed] * len(codes)
    assert peer.reset_codes() == codes


def test_padding_of_late_frames_is_judged_too() -> None:
    """A frame that cannot be read breaks the connection, whatever its stream."""
    peer = Peer()
    peer.headers()
    peer.connection.reset(1, Code.CANCEL)
    peer.data(b"\x05", flags=PADDED)
    assert peer.broken() == (Code.PROTOCOL_ERROR, "padding")


def test_frames_after_the_peers_own_reset_break_the_connection() -> None:
    """It knows that the stream is closed, even if we had reset it first."""
    peer = Peer()
    peer.headers()
    peer.connection.reset(1, Code.CANCEL)
    peer.feed(long_frame(Kind.RST_STREAM, 1, value=Code.CANCEL))
    peer.data(b"x")
    assert peer.broken() == (Code.STREAM_CLOSED, "closed_stream")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (long_frame(Kind.WINDOW_UPDATE, 2, value=1), Code.PROTOCOL_ERROR),
        (long_frame(Kind.RST_STREAM, 2, value=8), Code.PROTOCOL_ERROR),
        (frame(Kind.DATA, 0, stream=2, payload=b"x"), Code.PROTOCOL_ERROR),
        (frame(Kind.HEADERS, 5, stream=2, payload=b"\x83"), Code.PROTOCOL_ERROR),
        (frame(Kind.PRIORITY, 0, stream=7, payload=b"1234"), Code.FRAME_SIZE_ERROR),
        (frame(Kind.PRIORITY, 0, stream=7, payload=b"\0\0\0\7\0"), Code.PROTOCOL_ERROR),
    ],
)
def test_fault_on_an_idle_stream_is_one_of_the_connection(data: bytes, code: Code) -> None:
    """Even streams would be ours, and we open none; RST_STREAM on an idle stream is forbidden (section 6.4)."""
    peer = Peer()
    peer.headers(3)
    peer.feed(data)
    assert peer.broken() is not None
    assert (peer.broken() or (None,))[0] is code
    assert [sent.kind for sent in peer.frames()] == [Kind.GOAWAY]


@pytest.mark.parametrize(
    "fields",
    [
        [(":method", "CONNECT"), (":authority", "a:1")],
        [(":method", "CONNECT"), (":scheme", "http"), (":path", "/a/b")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/a/b"), ("x", "a\x7fb")],
    ],
)
def test_requests_that_nobody_can_mean_break_the_stream(fields: list[tuple[str, str]]) -> None:
    """CONNECT, whole or malformed, and a control character in a value."""
    peer = Peer()
    peer.headers(1, fields)
    assert peer.reset_codes() == [Code.PROTOCOL_ERROR]
    assert peer.broken() is None


@pytest.mark.parametrize("flags", [0x24, 0x25, 0x20, 0x21])
@pytest.mark.parametrize("opened", [False, True])
def test_stream_that_depends_on_itself_is_reset(flags: int, *, opened: bool) -> None:
    """However its header block is cut, and in trailers too (section 5.3.1 of RFC 7540, which h2spec tries)."""
    peer = Peer()
    if opened:
        peer.headers()
    block = encode([(name.encode(), value.encode()) for name, value in _post()])
    peer.feed(frame(Kind.HEADERS, flags, stream=1, payload=b"\0\0\0\1\x0f" + block))
    if not flags & 4:
        peer.feed(frame(Kind.CONTINUATION, 4, stream=1))
    assert peer.reset_codes() == [Code.PROTOCOL_ERROR]
    assert peer.connection.streams == {}


def test_nothing_is_kept_of_what_follows_a_refusal() -> None:
    """A broken connection may live until its socket is closed; the rest of what was read is let go."""
    peer = Peer()
    peer.feed(frame(Kind.PUSH_PROMISE, 0, stream=1) + bytes(60_000))
    assert peer.broken() is not None
    assert peer.connection._intake._kept == b""


def test_host_beside_another_or_another_authority_breaks_the_stream() -> None:
    """A request says once where it goes (section 8.3.1)."""
    for hosts, codes in ((["a:1"], []), (["b:1"], [Code.PROTOCOL_ERROR]), (["a:1", "a:1"], [Code.PROTOCOL_ERROR])):
        peer = Peer()
        peer.headers(1, [*_post()[:3], (":authority", "a:1"), *(("host", host) for host in hosts)])
        assert peer.reset_codes() == codes


def test_sending_on_a_stream_that_is_gone_is_harmless() -> None:
    """Its ``Closed`` is on the way while the owner still acts on earlier events."""
    sending = Peer().connection.sending
    sending.begin(1, RESPONSE_HEADERS)
    assert sending.send(1, b"x")
    assert sending.admit(1, 1) is None
    sending.finish(1, trailers(0))
    assert sending.take() == b""


@pytest.mark.parametrize(
    "data",
    [
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"ack")),
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"")),
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"x" * MOST)),
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"x" * (MOST + 1))),
        frame(Kind.DATA, END_STREAM, stream=1, payload=prefixed(b"ack")),
        frame(Kind.DATA, 0, stream=1, payload=b"\1" + prefixed(b"ack")[1:]),
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"ack") + prefixed(b"two")),
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"ack"))[:-1],
        frame(Kind.DATA, 0, stream=1, payload=prefixed(b"ack")) + b"\0",
        frame(Kind.DATA, 0, stream=3, payload=prefixed(b"ack")),
        frame(Kind.DATA, 8, stream=1, payload=b"\0" + prefixed(b"ack")),
        frame(Kind.PING, 0, payload=b"12345678"),
        b"",
    ],
)
def test_short_cut_does_what_the_long_way_does(data: bytes) -> None:
    """What ``whole_message`` takes is what ``receive`` would have told; what it leaves is unchanged for ``receive``."""
    short, long = Peer(), Peer()
    for peer in (short, long):
        peer.headers()
    for _ in range(80):  # Beyond half of the window, so that both give it back.
        whole = short.connection.whole_message(data)
        told = short.feed(data) if whole is None else [Message(*whole)]
        assert told == long.feed(data)
        assert short.frames() == long.frames()
    assert short.message(b"after") == long.message(b"after")


def test_window_beyond_its_largest_size_breaks_the_stream() -> None:
    """Two WINDOW_UPDATEs that together exceed 2^31-1 (RFC 9113 section 6.9.1)."""
    peer = Peer()
    peer.headers()
    for _ in range(2):
        peer.feed(long_frame(Kind.WINDOW_UPDATE, 1, value=2**31 - 1))
    assert peer.reset_codes() == [Code.FLOW_CONTROL_ERROR]
    assert peer.broken() is None
