"""Known attacks on HTTP/2 servers, as bytes: what each sends, and how it has to end. Shares no code with the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support import swarm_wire as wire

PRIORITY, CONTINUATION = 2, 9
MANY = 3_000
"""Rounds of a flood, far beyond every budget."""
CALM, COMPRESSION = 0xB, 0x9
"""Error codes ENHANCE_YOUR_CALM and COMPRESSION_ERROR."""

_NAMES = [b"s0"]
HELLO = wire.GREETING
NUMBER_1 = (1).to_bytes(4, "big")


def _streams() -> range:
    return range(1, 2 * MANY, 2)


def _headers(stream: int, flags: int = wire.END_HEADERS) -> bytes:
    """Return the HEADERS of a call."""
    return wire.frame(wire.HEADERS, flags, stream, wire.BLOCK)


def _each(make: Callable[[int], bytes], flags: int = wire.END_HEADERS) -> bytes:
    """Open streams, and follow each by what ``make`` returns."""
    return b"".join(_headers(stream, flags) + make(stream) for stream in _streams())


def _rapid_reset() -> bytes:
    return _each(lambda stream: wire.frame(wire.RST_STREAM, 0, stream, (8).to_bytes(4, "big")))


def _reset_by_window_of_0() -> bytes:
    return _each(lambda stream: wire.frame(wire.WINDOW_UPDATE, 0, stream, bytes(4)))


def _reset_by_window_overflow() -> bytes:
    return _each(lambda stream: wire.frame(wire.WINDOW_UPDATE, 0, stream, (2**31 - 1).to_bytes(4, "big")))


def _reset_by_priority_size() -> bytes:
    return _each(lambda stream: wire.frame(PRIORITY, 0, stream, bytes(4)))


def _reset_by_self_dependency() -> bytes:
    return _each(lambda stream: wire.frame(PRIORITY, 0, stream, stream.to_bytes(4, "big") + b"\0"))


def _reset_by_late_data() -> bytes:
    return _each(lambda stream: wire.frame(wire.DATA, 0, stream, b"x"), wire.END_HEADERS | wire.END_STREAM)


def _reset_by_late_headers() -> bytes:
    return _each(_headers, wire.END_HEADERS | wire.END_STREAM)


def _continuations() -> bytes:
    return wire.frame(wire.HEADERS, 0, 1) + wire.frame(CONTINUATION, 0, 1, b"x") * MANY


def _empty_continuations() -> bytes:
    return wire.frame(wire.HEADERS, 0, 1) + wire.frame(CONTINUATION, 0, 1) * MANY


def _bomb() -> bytes:
    """Put a long value into the table once, then name it 8,000 times in one block."""
    literal = b"\x40\x01x" + b"\x7f\x81\x1e" + b"y" * 4_000
    return wire.frame(wire.HEADERS, wire.END_HEADERS, 1, literal + b"\xbe" * 8_000)


def _long_integers() -> bytes:
    """An index of 16,000 continuation bytes (CVE-2026-59980)."""
    return wire.frame(wire.HEADERS, wire.END_HEADERS, 1, b"\xff" + b"\x80" * 16_000 + b"\x01")


def _small_data() -> bytes:
    """A message of 256 KB that comes byte by byte."""
    start = wire.frame(wire.DATA, 0, 1, b"\0" + (262_144).to_bytes(4, "big"))
    return _headers(1) + start + wire.frame(wire.DATA, 0, 1, b"x") * 20 * MANY


@dataclass(frozen=True, slots=True)
class Flood:
    """An attack that is cut as soon as its limit is crossed."""

    send: bytes
    """All of it; most is never read."""
    code: int
    """Error code of the GOAWAY."""
    reasons: tuple[str, ...]
    """Its debug data, and label of ``rejected_total``: the first, or another where TCP cut the bytes otherwise."""


def _flood(send: bytes, *reasons: str, code: int = CALM) -> Flood:
    return Flood(HELLO + send, code, reasons)


@dataclass(frozen=True, slots=True)
class Held:
    """An attack that takes its time: it has to be ended by the clock."""

    send: bytes
    """At once."""
    drip: bytes
    """Bit by bit, for as long as it lasts."""
    limit: str
    """Key of the time it is given."""
    sample: str
    """Series that counts each one that is ended."""
    closes: bool
    """True when the whole connection is ended, not one stream."""


def _rejected(reason: str) -> str:
    return f'lbcontrol_rejected_total{{layer="transport",reason="{reason}"}}'


_NO_WINDOW = wire.PREFACE + wire.frame(wire.SETTINGS, 0, 0, b"\0\4" + bytes(4)) + wire.opening(1, _NAMES, b"slow")
_MESSAGE = HELLO + _headers(1) + wire.frame(wire.DATA, 0, 1, b"\0" + (1_000).to_bytes(4, "big"))
HELD = {
    "silence": Held(b"", b"", "prefaceTimeout", _rejected("preface"), closes=True),
    "unfinished preface": Held(b"", wire.PREFACE[:-1], "prefaceTimeout", _rejected("preface"), closes=True),
    "unfinished header block": Held(
        HELLO + _headers(1, 0), b"", "headerBlockTimeout", _rejected("header_block"), closes=True
    ),
    "dribbled message": Held(
        _MESSAGE,
        wire.frame(wire.DATA, 0, 1, b"x") * 100,
        "messageTimeout",
        _rejected("message_seconds"),
        closes=False,
    ),
    "window that is never opened": Held(
        _NO_WINDOW, b"", "stallTimeout", 'lbcontrol_streams_reaped_total{reason="slow"}', closes=False
    ),
}
"""By name, as the table prints them."""

FLOODS = {
    "rapid reset": _flood(_rapid_reset(), "resets"),
    "MadeYouReset: window update of 0": _flood(_reset_by_window_of_0(), "window_updates"),
    "MadeYouReset: window overflow": _flood(_reset_by_window_overflow(), "window_updates"),
    "MadeYouReset: length of PRIORITY": _flood(_reset_by_priority_size(), "resets"),
    "MadeYouReset: self-dependency": _flood(_reset_by_self_dependency(), "resets"),
    "MadeYouReset: DATA after the end": _flood(_reset_by_late_data(), "resets", "closed_stream"),
    "MadeYouReset: HEADERS after the end": _flood(_reset_by_late_headers(), "resets", "closed_stream"),
    "CONTINUATION flood": _flood(_continuations(), "continuations"),
    "empty CONTINUATION flood": _flood(_empty_continuations(), "continuations"),
    "PING flood": _flood(wire.frame(wire.PING, 0, 0, bytes(8)) * MANY, "too_many_pings"),
    "SETTINGS flood": _flood(wire.frame(wire.SETTINGS, 0, 0, b"\0\4" + NUMBER_1) * MANY, "settings"),
    "WINDOW_UPDATE flood": _flood(wire.frame(wire.WINDOW_UPDATE, 0, 0, NUMBER_1) * MANY, "window_updates"),
    "PRIORITY flood": _flood(wire.frame(PRIORITY, 0, 3, NUMBER_1 + b"\0") * MANY, "priorities"),
    "empty DATA flood": _flood(_headers(1) + wire.frame(wire.DATA, 0, 1) * MANY, "empty_data"),
    "byte-wise DATA flood": _flood(_small_data(), "small_data"),
    "unknown frames": _flood(wire.frame(200, 0, 0, bytes(4)) * MANY, "glitches"),
    "HPACK bomb": _flood(_bomb(), "header_list"),
    "over-long HPACK integer": _flood(_long_integers(), "hpack", code=COMPRESSION),
}
"""By name, as the table prints them."""
