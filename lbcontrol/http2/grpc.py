"""The gRPC wire format over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md): message framing, status, timeout, metadata."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Iterator

from lbcontrol.http2.fields import IDENTITY, Fields, encode

PREFIX_BYTES = 5
"""A flag byte and a 32-bit length before each message."""
CONTENT_TYPE = b"application/grpc"
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")
"""With all of its padding, or without any."""
_PREFIX = struct.Struct(">BL")

RESPONSE_HEADERS = encode([(b":status", b"200"), (b"content-type", CONTENT_TYPE), (b"grpc-accept-encoding", IDENTITY)])
"""What a stream begins with; the same bytes for all. Compressed messages are not taken (grpc/doc/compression.md)."""


def prefixed(message: bytes) -> bytes:
    """Return a message with its prefix, not compressed."""
    return _PREFIX.pack(0, len(message)) + message


def is_message(payload: bytes) -> bool:
    """Return whether a payload is one message with its prefix, not compressed, and nothing else."""
    return len(payload) >= PREFIX_BYTES and _PREFIX.unpack_from(payload) == (0, len(payload) - PREFIX_BYTES)


def is_grpc(content_type: bytes) -> bool:
    """Return whether a request with this content type is gRPC with protobuf."""
    kind = content_type.partition(b";")[0].strip()
    return kind == CONTENT_TYPE or kind == CONTENT_TYPE + b"+proto"


def timeout_of(value: bytes) -> float | None:
    """Return ``grpc-timeout`` in seconds; None when it is not of the form digits and unit."""
    found = _TIMEOUT.fullmatch(value)
    return int(found[1]) * _UNITS[found[2]] if found else None


def percent_encoded(text: str) -> bytes:
    """Return ``grpc-message``: UTF-8 with everything but printable ASCII, and the per cent sign, escaped."""
    raw = text.encode("utf-8", "replace")
    return b"".join(bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte for byte in raw)


Extra = tuple[tuple[bytes, bytes], ...]
"""Further fields of a header block."""


def trailers(code: int, message: str = "", *, details: bytes = b"", extra: Extra = ()) -> bytes:
    """Return the header block that ends a stream."""
    fields = [(b"grpc-status", str(code).encode())]
    if message:
        fields.append((b"grpc-message", percent_encoded(message)))
    if details:
        fields.append((b"grpc-status-details-bin", base64.b64encode(details).rstrip(b"=")))
    return encode([*fields, *extra])


def trailers_only(code: int, message: str = "", *, details: bytes = b"", extra: Extra = ()) -> bytes:
    """Return the header block of a stream that ends without having begun."""
    return RESPONSE_HEADERS + trailers(code, message, details=details, extra=extra)


def metadata_of(fields: Fields) -> dict[str, str | bytes]:
    """Return request metadata: ``-bin`` values decoded, pseudo fields and gRPC's own left out, the last of a name wins.

    Raises:
        ValueError: a ``-bin`` value is not base64.
    """
    found: dict[str, str | bytes] = {}
    for name, value in fields:
        if name.startswith((b":", b"grpc-")) or name in (b"te", b"content-type", b"user-agent"):
            continue
        key = name.decode("ascii")
        found[key] = _binary(value) if key.endswith("-bin") else value.decode("latin-1")
    return found


def _binary(value: bytes) -> bytes:
    last = value.rpartition(b",")[2]  # Values of one name may be joined by commas; the last one wins.
    if not _BASE64.fullmatch(last):
        raise ValueError("a -bin value is not base64")
    return base64.b64decode(last + b"==")


class CompressedError(Exception):
    """A message is compressed, which we do not offer (UNIMPLEMENTED)."""


class TooLargeError(Exception):
    """A message announces more bytes than its method takes (RESOURCE_EXHAUSTED); nothing of it was kept."""

    def __init__(self, size: int, limit: int) -> None:
        """Keep both sizes."""
        super().__init__(f"a message of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


class Assembly:
    """The messages of one stream, out of DATA payloads cut anywhere."""

    __slots__ = ("_kept", "_limit", "_need", "began_at")

    def __init__(self, limit: int) -> None:
        """Take messages of at most ``limit`` bytes."""
        self._kept = bytearray()
        self._limit = limit
        self._need = PREFIX_BYTES
        self.began_at: float | None = None
        """When the unfinished message began; None when there is none."""

    @property
    def unfinished(self) -> int:
        """Bytes kept of a message that is not whole."""
        return len(self._kept)

    def feed(self, payload: bytes, *, now: float) -> Iterable[bytes]:
        """Return the messages that ``payload`` completes; they are to be taken one by one, up to the error.

        Raises:
            CompressedError: a flag says so.
            TooLargeError: a prefix announces too much.
        """
        if not self._kept:
            if len(payload) >= PREFIX_BYTES and self._size(payload) == len(payload) - PREFIX_BYTES:
                return (payload[PREFIX_BYTES:],)  # The common case: a frame is a message.
            self.began_at = now
        self._kept += payload
        return self._completed(now)

    def _completed(self, now: float) -> Iterator[bytes]:
        at, kept = 0, self._kept
        try:
            while len(kept) - at >= PREFIX_BYTES:
                size = self._size(kept[at : at + PREFIX_BYTES])
                stop = at + PREFIX_BYTES + size
                if stop > len(kept):
                    break
                yield bytes(kept[at + PREFIX_BYTES : stop])
                at = stop
        except (CompressedError, TooLargeError):
            at = len(kept)  # Nothing that follows can be told apart.
            raise
        finally:
            del kept[:at]
            if at:
                self.began_at = now if kept else None

    def _size(self, data: bytes | bytearray) -> int:
        flag, size = _PREFIX.unpack_from(data)
        if flag:
            raise CompressedError
        if size > self._limit:
            raise TooLargeError(size, self._limit)
        return int(size)
