"""F4: the gRPC wire format alone: messages in DATA, grpc-timeout, metadata, content types, status."""

from __future__ import annotations

import base64
import binascii
import string
import zlib
from collections.abc import Callable
from decimal import Decimal
from random import Random
from urllib.parse import unquote_to_bytes

from hpack import Decoder

from lbcontrol.http2.fields import Fields
from lbcontrol.http2.frames import END_HEADERS, FRAME_BYTES, Kind, data_frames, header_frames
from lbcontrol.http2.grpc import (
    PREFIX_BYTES,
    Assembly,
    CompressedError,
    TooLargeError,
    is_grpc,
    metadata_of,
    percent_encoded,
    prefixed,
    timeout_of,
    trailers,
    trailers_only,
)
from tests.fuzz.headers import blocks_in, joined
from tests.fuzz.inputs import FindingError, Target, read_corpus
from tests.fuzz.ledger import parsed
from tests.fuzz.mutation import damaged
from tests.fuzz.subject import cuts

SECONDS: dict[str, Decimal | int] = {
    "H": 3600,
    "M": 60,
    "S": 1,
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
}
BASE64 = frozenset((string.ascii_letters + string.digits + "+/").encode())
TIMEOUTS = (
    b"1S",
    b"20m",
    b"99999999H",
    b"0n",
    b"5",
    b"S",
    b"-1S",
    b"1 S",
    b"1s",
    b"123456789S",
    b"1.5S",
    b"\xb2S",
    b"",
)
TYPES = (b"application/grpc", b"application/grpc+proto", b"application/grpc;a=b", b"application/grpc-web", b"text/html")
NAMES = (
    b"x",
    b"x-bin",
    b"X-Bin",
    b"-bin",
    b"grpc-timeout",
    b"grpc-x-bin",
    b"te",
    b"user-agent",
    b":path",
    b"a.b_c-bin",
)
VALUES = (
    b"",
    b"AAE",
    b"AAE=",
    b"AA==",
    b"AAE,/w",
    b",",
    b"A",
    b"A===",
    b"=",
    b"AA==AA",
    b"!!",
    b"\xff",
    b"a b",
    b"AB CD",
)


def _framing(rest: bytes) -> None:
    """Messages come out the same however the bytes are cut, up to the first that is refused; little is kept."""
    limit = rest[0] * 8 if rest else 0
    raw = rest[1:]
    wanted = _messages(raw, limit)
    for pieces in ((raw,) if raw else (), cuts(raw, zlib.crc32(rest))):
        assembly = Assembly(limit)
        found: list[bytes | tuple[int, int]] = []
        for at, piece in enumerate(pieces):
            try:
                found.extend(assembly.feed(piece, now=float(at + 1)))
            except CompressedError:
                found.append((0, 0))
                break
            except TooLargeError as error:
                found.append((error.size, error.limit))
                break
            if len(assembly._kept) >= PREFIX_BYTES + limit or bool(assembly.unfinished) != (
                assembly.began_at is not None
            ):
                raise FindingError(f"{len(assembly._kept)} bytes kept since {assembly.began_at}; limit {limit}")
        if found != wanted:
            raise FindingError(f"{found} were taken, in the bytes are {wanted}")
        if found and isinstance(found[-1], tuple) and assembly.unfinished:
            raise FindingError("part of a refused message is kept")


def _messages(raw: bytes, limit: int) -> list[bytes | tuple[int, int]]:
    found: list[bytes | tuple[int, int]] = []
    while len(raw) >= PREFIX_BYTES:
        size = int.from_bytes(raw[1:PREFIX_BYTES])
        if raw[0] or size > limit:
            return [*found, (0, 0) if raw[0] else (size, limit)]
        if len(raw) < PREFIX_BYTES + size:
            break
        found.append(raw[PREFIX_BYTES : PREFIX_BYTES + size])
        raw = raw[PREFIX_BYTES + size :]
    return found


def _timeout(rest: bytes) -> None:
    """One to eight digits and a unit are that many seconds; nothing else is a timeout."""
    text = rest.decode("latin-1")
    digits, unit = text[:-1], text[-1:]
    proper = unit in SECONDS and 0 < len(digits) <= 8 and set(digits) <= set(string.digits)
    found = timeout_of(rest)
    if proper != (found is not None):
        raise FindingError(f"grpc-timeout {rest!r} is read as {found}")
    if found is not None and abs(Decimal(found) - int(digits) * SECONDS[unit]) > Decimal("1e-9"):
        raise FindingError(f"grpc-timeout {rest!r} is {found} s")


def _metadata(rest: bytes) -> None:
    """The last value of a name wins, ``-bin`` is base64 with or without padding, protocol fields are left out."""
    parts = blocks_in(b"\0" + rest)
    fields = [(_name(name), value) for name, value in zip(parts[::2], parts[1::2], strict=False)]
    wanted: dict[str, str | bytes] | None = {}
    for name, value in fields:
        if (
            wanted is None
            or name[:1] == b":"
            or name[:5] == b"grpc-"
            or name in (b"te", b"content-type", b"user-agent")
        ):
            continue
        read = _binary(value) if name[-4:] == b"-bin" else value.decode("latin-1")
        wanted = None if read is None else {**wanted, name.decode(): read}
    try:
        found: dict[str, str | bytes] | None = metadata_of(fields)
    except ValueError:
        found = None
    if found != wanted:
        raise FindingError(f"{fields} are read as {found}, are {wanted}")


def _name(name: bytes) -> bytes:
    """Names are tokens when metadata is read: the connection has judged them."""
    return bytes(byte for byte in name.lower() if 0x21 <= byte <= 0x7E) or b"x"


def _binary(value: bytes) -> bytes | None:
    last = value.split(b",")[-1]
    digits = last.rstrip(b"=")
    padding = len(last) - len(digits)
    wanted = -len(digits) % 4
    if set(digits) - BASE64 or wanted == 3 or padding not in {0, wanted}:
        return None
    return binascii.a2b_base64(digits + b"=" * wanted)


def _status(rest: bytes) -> None:
    """Trailers are read by any decoder; the message comes back from its escapes, the details from base64."""
    code, details = (rest[0], rest[1 : 1 + rest[0] % 7]) if rest else (0, b"")
    text = rest[8:].decode("utf-8", "surrogateescape")
    raw = percent_encoded(text)
    if unquote_to_bytes(raw) != text.encode("utf-8", "replace") or any(not 0x20 <= byte <= 0x7E for byte in raw):
        raise FindingError(f"{text!r} is escaped as {raw!r}")
    fields = [(b"grpc-status", str(code).encode())]
    fields += [(b"grpc-message", raw)] if text else []
    decoder = Decoder(max_header_list_size=2**30)
    for make, first in ((trailers, 0), (trailers_only, 3)):
        found: Fields = [(bytes(n), bytes(v)) for n, v in decoder.decode(make(code, text, details=details), raw=True)]
        if found[first : first + len(fields)] != fields:
            raise FindingError(f"status {code} is written as {found}")
        if details and base64.b64decode(found[-1][1] + b"==") != details:
            raise FindingError(f"details {details.hex()} are written as {found[-1]}")


def _content_type(rest: bytes) -> None:
    """What begins with the two names of gRPC with protobuf, up to a parameter, is gRPC."""
    name = rest.split(b";")[0].strip()
    if is_grpc(rest) != (name in (b"application/grpc", b"application/grpc+proto")):
        raise FindingError(f"content type {rest!r}")


def _sent(rest: bytes) -> None:
    """A block or a message of any length leaves in frames that hold it whole, none longer than is allowed."""
    whole = rest[2:] + bytes(int.from_bytes(rest[:2]))
    stream = 1 + 2 * len(rest)
    for kinds, written in (
        ((Kind.HEADERS, Kind.CONTINUATION), header_frames(stream, whole, end=True)),
        ((Kind.DATA, Kind.DATA), data_frames(stream, whole)),
    ):
        frames = parsed(written)
        flags = [kind_flags for _, kind_flags, _, _ in frames]
        if b"".join(frame[3] for frame in frames) != whole or {frame[2] for frame in frames} != {stream}:
            raise FindingError(f"{len(whole)} bytes leave as other bytes")
        if [frame[0] for frame in frames] != [kinds[0], *[kinds[1]] * (len(frames) - 1)]:
            raise FindingError(f"{len(whole)} bytes leave in frames {frames}")
        ends = [at for at, flag in enumerate(flags) if flag & END_HEADERS]
        if max(len(frame[3]) for frame in frames) > FRAME_BYTES or ends != [len(frames) - 1] * (
            kinds[0] == Kind.HEADERS
        ):
            raise FindingError(f"{len(whole)} bytes leave with flags {flags}")


CHECKS: tuple[Callable[[bytes], None], ...] = (_framing, _timeout, _metadata, _status, _content_type, _sent)


def check(data: bytes) -> None:
    """Hold one input against every rule; its first byte says what it is.

    Raises:
        FindingError: it is read or written otherwise than the protocol says.
    """
    if data:
        CHECKS[data[0] % len(CHECKS)](data[1:])


def _make_framing(rng: Random) -> bytes:
    sizes = [int(rng.random() ** 4 * 2_100) for _ in range(int(rng.random() * 6))]
    return rng.randbytes(1) + b"".join(prefixed(rng.randbytes(size)) for size in sizes)


def _make_timeout(rng: Random) -> bytes:
    if rng.random() < 0.5:
        return TIMEOUTS[int(rng.random() * len(TIMEOUTS))]
    return str(int(rng.random() * 10 ** int(rng.random() * 10))).encode() + b"HMSmunx"[int(rng.random() * 7) :][:1]


def _make_metadata(rng: Random) -> bytes:
    parts = []
    for _ in range(1 + int(rng.random() * 4)):
        parts.append(NAMES[int(rng.random() * len(NAMES))])
        fresh = base64.b64encode(rng.randbytes(int(rng.random() * 12)))
        parts.append(fresh if rng.random() < 0.4 else VALUES[int(rng.random() * len(VALUES))])
    return joined(0, parts)[1:]


def _make_status(rng: Random) -> bytes:
    return rng.randbytes(int(rng.random() * 60))


def _make_content_type(rng: Random) -> bytes:
    return TYPES[int(rng.random() * len(TYPES))]


def _make_sent(rng: Random) -> bytes:
    return rng.randbytes(int(rng.random() * 9)) if rng.random() < 0.2 else b"\0" + rng.randbytes(int(rng.random() * 9))


_MAKERS: tuple[Callable[[Random], bytes], ...] = (
    _make_framing,
    _make_timeout,
    _make_metadata,
    _make_status,
    _make_content_type,
    _make_sent,
)


def messages() -> Target:
    """Return F4: one body, timeout, set of metadata, status, content type, or message to be sent."""
    kept = read_corpus("f4")

    def make(rng: Random) -> bytes:
        chance = rng.random()
        if chance < 0.1 and kept:
            return damaged(rng, kept[int(rng.random() * len(kept))])
        kind = int(chance * 1_000) % len(CHECKS)
        made = _MAKERS[kind](rng)
        return bytes((kind,)) + (damaged(rng, made) if rng.random() < 0.3 else made)

    return Target("f4", make, check, check)
