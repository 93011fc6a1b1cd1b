"""Header blocks that are decoded once for many connections mean what they mean without that."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.http2.errors import ConnectionFaultError
from lbcontrol.http2.fields import FIRST_BLOCKS, FIRST_BYTES, Blocks, FirstBlocks
from lbcontrol.http2.limits import Limits

WORD = st.sampled_from([b"a", b"b", b"x-request", b"value", b"v" * 80])
HEADERS = st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5)
PEER = st.lists(st.tuples(HEADERS, st.sampled_from([None, 0, 64, 4096])), min_size=1, max_size=4)


def _blocks(peer: list[tuple[list[tuple[bytes, bytes]], int | None]]) -> list[bytes]:
    """What a peer's encoder makes of its requests, table sizes changed on the way."""
    encoder, made = Encoder(), []
    for headers, size in peer:
        if size is not None:
            encoder.header_table_size = size
        made.append(encoder.encode(headers))
    return made


@settings(max_examples=100, deadline=None)
@given(peers=st.lists(PEER, min_size=1, max_size=6))
def test_shared_first_blocks_change_nothing_of_what_is_decoded(
    peers: list[list[tuple[list[tuple[bytes, bytes]], int | None]]],
) -> None:
    """Whatever peers begin with and go on with, each block gives what a decoder of its own gives (RFC 7541)."""
    shared = FirstBlocks()
    for peer in peers:
        ours, theirs = Blocks(Limits(), shared), Decoder()
        for block in _blocks(peer):
            expected = [(bytes(name), bytes(value)) for name, value in theirs.decode(block, raw=True)]
            assert ours.decode(block) == expected


def test_known_block_is_not_decoded_again() -> None:
    """Two connections that begin alike are given the very same fields."""
    shared, block = FirstBlocks(), Encoder().encode([(b"a", b"b")])
    assert Blocks(Limits(), shared).decode(block) is Blocks(Limits(), shared).decode(bytes(block))


def test_refused_and_long_blocks_are_not_kept_and_kept_ones_are_bounded() -> None:
    """A block that is beyond a limit is so for everybody, and nobody fills our memory with blocks."""
    shared = FirstBlocks()
    bad = Encoder().encode([(b"a", b"b")] * (Limits().fields + 1))
    for _ in range(2):
        with pytest.raises(ConnectionFaultError):
            Blocks(Limits(), shared).decode(bad)
    long = Encoder().encode([(b"a", b"\xff" * FIRST_BYTES)])
    Blocks(Limits(), shared).decode(long)
    assert shared.known(bad) is None
    assert shared.known(long) is None
    made = [Encoder().encode([(b"a", str(number).encode())]) for number in range(FIRST_BLOCKS + 1)]
    for block in made:
        Blocks(Limits(), shared).decode(block)
    assert shared.known(made[0]) is None
    assert shared.known(made[-1]) is not None
