"""``h2`` as a server beside ours: it is told the same frames, and what ours did with its streams."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes

from lbcontrol.http2.frames import WINDOW_BYTES
from lbcontrol.http2.limits import Limits
from tests.fuzz.ledger import parsed, resets

WIDE = 2**31 - 1
_CONFIG = H2Configuration(
    client_side=False, header_encoding=None, normalize_inbound_headers=False, validate_outbound_headers=False
)


@dataclass(slots=True)
class Seen:
    """What a server made of one frame: a verdict in words, and what it learned."""

    verdict: str = "accepted"
    """accepted | stream | connection"""
    reason: str = ""
    facts: list[tuple[object, ...]] = field(default_factory=list)
    """What happened to streams: opened with fields, ended, reset."""
    data: list[tuple[int, bytes]] = field(default_factory=list)
    """Body by stream; whole messages only where the server puts them together itself."""

    @property
    def words(self) -> str:
        """Verdict and reason."""
        return f"{self.verdict} {self.reason}".rstrip()


class Oracle:
    """One connection of h2."""

    def __init__(self, limits: Limits) -> None:
        """Make it judge by the same limits; receive windows are wide, the ledger judges those."""
        self._h2 = h2 = H2Connection(config=_CONFIG)
        h2.local_settings = h2.local_settings.__class__(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
                SettingCodes.INITIAL_WINDOW_SIZE: WIDE,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list,
            },
        )
        h2.decoder.max_header_list_size = limits.header_list
        h2.initiate_connection()
        h2.increment_flow_control_window(WIDE - WINDOW_BYTES)
        h2.clear_outbound_data_buffer()

    def feed(self, data: bytes) -> Seen:
        """Take in a frame."""
        seen = Seen()
        try:
            events = self._h2.receive_data(data)
        except H2Error as error:
            return Seen("connection", f"{type(error).__name__}: {error.__cause__ or error}")
        for event in events:
            _note(seen, event)
        repeated = resets(parsed(self._h2.data_to_send()))
        if repeated:
            seen.verdict, seen.reason = "stream", f"reset {repeated[0][1]}"
        return seen

    def leave(self, stream: int, *, reset: bool) -> None:
        """Ours ended this stream: by a reset, or by END_STREAM as its peer had done."""
        with contextlib.suppress(H2Error):
            if reset:
                self._h2.reset_stream(stream)
            else:
                self._h2.send_headers(stream, [(b":status", b"200")], end_stream=True)
        self._h2.clear_outbound_data_buffer()


def _note(seen: Seen, event: Event) -> None:
    match event:
        case RequestReceived():
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            seen.facts.append(("opened", event.stream_id, fields))
        case DataReceived():
            seen.data.append((event.stream_id, bytes(event.data)))
        case StreamEnded():
            seen.facts.append(("ended", event.stream_id))
        case StreamReset() if event.remote_reset:
            seen.facts.append(("reset", event.stream_id, event.error_code))
        case ConnectionTerminated():
            seen.facts.append(("goaway", event.error_code))
        case _:
            pass
