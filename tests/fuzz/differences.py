"""Where our connection and ``h2`` may differ, each with its reason; anything else is a finding.

A difference is one of class: one refuses what the other accepts, or ours ends the connection where h2 resets a stream.
Where ours is the milder, nothing is compared: how far a refusal reaches is the server's choice (RFC 9113 section 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.inputs import FindingError


@dataclass(frozen=True)
class Difference:
    """A pair of verdicts that is known; a pattern is the beginning of the words."""

    ours: str
    """``accepted``, ``stream REASON`` or ``connection REASON``."""
    theirs: str
    """``accepted``, ``stream reset CODE`` or ``connection EXCEPTION: words``; empty for whatever h2 says."""
    why: str


LATE = "section 5.1: late frames of a stream that we reset are judged, then dropped; h2 resets the stream each time"
_LIMIT = "our limit (lbcontrol.http2.limits); h2 has none, or a wider one"
_WINDOW = "h2's windows are opened wide and it sends nothing: windows are judged by the ledger (ledger.py)"
_LAST = "h2 keeps one value per setting of a frame, the last; section 6.5.3: values are processed in order"
_CLOSED = "section 5.1: END_STREAM or RST_STREAM of the peer closed it: STREAM_CLOSED for the connection"

_LIMITS = (
    "header_fields",
    "header_value",
    "header_block_size",
    "continuations",
    "settings_entries",
    "settings",
    "too_many_pings",
    "priorities",
    "glitches",
    "resets",
    "window_updates",
    "empty_data",
    "small_data",
)

KNOWN = (
    *(Difference(f"connection {word}", "", _LIMIT) for word in _LIMITS),
    Difference("connection first_frame", "accepted", "section 3.4: SETTINGS follow the preface; h2 takes any frame"),
    Difference("stream leaving", "accepted", "section 6.8: after our GOAWAY we take no new stream; h2 sent none"),
    Difference("stream stream_window", "accepted", _WINDOW),
    Difference("accepted", "connection FlowControlError", _WINDOW),
    Difference("accepted", "stream reset 3", _WINDOW),
    Difference("connection max_frame_size", "accepted", _LAST),
    Difference("connection enable_push", "accepted", _LAST),
    Difference("connection initial_window", "accepted", _LAST),
    Difference(
        "accepted",
        "connection InvalidSettingsValueError: Setting 8 ",
        "RFC 8441: SETTINGS_ENABLE_CONNECT_PROTOCOL is a server's to send; from a client it is one we do not know",
    ),
    Difference(
        "connection push_promise", "accepted", "section 8.4: refused by its head; h2 waits for the end of the block"
    ),
    Difference("connection frame_size", "accepted", "section 4.2: refused by its head; h2 waits for the whole frame"),
    Difference(
        "accepted",
        "connection ProtocolError: Stream ID must be",
        "h2 judges a head before its payload has come, ours the whole frame (then it is refused: stream_0)",
    ),
    Difference("connection idle_stream", "accepted", "sections 5.1, 6.4: RST_STREAM on an idle stream; h2 ignores it"),
    Difference("accepted", "stream reset 5", LATE),
    Difference(
        "accepted", "connection TooManyStreamsError", "h2 takes a late header block for a new stream; see above (LATE)"
    ),
    Difference("connection closed_stream", "stream reset 5", _CLOSED),
    Difference("connection continuation", "stream reset 5", "section 6.10: CONTINUATION without HEADERS"),
    Difference("stream unfinished", "accepted", _LIMIT),
    Difference("stream content_length", "accepted", "section 8.1.1; h2 does not compare it where no DATA comes"),
    Difference("stream field_value", "accepted", "RFC 9110 section 5.5: control characters; h2 looks for NUL, CR, LF"),
    Difference(
        "stream field_name", "accepted", "RFC 9110 section 5.6.2: a name is a token; h2 looks for colons and case"
    ),
    Difference(
        "accepted",
        "connection ProtocolError: Invalid content-length",
        "in trailers it means nothing; in requests both refuse it (headers.py holds ours to that)",
    ),
    Difference("accepted", "connection FrameDataMissingError: Invalid ALTSVC", "section 5.5: types unknown to us"),
    Difference(
        "accepted",
        "connection ProtocolError: WINDOW_UPDATE increment must be",
        "section 6.9: the reserved bit is ignored; h2 takes it for part of the number",
    ),
    Difference(
        "accepted",
        "connection ProtocolError: Padding is too long",
        "section 6.2: padding may leave an empty fragment of a header block",
    ),
    Difference(
        "accepted",
        "connection ProtocolError: Request header block does not have",
        "section 8.3.1: a request may lack :authority and Host; a server for gRPC does not need them",
    ),
)


_REACH = {"accepted": 0, "stream": 1, "connection": 2}
"""How far a refusal goes."""


def differ(ours: str, theirs: str) -> bool:
    """Return whether two verdicts are of different classes; see above."""
    return _REACH[ours] > _REACH[theirs] or (ours == "accepted") != (theirs == "accepted")


def known(ours: str, theirs: str) -> Difference:
    """Return the line of the table that a pair of verdicts stands in.

    Raises:
        FindingError: there is none.
    """
    for line in KNOWN:
        if ours.startswith(line.ours) and theirs.startswith(line.theirs):
            return line
    raise FindingError(f"ours: {ours}; h2: {theirs}")
