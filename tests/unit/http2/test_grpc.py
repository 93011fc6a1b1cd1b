"""The gRPC wire format."""

from __future__ import annotations

import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.http2.fields import Blocks, encode
from lbcontrol.http2.grpc import (
    Assembly,
    is_grpc,
    metadata_of,
    percent_encoded,
    prefixed,
    timeout_of,
    trailers,
)
from lbcontrol.http2.limits import Limits


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 40))
def test_messages_survive_any_cut(messages: list[bytes], cut: int) -> None:
    """Whatever the pieces, the messages come out whole and in order, and nothing is left."""
    raw = b"".join(map(prefixed, messages))
    assembly = Assembly(300)
    found = [m for at in range(0, len(raw), cut) for m in assembly.feed(raw[at : at + cut], now=1.0)]
    assert found == messages
    assert not assembly.unfinished
    assert assembly.began_at is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"1S", 1.0),
        (b"20m", 0.02),
        (b"3H", 10_800.0),
        (b"99999999n", 0.099999999),
        (b"1x", None),
        (b"123456789S", None),
    ],
)
def test_timeout_has_at_most_eight_digits_and_a_unit(text: bytes, wanted: float | None) -> None:
    """As PROTOCOL-HTTP2 has it."""
    assert timeout_of(text) == (None if wanted is None else pytest.approx(wanted))


def test_content_types_of_grpc_with_protobuf() -> None:
    """Parameters do not matter, other codecs are not ours."""
    assert is_grpc(b"application/grpc")
    assert is_grpc(b"application/grpc+proto; charset=x")
    assert not is_grpc(b"application/grpc-web")
    assert not is_grpc(b"text/html")


def test_status_message_is_percent_encoded() -> None:
    """Only printable ASCII goes through as it is."""
    assert percent_encoded('a "b" 100%\n\N{SNOWMAN}') == b'a "b" 100%25%0A%E2%98%83'


def test_trailers_are_fields_that_any_decoder_reads() -> None:
    """Literals without indexing, so that a block can be shared by connections."""
    block = trailers(5, "not here", details=b"\x08\x05", extra=((b"x", b"y" * 300),))
    assert Decoder().decode(block, raw=True) == [
        (b"grpc-status", b"5"),
        (b"grpc-message", b"not here"),
        (b"grpc-status-details-bin", b"CAU"),
        (b"x", b"y" * 300),
    ]


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=400)), max_size=10))
def test_blocks_decode_to_what_was_encoded(fields: list[tuple[bytes, bytes]]) -> None:
    """Hpack is the oracle."""
    assert [tuple(each) for each in Decoder().decode(encode(fields), raw=True)] == fields


def test_blocks_that_are_equal_are_read_as_the_table_stands() -> None:
    """A block that is known is not decoded again, unless it would change the table; an empty one is no special case."""
    ours, reference = Blocks(Limits()), Decoder()
    adds = [b"\x40\x01" + name + b"\x01v" for name in (b"c", b"b", b"a")]
    for block in (b"\x3f\x47", *adds, b"", adds[-1], adds[-1], b"", b"\xc0", b"\xbf", b"\xbe", b"\xbe"):
        assert ours.decode(block) == [tuple(field) for field in reference.decode(block, raw=True)]


def test_metadata_leaves_protocol_fields_out_and_decodes_binary() -> None:
    """The last value of a name wins; of joined binary values too."""
    fields = [(b":path", b"/a"), (b"te", b"trailers"), (b"x", b"1"), (b"x", b"2"), (b"y-bin", b"AA==,/w")]
    assert metadata_of(fields) == {"x": "2", "y-bin": b"\xff"}
    for wrong in (b"!", b"AA=", b"A", b"AA==AA==", b"AAAA=", b"AAAA===="):
        with pytest.raises(ValueError, match="base64"):
            metadata_of([(b"y-bin", wrong)])
