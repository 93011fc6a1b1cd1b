"""What comes in as DATA: the two windows that we opened to the peer, and giving them back (RFC 9113 section 5.2)."""

from __future__ import annotations

from lbcontrol.http2.budget import Budget
from lbcontrol.http2.errors import ConnectionFaultError
from lbcontrol.http2.frames import Code, Kind, long_frame
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.sending import Sending
from lbcontrol.http2.streams import Stream


class Receiving:
    """The receiving half of one connection: bytes that the peer may still send, and those not yet given back."""

    __slots__ = ("_budget", "_credit", "_limits", "_receivable", "_sending")

    def __init__(self, limits: Limits, sending: Sending, *, budget: Budget) -> None:
        """Begin with the whole window; ``sending`` takes our WINDOW_UPDATE frames."""
        self._limits = limits
        self._sending = sending
        self._budget = budget
        self._receivable = limits.connection_window
        self._credit = 0
        """Bytes consumed and not yet given back."""

    @property
    def window(self) -> int:
        """Bytes that are open or will be: all that there ever were."""
        return self._receivable + self._credit

    def take(self, size: int) -> None:
        """Count a DATA frame, whatever becomes of its stream (section 6.9).

        Raises:
            ConnectionFaultError: the peer may not send so much.
        """
        self._receivable -= size
        if self._receivable < 0:
            raise ConnectionFaultError(Code.FLOW_CONTROL_ERROR, "connection_window")
        self._credit += size
        self._give_back()

    def take_whole(self, stream: Stream, size: int) -> bool:
        """Count a DATA frame that is one whole message, if all is in order; False: nothing was changed."""
        if self._receivable < size or not stream.takes(size):
            return False
        self._receivable -= size
        self._credit += size
        stream.receivable -= size
        stream.credit += size
        if self._budget.empty:
            self._budget.data(size)
        if self._credit >= self._limits.connection_window // 2:
            self._give_back()
        if stream.credit >= self._limits.stream_window // 2:
            self.give_back(stream)
        return True

    def give_back(self, stream: Stream) -> None:
        """Open the stream's window again once half of it is used."""
        if stream.remote_open and not stream.paused and stream.credit >= self._limits.stream_window // 2:
            self._sending.control(long_frame(Kind.WINDOW_UPDATE, stream.id, value=stream.credit))
            stream.receivable += stream.credit
            stream.credit = 0

    def _give_back(self) -> None:
        if self._credit >= self._limits.connection_window // 2:
            self._sending.control(long_frame(Kind.WINDOW_UPDATE, 0, value=self._credit))
            self._receivable += self._credit
            self._credit = 0
