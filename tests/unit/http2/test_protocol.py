"""Rules of RFC 9113, RFC 7541 and the gRPC protocol that only some peers make us keep, without sockets."""

from __future__ import annotations

import pytest

from lbcontrol.http2.connection import Connection
from lbcontrol.http2.events import Broken, HalfClosed, Message, Refused
from lbcontrol.http2.fields import NO_TABLE
from lbcontrol.http2.frames import (
    END_STREAM,
    FRAME_BYTES,
    WINDOW_BYTES,
    Code,
    Kind,
    Setting,
    long_frame,
    long_of,
    settings_frame,
)
from lbcontrol.http2.grpc import RESPONSE_HEADERS, prefixed, trailers
from lbcontrol.http2.limits import Limits
from tests.support.h2peer import REQUEST, Peer

DONE = trailers(0)


def answer(peer: Peer, message: bytes = b"yes", stream: int = 1) -> None:
    """Send HEADERS, one message and trailers."""
    sending = peer.connection.sending
    sending.begin(stream, RESPONSE_HEADERS)
    sending.send(stream, prefixed(message))
    sending.finish(stream, DONE)


@pytest.mark.parametrize("sizes", [[0], [4_095], [8_192, 100], [0, 4_096, 0]])
def test_smaller_header_table_is_acknowledged_once_in_the_next_block(sizes: list[int]) -> None:
    """A peer that shrinks its table must be told before our next fields, and only then (RFC 7541 section 4.2)."""
    peer = Peer()
    for size in sizes:
        peer.feed(settings_frame({Setting.HEADER_TABLE_SIZE: size}))
    peer.decoder.max_allowed_table_size = min(sizes)
    peer.headers(1, end=True)
    answer(peer)
    blocks = [sent.payload for sent in peer.frames() if sent.kind == Kind.HEADERS]
    assert [block[:1] == NO_TABLE for block in blocks] == [True, False]
    assert [dict(peer.decoder.decode(block, raw=True)) for block in blocks] == [
        {b":status": b"200", b"content-type": b"application/grpc", b"grpc-accept-encoding": b"identity"},
        {b"grpc-status": b"0"},
    ]


def test_larger_header_table_is_no_business_of_ours() -> None:
    """Nothing is said of a table that we do not use."""
    peer = Peer()
    peer.feed(settings_frame({Setting.HEADER_TABLE_SIZE: 65_536}))
    peer.headers(1, end=True)
    answer(peer)
    assert [sent.payload for sent in peer.frames() if sent.kind == Kind.HEADERS] == [RESPONSE_HEADERS, DONE]


def goaways(peer: Peer) -> list[int]:
    """Return the last stream of each GOAWAY written since the last look."""
    return [long_of(sent.payload) for sent in peer.frames() if sent.kind == Kind.GOAWAY]


def test_last_stream_of_goaway_never_grows() -> None:
    """Streams refused after a GOAWAY are not among those of the next one (RFC 9113 section 6.8)."""
    peer = Peer()
    peer.headers(5)
    peer.connection.leave()
    peer.headers(7)
    peer.connection.leave()
    peer.connection.break_off(Code.NO_ERROR, "idle")
    assert goaways(peer) == [5, 5, 5]


def test_stream_that_was_refused_is_not_one_that_was_taken() -> None:
    """A client may try again elsewhere what GOAWAY does not count as processed."""
    peer = Peer(Limits(streams=1))
    peer.headers(1)
    peer.headers(3)
    peer.connection.leave()
    assert goaways(peer) == [1]


def test_peer_that_ends_within_a_message_is_told() -> None:
    """Half a message is an error, not silence; what came before it is handed over."""
    peer = Peer()
    peer.headers(1)
    whole, half = prefixed(b"whole"), prefixed(b"half")[:-1]
    events = peer.data(whole + half, flags=END_STREAM)
    assert events == [Message(1, b"whole"), Refused(1, 0, 0, cut=True), HalfClosed(1)]


def test_peer_that_ends_after_a_refused_message_is_told_once() -> None:
    """The first reason stands."""
    peer = Peer()
    peer.headers(1)
    events = peer.data(b"\0\0\1\0\0half", flags=END_STREAM)
    assert events == [Refused(1, 65_536, 1_000), HalfClosed(1)]


@pytest.mark.parametrize(("name", "value"), [("grpc-encoding", "gzip"), ("x", "y")])
def test_stream_knows_what_its_messages_are_compressed_with(name: str, value: str) -> None:
    """So that a flag without an encoding can be told from a compressed message (grpc/doc/compression.md)."""
    peer = Peer()
    peer.headers(1, [*REQUEST, (name, value)])
    assert peer.connection.streams[1].encoding == (b"gzip" if value == "gzip" else b"identity")


def test_streams_that_end_early_wear_nobody_out() -> None:
    """A connection lives on though each of a thousand streams that we ended had a message under way."""
    peer = Peer()
    for stream in range(1, 2_001, 2):
        peer.headers(stream)
        peer.connection.sending.finish(stream, DONE)
        peer.message(b"late", stream)
        peer.frames()
    assert peer.broken() is None


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x HTTP/1.0", b"OPTIONS * HTTP/1.1"])
def test_client_of_http1_reads_words_and_no_frames(line: bytes) -> None:
    """Our SETTINGS have not been written yet, so that the answer is one of HTTP/1.1."""
    connection = Connection(Limits(), message_limit=lambda _: 0)
    events = connection.receive(line + b"\r\nhost: x\r\n\r\n", now=1.0)
    assert events == [Broken(Code.PROTOCOL_ERROR, "preface")]
    head, _, body = connection.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 505 HTTP Version Not Supported\r\n")
    assert b"content-length: %d\r\n" % len(body) in head
    assert b"gRPC" in body


def test_other_noise_reads_goaway() -> None:
    """What is not HTTP/1 either is told in frames, as RFC 9113 section 3.4 has it."""
    connection = Connection(Limits(), message_limit=lambda _: 0)
    connection.receive(b"EHLO example.com\r\n", now=1.0)
    assert connection.take()[3] == Kind.SETTINGS


def test_window_that_shrinks_below_zero_holds_back_until_it_is_open_again() -> None:
    """A smaller INITIAL_WINDOW_SIZE counts for streams under way too (section 6.9.2)."""
    peer = Peer()
    peer.headers(1)
    sending = peer.connection.sending
    sending.begin(1, RESPONSE_HEADERS)
    assert not sending.send(1, prefixed(b"x" * (WINDOW_BYTES + 100)))
    peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 1_000}) + long_frame(Kind.WINDOW_UPDATE, 0, value=500))
    sent = sum(len(each.payload) for each in peer.frames() if each.kind == Kind.DATA)
    assert sent == WINDOW_BYTES
    assert peer.connection.streams[1].window == 1_000 - WINDOW_BYTES
    peer.feed(long_frame(Kind.WINDOW_UPDATE, 1, value=WINDOW_BYTES - 1_000))
    assert peer.frames() == []
    peer.feed(long_frame(Kind.WINDOW_UPDATE, 1, value=100))
    peer.feed(settings_frame({Setting.INITIAL_WINDOW_SIZE: 2_000}))
    assert sum(len(each.payload) for each in peer.frames() if each.kind == Kind.DATA) == 105


def test_message_of_many_frames_is_cut_at_the_size_every_peer_takes() -> None:
    """A larger MAX_FRAME_SIZE of the peer's is not made use of."""
    peer = Peer()
    peer.feed(settings_frame({Setting.MAX_FRAME_SIZE: 2**24 - 1, Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}))
    peer.feed(long_frame(Kind.WINDOW_UPDATE, 0, value=2**30))
    peer.headers(1, end=True)
    answer(peer, b"x" * 3_000_000)
    sizes = [len(each.payload) for each in peer.frames() if each.kind == Kind.DATA]
    assert sum(sizes) == 3_000_005
    assert max(sizes) == FRAME_BYTES
    assert len(sizes) == -(-3_000_005 // FRAME_BYTES)


def test_highest_stream_number_is_the_last() -> None:
    """A client that has used up its numbers can open no further stream, and loses none (section 5.1.1)."""
    peer = Peer()
    peer.headers(2**31 - 1)
    assert peer.message(b"still here", 2**31 - 1) == [b"still here"]
    answer(peer, stream=2**31 - 1)
    assert peer.broken() is None
    peer.headers(1)
    assert peer.broken() is not None
