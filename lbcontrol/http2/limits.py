"""How much one connection may cost. Every value has a default; crossing one ends the stream or the connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection; sizes in bytes, times in seconds."""

    streams: int = 100
    """Streams open at once: SETTINGS_MAX_CONCURRENT_STREAMS; one more is refused."""
    stream_window: int = 65_535
    """Bytes a peer may send on one stream before we have read them."""
    connection_window: int = 1_048_576
    """Bytes a peer may send on all streams before we have read them."""
    header_block: int = 16_384
    """Encoded header block, over all its frames."""
    header_list: int = 16_384
    """Decoded fields, each with 32 bytes of overhead (RFC 7541 section 4.1): SETTINGS_MAX_HEADER_LIST_SIZE."""
    fields: int = 64
    field_value: int = 8_192
    continuations: int = 4
    """CONTINUATION frames of one block."""
    empty_continuations: int = 1
    block_seconds: float = 5.0
    """Time from HEADERS to END_HEADERS."""
    settings_entries: int = 32
    priorities: int = 1_000
    """PRIORITY frames of one connection."""
    window_updates: int = 100
    """WINDOW_UPDATE frames to begin with; each DATA frame we send allows 10 more."""
    empty_data: int = 10
    """Empty DATA frames in a row."""
    small_data: tuple[float, float] = (100.0, 20.0)
    """DATA frames of less than 256 bytes that end no message: burst, and how many more each second."""
    unfinished: int = 1_310_720
    """Bytes kept of unfinished messages, over all streams: one of the longest, and a start of others."""
    glitches: int = 100
    """Unknown frame types and other small oddities of one connection."""
    resets: tuple[float, float] = (200.0, 20.0)
    """RST_STREAM of the peer and those it made us send: burst, and how many more each second."""
    settings: tuple[float, float] = (10.0, 0.1)
    pings: tuple[float, float] = (10.0, 0.1)
    """Each DATA or HEADERS frame we send allows one more: clients measure bandwidth with PINGs."""


class Bucket:
    """A budget that fills again with time: ``burst`` at once, ``rate`` per second."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, budget: tuple[float, float]) -> None:
        """Begin full."""
        self._burst, self._rate = budget
        self._left = self._burst
        self._at = 0.0

    def add(self, amount: float) -> None:
        """Allow more; never beyond the burst."""
        self._left = min(self._burst, self._left + amount)

    def take(self, now: float) -> bool:
        """Spend one; False when nothing is left. ``now`` is in seconds and never goes back."""
        if self._at:
            self.add((now - self._at) * self._rate)
        self._at = now
        self._left -= 1.0
        return self._left >= 0.0
