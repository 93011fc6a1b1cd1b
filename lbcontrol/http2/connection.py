"""A server's side of one HTTP/2 connection: bytes in, events out, frames out (RFC 9113).

The owner calls ``receive`` with what it read, acts on the events, and writes what ``take`` returns. Nothing here waits,
reads a clock or keeps more than one message per stream in either direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from lbcontrol.http2.budget import Budget
from lbcontrol.http2.errors import ConnectionFaultError, StreamFaultError
from lbcontrol.http2.events import (
    Broken,
    Closed,
    Event,
    HalfClosed,
    Message,
    Opened,
    PeerLeaves,
    Refused,
    without_stillborn,
)
from lbcontrol.http2.fields import Blocks, Fields, FirstBlocks
from lbcontrol.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HAS_PRIORITY,
    HEAD_BYTES,
    PADDED,
    Code,
    Kind,
    frame,
    goaway_frame,
    greeting,
    long_frame,
    long_of,
)
from lbcontrol.http2.grpc import PREFIX_BYTES, Assembly, CompressedError, TooLargeError, is_message
from lbcontrol.http2.headers import HeaderBlock
from lbcontrol.http2.http1 import HTTP1_ANSWER, is_http1
from lbcontrol.http2.intake import Intake, unpadded
from lbcontrol.http2.limits import Limits
from lbcontrol.http2.receiving import Receiving
from lbcontrol.http2.sending import Sending
from lbcontrol.http2.streams import Stream
from lbcontrol.http2.whole import WholeFrames

SMALL_BYTES = 256
"""A DATA frame that is shorter, and does not end a message, is worth less than it costs."""


class Connection:
    """State of one connection."""

    __slots__ = (
        "_block",
        "_blocks",
        "_broken",
        "_budget",
        "_events",
        "_highest",
        "_intake",
        "_last",
        "_leaving",
        "_limits",
        "_message_limit",
        "_receiving",
        "_whole",
        "sending",
        "streams",
    )

    def __init__(
        self,
        limits: Limits,
        *,
        message_limit: Callable[[Fields], int],
        fast_path: bool = True,
        whole: WholeFrames | None = None,
        first_blocks: FirstBlocks | None = None,
    ) -> None:
        """Begin; our SETTINGS wait in ``take``.

        Args:
            limits: What the peer may cost.
            message_limit: Says how many bytes a request's messages may have.
            fast_path: Whether ``whole_message`` and ``Sending.admit`` do anything; without them the same bytes leave.
            whole: Shared by connections whose peers send the same; one of its own when left out.
            first_blocks: Shared by connections with the same limits; one of its own when left out.
        """
        self._whole = (whole or WholeFrames()) if fast_path else None
        """What takes whole frames apart; None: nothing takes that short way."""
        self._limits = limits
        self._message_limit = message_limit
        self._intake = Intake()
        self._blocks = Blocks(limits, first_blocks)
        self._budget = Budget(limits)
        self.streams: dict[int, Stream] = {}
        """Open streams by id."""
        self._highest = 0
        self._block: HeaderBlock | None = None
        self._leaving = False
        self._last = 0
        """Highest stream that was taken; what GOAWAY says, which may never grow again (section 6.8)."""
        self._broken = False
        self._events: list[Event] = []
        self.sending = Sending(self.streams, budget=self._budget, events=self._events, fast_path=fast_path)
        """Windows, messages and trailers towards the peer."""
        self._receiving = Receiving(limits, self.sending, budget=self._budget)
        first = greeting(
            streams=limits.streams,
            stream_window=limits.stream_window,
            header_list=limits.header_list,
            window=limits.connection_window,
        )
        self.sending.control(first)

    @property
    def established(self) -> bool:
        """True once the peer has shown that it speaks HTTP/2."""
        return self._intake.established

    @property
    def highest(self) -> int:
        """Highest stream the peer has opened."""
        return self._highest

    def receive(self, data: bytes, *, now: float) -> list[Event]:
        """Take in what was read at ``now`` (monotonic seconds); after ``Broken`` nothing is taken in any more."""
        if self._broken:
            return []
        try:
            for kind, flags, stream, payload in self._intake.feed(data):
                self._frame(kind, flags, stream=stream, payload=payload, now=now)
        except ConnectionFaultError as fault:
            self._break(fault)
            if fault.reason == "preface" and is_http1(data):
                self.sending.out[:] = [HTTP1_ANSWER]
        found, self._events[:] = list(self._events), []
        return without_stillborn(found)

    def whole_message(self, data: bytes) -> tuple[int, bytes] | None:
        """Return stream and message when ``data`` is one DATA frame with one message and nothing else is to be said.

        That is nearly all that clients of a control plane send. None: nothing was changed, use ``receive``, which would
        have done the same, only slower.
        """
        whole = None if self._whole is None else self._whole.read(data)
        if whole is None or self._broken or self._block is not None or not self._intake.is_between_frames:
            return None
        found = self.streams.get(whole[0])
        if found is None or not self._receiving.take_whole(found, len(data) - HEAD_BYTES):
            return None
        return whole

    def take(self) -> bytes:
        """Return the frames that wait to be written, and forget them."""
        return self.sending.take()

    def expired(self, now: float, *, message_seconds: float) -> int | None:
        """Return a stream whose message takes too long, 0 for an unfinished header block, None when all is well."""
        if self._block is not None and now - self._block.began_at > self._limits.block_seconds:
            return 0
        for stream in self.streams.values():
            part = stream.assembly
            if part is not None and part.began_at is not None and now - part.began_at > message_seconds:
                return stream.id
        return None

    def reset(self, stream: int, code: Code) -> None:
        """Break a stream off from our side."""
        if stream in self.streams:
            self.sending.control(long_frame(Kind.RST_STREAM, stream, value=code))
            self.sending.forget(stream)

    def pause(self, stream: int) -> None:
        """Let the peer fill the stream's window and then wait."""
        if stream in self.streams:
            self.streams[stream].paused = True

    def resume(self, stream: int) -> None:
        """Undo ``pause``."""
        if stream in self.streams:
            self.streams[stream].paused = False
            self._receiving.give_back(self.streams[stream])

    def ping(self, data: bytes) -> None:
        """Ask whether the peer is there; ``data`` has 8 bytes."""
        self.sending.control(frame(Kind.PING, 0, payload=data))

    def leave(self, code: Code = Code.NO_ERROR, *, debug: bytes = b"") -> None:
        """Say that no further streams are taken; those that are open go on."""
        self._leaving = True
        self.sending.control(goaway_frame(self._last, code, debug=debug))

    def break_off(self, code: Code, reason: str) -> None:
        """End the connection from our side: a GOAWAY waits in ``take``, nothing is taken in any more."""
        self._break(ConnectionFaultError(code, reason))
        self._events.clear()

    def _break(self, fault: ConnectionFaultError) -> None:
        self._broken = True
        self.sending.control(goaway_frame(self._last, fault.code, debug=fault.reason.encode()))
        self._events.append(Broken(fault.code, fault.reason))

    def _frame(self, kind: int, flags: int, *, stream: int, payload: bytes, now: float) -> None:
        if self._block is not None and (kind != Kind.CONTINUATION or stream != self._block.stream):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "header_block")
        handle = self._HANDLERS.get(kind)
        if handle is None:
            self._budget.glitch()  # Unknown types are ignored (section 4.1), but not for ever.
            return
        try:
            handle(self, flags, stream, payload=payload, now=now)
        except StreamFaultError as fault:
            self._fault(fault, now)

    def _fault(self, fault: StreamFaultError, now: float) -> None:
        """Reset a stream whose peer broke a rule; what a peer provokes costs it as much as its own resets."""
        if self._is_idle(fault.stream):  # There is nothing to reset (section 6.4).
            raise ConnectionFaultError(fault.code, fault.reason)
        self._budget.reset(now)
        self.sending.control(long_frame(Kind.RST_STREAM, fault.stream, value=fault.code))
        self.sending.forget(fault.stream)
        self._events.append(Closed(fault.stream, fault.code, ours=True, reason=fault.reason))

    def _is_idle(self, stream: int) -> bool:
        """True for a stream that nobody has opened; those with even numbers would be ours, and we open none."""
        return stream > self._highest or not stream % 2

    def _data(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        size = len(payload)
        if not stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "stream_0")
        found = self.streams.get(stream)
        if not flags and found is not None and self._took_whole(found, payload):
            return
        self._receiving.take(size)
        body = unpadded(payload) if flags & PADDED else payload
        if found is None or not found.remote_open:
            self._stray(stream)
            self._late_data(stream, len(body), flags=flags)
            return
        found.receivable -= size
        if found.receivable < 0:
            raise StreamFaultError(stream, Code.FLOW_CONTROL_ERROR, reason="stream_window")
        if not flags & END_STREAM:
            self._budget.data(len(body))
        self._body(found, body, now=now)
        if found.assembly is not None:
            self._charge(found, found.assembly, size=len(body), now=now)
        found.credit += size
        self._receiving.give_back(found)
        if flags & END_STREAM:
            self._end_remote(found)

    def _took_whole(self, stream: Stream, payload: bytes) -> bool:
        """Take a frame that is one whole message, as nearly all are; False: nothing was changed."""
        if self._whole is None or not is_message(payload) or not self._receiving.take_whole(stream, len(payload)):
            return False
        self._events.append(Message(stream.id, payload[PREFIX_BYTES:]))
        return True

    def _body(self, stream: Stream, body: bytes, *, now: float) -> None:
        stream.received += len(body)
        if stream.expected is not None and stream.received > stream.expected:
            raise StreamFaultError(stream.id, Code.PROTOCOL_ERROR, reason="content_length")
        if stream.refused or not body:
            return
        try:
            part = stream.assembly or Assembly(stream.limit)
            try:
                for message in part.feed(body, now=now):
                    self._events.append(Message(stream.id, message))
            finally:
                stream.assembly = part if part.unfinished else None
        except TooLargeError as error:
            stream.refused = True
            self._events.append(Refused(stream.id, error.size, error.limit))
        except CompressedError:
            stream.refused = True
            self._events.append(Refused(stream.id, 0, 0))

    def _charge(self, stream: Stream, part: Assembly, *, size: int, now: float) -> None:
        """Judge what an unfinished message costs: turns for a few bytes each, and memory."""
        if size < SMALL_BYTES:
            self._budget.small_data(now)
        if part.unfinished > self._limits.unfinished // self._limits.streams:
            kept = sum(each.assembly.unfinished for each in self.streams.values() if each.assembly is not None)
            if kept > self._limits.unfinished:
                raise StreamFaultError(stream.id, Code.ENHANCE_YOUR_CALM, reason="unfinished")

    def _stray(self, stream: int) -> None:
        """Judge DATA or HEADERS on a stream that is not open for the peer (section 5.1)."""
        if self._is_idle(stream):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "idle_stream")
        if stream in self.streams:  # Half closed by the peer itself.
            raise StreamFaultError(stream, Code.STREAM_CLOSED, reason="half_closed")
        if stream not in self.sending.forgotten:
            raise ConnectionFaultError(Code.STREAM_CLOSED, "closed_stream")
        self._budget.glitch()  # We reset it; the peer may not have seen that yet.

    def _late_data(self, stream: int, size: int, *, flags: int) -> None:
        """Drop the body of a stream that we reset; it must still be as long as it was said to be."""
        left = self.sending.forgotten[stream]
        if left is not None:
            left -= size
            self.sending.forgotten[stream] = left
            if left < 0 or (left and flags & END_STREAM):
                raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason="content_length")

    def _end_remote(self, stream: Stream) -> None:
        stream.remote_open = False
        if stream.expected is not None and stream.received != stream.expected:
            raise StreamFaultError(stream.id, Code.PROTOCOL_ERROR, reason="content_length")
        if stream.assembly is not None and not stream.refused:
            stream.refused, stream.assembly = True, None
            self._events.append(Refused(stream.id, 0, 0, cut=True))
        self._events.append(HalfClosed(stream.id))

    def _headers(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        if not stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "stream_0")
        part = unpadded(payload) if flags & PADDED else payload
        depends = -1
        if flags & HAS_PRIORITY:
            if len(part) < 5:
                raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "priority_size")
            depends, part = long_of(part) & 0x7FFFFFFF, part[5:]
        block = self._block = HeaderBlock(stream, end=bool(flags & END_STREAM), itself=depends == stream, now=now)
        block.add(part, self._limits)
        if flags & END_HEADERS:
            self._finish_block(now)

    def _continuation(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del stream  # Checked before.
        block = self._block
        if block is None:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "continuation")
        block.add(payload, self._limits)
        if flags & END_HEADERS:
            self._finish_block(now)

    def _finish_block(self, now: float) -> None:
        """Act on a whole block; it is decoded even where it is then refused: decoding changes the shared table."""
        block, self._block = self._block, None
        assert block is not None  # noqa: S101  for the type checker
        fields = self._blocks.decode(b"".join(block.parts))
        if block.stream in self.streams:
            self._trailers(self.streams[block.stream], block, fields)
        elif block.stream <= self._highest:
            self._stray(block.stream)
            block.check_trailing(fields)
        else:
            self._open(block, fields, now=now)

    def _open(self, block: HeaderBlock, fields: Fields, *, now: float) -> None:
        del now
        number = block.stream
        if not number % 2:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "stream_id")
        self._highest = number
        if block.itself:
            raise StreamFaultError(number, Code.PROTOCOL_ERROR, reason="self_dependency")
        if self._leaving or len(self.streams) >= self._limits.streams:
            raise StreamFaultError(number, Code.REFUSED_STREAM, reason="streams_per_connection")
        said = self._blocks.judged(number, fields)
        stream = Stream(
            number,
            window=self.sending.initial_window,
            receivable=self._limits.stream_window,
            limit=self._message_limit(fields),
        )
        stream.expected, stream.encoding = said.expected, said.encoding
        self.streams[number] = stream
        self._last = number
        self._budget.opened()
        self._events.append(Opened(number, fields))
        if block.end:
            self._end_remote(stream)

    def _trailers(self, stream: Stream, block: HeaderBlock, fields: Fields) -> None:
        if not stream.remote_open:
            raise StreamFaultError(stream.id, Code.STREAM_CLOSED, reason="half_closed")
        block.check_trailing(fields)
        self._end_remote(stream)

    def _priority(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del flags, now
        self._budget.priority()
        if not stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "stream_0")
        if len(payload) != 5:
            raise StreamFaultError(stream, Code.FRAME_SIZE_ERROR, reason="priority_size")
        if long_of(payload) & 0x7FFFFFFF == stream:
            raise StreamFaultError(stream, Code.PROTOCOL_ERROR, reason="self_dependency")

    def _rst_stream(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del flags
        if len(payload) != 4:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "rst_size")
        if self._is_idle(stream):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "idle_stream")
        self._budget.reset(now)
        self.sending.forgotten.pop(stream, None)  # Nothing of it can be under way any more.
        if stream in self.streams:
            self.sending.drop(stream)
            self._events.append(Closed(stream, long_of(payload), ours=False, reason="reset"))

    def _settings(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        if stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "settings_stream")
        if len(payload) % 6 or (flags & ACK and payload):
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "settings_size")
        if flags & ACK:
            return
        self._budget.settings(now)
        if len(payload) > 6 * self._limits.settings_entries:
            raise ConnectionFaultError(Code.ENHANCE_YOUR_CALM, "settings_entries")
        self.sending.apply(payload)

    def _push_promise(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del flags, stream, payload, now
        raise ConnectionFaultError(Code.PROTOCOL_ERROR, "push_promise")

    def _ping(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        if stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "ping_stream")
        if len(payload) != 8:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "ping_size")
        if not flags & ACK:
            self._budget.ping(now)
            self.sending.control(frame(Kind.PING, ACK, payload=payload))

    def _goaway(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del flags, now
        if stream:
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "goaway_stream")
        if len(payload) < 8:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "goaway_size")
        self._budget.glitch()
        self._events.append(PeerLeaves(long_of(payload[4:])))

    def _window_update(self, flags: int, stream: int, *, payload: bytes, now: float) -> None:
        del flags, now
        if len(payload) != 4:
            raise ConnectionFaultError(Code.FRAME_SIZE_ERROR, "window_update_size")
        if stream and self._is_idle(stream):
            raise ConnectionFaultError(Code.PROTOCOL_ERROR, "idle_stream")
        self._budget.window_update()
        self.sending.widen(stream, long_of(payload) & 0x7FFFFFFF)

    _HANDLERS: ClassVar[Mapping[int, Callable[..., None]]] = {
        Kind.DATA: _data,
        Kind.HEADERS: _headers,
        Kind.PRIORITY: _priority,
        Kind.RST_STREAM: _rst_stream,
        Kind.SETTINGS: _settings,
        Kind.PUSH_PROMISE: _push_promise,
        Kind.PING: _ping,
        Kind.GOAWAY: _goaway,
        Kind.WINDOW_UPDATE: _window_update,
        Kind.CONTINUATION: _continuation,
    }
