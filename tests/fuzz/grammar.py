"""What a client may write, frame by frame: all types, with the flags, streams, sizes and order of a good or bad day."""

from __future__ import annotations

from random import Random

from lbcontrol.http2.frames import PREFACE, Kind
from lbcontrol.http2.grpc import prefixed
from tests.fuzz.blocks import block_of, fields_of_request, fields_of_trailers

STREAMS = (0, 1, 2, 3, 4, 5, 7, 9, 0x7FFFFFFF, 0x80000001)
WINDOWS = (0, 1, 10, 1_000, 70_000, 0x7FFF0000, 0x7FFFFFFF, 0x80000001)
SETTINGS: tuple[tuple[int, int], ...] = (
    (1, 0),
    (1, 4_096),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 100),
    (4, 0),
    (4, 10),
    (4, 65_535),
    (4, 100_000),
)
SETTINGS += ((4, 0x7FFFFFFF), (4, 0x80000000), (5, 16_383), (5, 16_384), (5, 0xFFFFFF), (5, 0x1000000), (6, 1), (99, 7))
REPEATED = 100_000
"""Bytes that a frame said again and again comes to at most."""
_KINDS = (
    *(Kind.HEADERS,) * 9,
    *(Kind.DATA,) * 9,
    *(Kind.WINDOW_UPDATE,) * 3,
    *(Kind.SETTINGS,) * 2,
    *(Kind.RST_STREAM,) * 2,
    *(Kind.PING, Kind.PRIORITY, Kind.GOAWAY, Kind.CONTINUATION, Kind.PUSH_PROMISE, 0x0B, 0xFF),
)


def head(size: int, kind: int, flags: int, *, stream: int) -> bytes:
    """Return the head of a frame, whatever its values."""
    return size.to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4)


def framed(kind: int, flags: int, stream: int, *, payload: bytes) -> bytes:
    """Return a frame."""
    return head(len(payload), kind, flags, stream=stream) + payload


class Client:
    """A client that mostly knows what it does."""

    def __init__(self, rng: Random) -> None:
        """Begin without a stream."""
        self._rng = rng
        self._next = 1
        self._known = [1]

    def conversation(self) -> bytes:
        """Return all that it says on one connection."""
        rng = self._rng
        chance = rng.random()
        parts = [PREFACE, self._settings() if chance < 0.3 else framed(Kind.SETTINGS, 0, 0, payload=b"")]
        if chance > 0.97:
            parts.pop(int(chance * 1_000) % 2)
        for _ in range(1 + int(rng.random() ** 2 * 14)):
            said = self._said(_KINDS[int(rng.random() * len(_KINDS))])
            if rng.random() < 0.02:
                said *= min(2 + int(rng.random() ** 6 * 250), 1 + REPEATED // len(said))
            parts.append(said)
        return b"".join(parts)

    def _said(self, kind: int) -> bytes:
        match kind:
            case Kind.HEADERS:
                return self._headers()
            case Kind.DATA:
                return self._bent(kind, 0, self._stream(), payload=self._body())
            case Kind.SETTINGS:
                return self._settings()
            case Kind.CONTINUATION:
                return self._bent(kind, 4, self._stream(), payload=block_of(self._rng, [(b"x", b"y")]))
            case _:
                return self._small(kind)

    def _small(self, kind: int) -> bytes:
        rng = self._rng
        stream = self._stream()
        match kind:
            case Kind.WINDOW_UPDATE:
                payload = WINDOWS[int(rng.random() * len(WINDOWS))].to_bytes(4)
                return self._bent(kind, 0, 0 if rng.random() < 0.5 else stream, payload=payload)
            case Kind.RST_STREAM:
                return self._bent(kind, 0, stream, payload=int(rng.random() * 16).to_bytes(4))
            case Kind.PRIORITY:
                payload = self._stream().to_bytes(4) + b"\x10"
                return self._bent(kind, 0, stream, payload=payload)
            case Kind.PING:
                return self._bent(kind, int(rng.random() * 2), 0, payload=rng.randbytes(8))
            case Kind.GOAWAY:
                return self._bent(kind, 0, 0, payload=bytes(8 + int(rng.random() * 4)))
            case _:
                return self._bent(kind, int(rng.random() * 256), stream, payload=rng.randbytes(int(rng.random() * 9)))

    def _stream(self) -> int:
        rng = self._rng
        if rng.random() < 0.07:
            return STREAMS[int(rng.random() * len(STREAMS))]
        return self._known[int(rng.random() * len(self._known))]

    def _settings(self) -> bytes:
        rng = self._rng
        if rng.random() < 0.2:
            return self._bent(Kind.SETTINGS, 1, 0, payload=b"")
        found = [SETTINGS[int(rng.random() * len(SETTINGS))] for _ in range(int(rng.random() ** 2 * 5))]
        payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in found)
        return self._bent(Kind.SETTINGS, 0, 0, payload=payload)

    def _body(self) -> bytes:
        rng = self._rng
        chance = rng.random()
        if chance < 0.1:
            return b""
        if chance < 0.15:
            return bytes(int(rng.random() * 16_385))
        if chance < 0.2:
            return bytes((int(rng.random() * 3),)) + int(rng.random() * 1_200).to_bytes(4) + bytes(3)
        sizes = [int(rng.random() ** 4 * 1_020) for _ in range(1 + int(rng.random() ** 3 * 4))]
        whole = b"".join(prefixed(bytes(size)) for size in sizes)
        return whole[: int(rng.random() * len(whole))] if chance < 0.35 else whole

    def _headers(self) -> bytes:
        rng = self._rng
        chance = rng.random()
        if chance < 0.2 and self._known:
            return self._block_frames(self._stream(), block_of(rng, fields_of_trailers(rng)), end=chance < 0.17)
        stream, self._next = self._next, self._next + 2 + 2 * int(rng.random() ** 8 * 4)
        self._known = [*self._known[-4:], stream]
        if chance > 0.97:
            stream = self._stream()
        return self._block_frames(stream, block_of(rng, fields_of_request(rng)), end=chance > 0.85)

    def _block_frames(self, stream: int, block: bytes, *, end: bool) -> bytes:
        rng = self._rng
        flags = int(end)
        first = b""
        if rng.random() < 0.1:
            flags |= 0x20
            first = (stream if rng.random() < 0.2 else 0).to_bytes(4) + b"\x0f"
        pieces = [block]
        while rng.random() < 0.15 and len(pieces) < 7:
            at = int(rng.random() * (len(pieces[-1]) + 1))
            pieces[-1:] = [pieces[-1][:at], pieces[-1][at:]]
        flags |= 0 if len(pieces) > 1 else 4
        made = self._bent(Kind.HEADERS, flags, stream, payload=first + pieces[0][: 16_384 - len(first)])
        for number, piece in enumerate(pieces[1:], 2):
            last = 4 if number == len(pieces) else 0
            made += self._bent(Kind.CONTINUATION, last, stream, payload=piece)
        return made

    def _bent(self, kind: int, flags: int, stream: int, *, payload: bytes) -> bytes:
        """Return the frame, one in nine padded or wrong in one of its values."""
        rng = self._rng
        chance = rng.random()
        if chance < 0.89:
            return framed(kind, flags, stream, payload=payload)
        if chance < 0.94 and kind in (Kind.DATA, Kind.HEADERS):
            padding = int(rng.random() ** 2 * 256)
            return framed(kind, flags | 8, stream, payload=bytes((padding,)) + payload + bytes(padding))
        if chance < 0.96:
            flags ^= 1 << int(rng.random() * 8)
        elif chance < 0.98:
            stream = STREAMS[int(rng.random() * len(STREAMS))]
        elif chance < 0.995:
            payload = payload[: int(rng.random() * (len(payload) + 1))]
        else:
            return head(int(rng.random() * 20_000), kind, flags, stream=stream) + payload
        return framed(kind, flags, stream, payload=payload)
