"""What a peer may still make us do on one connection: counters and buckets, each with the word it is refused by."""

from __future__ import annotations

from lbcontrol.http2.errors import ConnectionFaultError
from lbcontrol.http2.frames import Code
from lbcontrol.http2.limits import Bucket, Limits


class Budget:
    """The budgets of one connection. Everything that costs us and gives the peer nothing is counted here."""

    __slots__ = (
        "_empty_most",
        "_glitches",
        "_limits",
        "_most_glitches",
        "_pings",
        "_priorities",
        "_resets",
        "_settings",
        "_small",
        "_updates",
        "empty",
        "frames",
    )

    def __init__(self, limits: Limits) -> None:
        """Begin with full budgets."""
        self._limits = limits
        self._resets: Bucket | None = None  # This and the next three: full until first used, and made then.
        self._settings: Bucket | None = None
        self._pings: Bucket | None = None
        self._small: Bucket | None = None
        self._priorities = limits.priorities
        self._glitches = self._most_glitches = limits.glitches
        self._updates = limits.window_updates
        self._empty_most = limits.empty_data
        self.empty = 0
        """Empty DATA frames in a row."""
        self.frames = 0
        """Frames sent (DATA, or a last HEADERS), which allow the peer to measure its bandwidth and to open its windows.

        Whoever sends adds to it; the budgets are widened when the peer acts, which is far less often.
        """

    def reset(self, now: float) -> None:
        """The peer reset a stream, or made us reset one."""
        bucket = self._resets = self._resets or Bucket(self._limits.resets)
        if not bucket.take(now):
            raise _calm("resets")

    def settings(self, now: float) -> None:
        """The peer changed settings."""
        bucket = self._settings = self._settings or Bucket(self._limits.settings)
        if not bucket.take(now):
            raise _calm("settings")

    def ping(self, now: float) -> None:
        """The peer wants an answer to a PING."""
        self._widen()
        bucket = self._pings = self._pings or Bucket(self._limits.pings)
        if not bucket.take(now):
            raise _calm("too_many_pings")

    def priority(self) -> None:
        """The peer sent a PRIORITY frame, which nobody reads."""
        self._priorities -= 1
        if self._priorities < 0:
            raise _calm("priorities")

    def glitch(self) -> None:
        """The peer sent something odd that is to be ignored."""
        self._glitches -= 1
        if self._glitches < 0:
            raise _calm("glitches")

    def opened(self) -> None:
        """The peer opened a stream, of which something may still be under way when we end it: one glitch more."""
        self._glitches = min(self._most_glitches, self._glitches + 1)

    def window_update(self) -> None:
        """The peer opened a window."""
        self._widen()
        self._updates -= 1
        if self._updates < 0:
            raise _calm("window_updates")

    def data(self, size: int) -> None:
        """The peer sent a DATA frame with ``size`` bytes of body."""
        self.empty = 0 if size else self.empty + 1
        if self.empty > self._empty_most:
            raise _calm("empty_data")

    def small_data(self, now: float) -> None:
        """The peer sent a DATA frame that brought its message on by a few bytes only."""
        bucket = self._small = self._small or Bucket(self._limits.small_data)
        if not bucket.take(now):
            raise _calm("small_data")

    def _widen(self) -> None:
        if self._pings is not None:  # Else it is full.
            self._pings.add(self.frames)
        self._updates += 10 * self.frames
        self.frames = 0


def _calm(reason: str) -> ConnectionFaultError:
    return ConnectionFaultError(Code.ENHANCE_YOUR_CALM, reason)
