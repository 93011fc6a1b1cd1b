"""F3: header blocks, alone: decoded within bounds, judged, and written again."""

from __future__ import annotations

import contextlib
import zlib
from random import Random

from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError

from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.fields import Blocks, Fields, check_request, check_trailers, content_length, encode
from lbcontrol.http2.frames import Code
from lbcontrol.http2.limits import Limits
from tests.fuzz.blocks import block_of, fields_of_request, fields_of_trailers
from tests.fuzz.inputs import FindingError, Target, read_corpus
from tests.fuzz.mutation import damaged
from tests.fuzz.subject import limits_of

WIDE = 2**30
TABLE_BYTES = 4_096
_FLAGS = {
    trailers: HeaderValidationFlags(
        is_client=False, is_trailer=trailers, is_response_header=False, is_push_promise=False
    )
    for trailers in (False, True)
}


def blocks_in(data: bytes) -> list[bytes]:
    """Return the blocks of an input: after the byte that chooses limits, each behind two bytes of length."""
    found, at = [], 1
    while at + 2 <= len(data):
        stop = at + 2 + int.from_bytes(data[at : at + 2])
        found.append(data[at + 2 : stop])
        at = stop
    return found


def joined(first: int, blocks: list[bytes]) -> bytes:
    """Return an input of these blocks."""
    return bytes((first,)) + b"".join(len(block).to_bytes(2) + block for block in blocks)


class _Reference:
    """hpack without our limits; its first error is its last word, as a connection's would be."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=WIDE)

    def decode(self, block: bytes) -> Fields | None:
        """Return the fields, None for a block that is malformed."""
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except (HPACKError, ValueError, IndexError):
            return None


def check(data: bytes) -> None:
    """Hold blocks against every rule.

    Raises:
        FindingError: a block is refused without a reason or taken beyond a limit; fields come out other than they are;
            a request is judged otherwise than h2 judges it, but where a rule is known to differ.
    """
    limits = limits_of(data)
    ours, reference = Blocks(limits), _Reference()
    for block in blocks_in(data):
        wanted = reference.decode(block)
        wrong = _wrong(wanted, limits)
        try:
            fields = ours.decode(block)
        except ConnectionFaultError as fault:
            if fault.reason not in wrong:
                raise FindingError(f"refused as {fault.reason}, wrong are {wrong}") from fault
            return
        if wrong or fields != wanted:
            raise FindingError(f"taken as {fields}, is {wanted}, wrong are {wrong}")
        if ours._decoder is not None and ours._decoder.header_table._current_size > TABLE_BYTES:
            raise FindingError("the dynamic table is beyond its size")
        _judge(fields)
        if not data[-1] & 1:
            _again(fields)


def _wrong(fields: Fields | None, limits: Limits) -> set[str]:
    """Return the reasons for which a block with these fields may be refused; where there are some, it must be."""
    if fields is None:
        return {"hpack", "header_list"}  # Too large may be seen before malformed.
    beyond = {
        "header_list": sum(len(name) + len(value) + 32 for name, value in fields) > limits.header_list,
        "header_fields": len(fields) > limits.fields,
        "header_value": any(len(value) > limits.field_value for _, value in fields),
    }
    return {word for word, is_so in beyond.items() if is_so}


def _judge(fields: Fields) -> None:
    for trailers, judge in ((False, check_request), (True, check_trailers)):
        reason = ""
        try:
            judge(1, fields)
        except StreamFaultError as fault:
            if fault.code is not Code.PROTOCOL_ERROR or fault.stream != 1:
                raise FindingError(f"refused by {fault}") from fault
            reason = fault.reason
        words = ""
        try:
            list(validate_headers(fields, _FLAGS[trailers]))
        except ProtocolError as error:
            words = str(error)
        if bool(words) != bool(reason) and not _may_differ(fields, reason, words):
            raise FindingError(f"{fields}: ours: {reason or 'accepted'}; h2: {words or 'accepted'}")
    _judge_length(fields)


def _may_differ(fields: Fields, reason: str, words: str) -> bool:
    """The same differences as between connections (differences.py)."""
    if words:
        return words.startswith("Request header block does not have")
    strict = {"field_name", "field_value"}
    if reason == "connection_field":
        return any(name == b"te" and value.lower() == b"trailers" for name, value in fields)
    return reason in strict or (reason == "pseudo_field" and (b":method", b"CONNECT") in fields)


def _judge_length(fields: Fields) -> None:
    values = {value for name, value in fields if name == b"content-length"}
    proper = len(values) < 2 and all(value.isdigit() and len(value) < 19 for value in values)
    try:
        found = content_length(1, fields)
    except StreamFaultError as fault:
        if proper:
            raise FindingError(f"content-length {values} is refused") from fault
        return
    if not proper or found != (int(values.pop()) if values else None):
        raise FindingError(f"content-length {values} is taken as {found}")


def _again(fields: Fields) -> None:
    """Written by our stateless encoder, or by hpack with table and Huffman's code, they are read as they were."""
    block = encode(fields)
    if _Reference().decode(block) != fields:
        raise FindingError(f"{fields} are written as {block.hex()}")
    if len(fields) < 6 and zlib.crc32(block) % 8 == 0:  # hpack's encoder is slow: a few requests stand for all.
        ours = Blocks(limits_of(b"\0"))
        encoder = Encoder()
        for _ in range(2):
            if ours.decode(encoder.encode(fields)) != fields:
                raise FindingError(f"{fields} are not read again")


def _alone(data: bytes) -> None:
    ours = Blocks(limits_of(data))
    with contextlib.suppress(ConnectionFaultError, StreamFaultError):
        for block in blocks_in(data):
            check_request(1, ours.decode(block))


def blocks() -> Target:
    """Return F3: one to three header blocks of one connection."""
    kept = read_corpus("f3")

    def make(rng: Random) -> bytes:
        chance = rng.random()
        if chance < 0.1 and kept:
            return damaged(rng, kept[int(rng.random() * len(kept))])
        found = []
        for _ in range(1 + int(chance * 500) % 5 // 3):
            fields = fields_of_trailers(rng) if rng.random() < 0.2 else fields_of_request(rng)
            block = block_of(rng, fields)[:65_000]
            found.append(damaged(rng, block) if rng.random() < 0.25 else block)
        if rng.random() < 0.1:
            found.append(found[0])  # Peers repeat themselves; the table need not be the same then.
        return joined(int(rng.random() * 2), found)

    return Target("f3", make, check, _alone)
