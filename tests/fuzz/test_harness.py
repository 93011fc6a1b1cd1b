"""The harness finds what it is there to find: the code is broken on purpose, and a few thousand inputs show it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from lbcontrol.http2 import connection, fields, grpc
from lbcontrol.http2.connection import Connection
from lbcontrol.http2.errors import ConnectionFaultError
from lbcontrol.http2.grpc import Assembly
from lbcontrol.http2.receiving import Receiving
from lbcontrol.http2.sending import Sending
from lbcontrol.http2.streams import Stream
from tests.fuzz.runner import run

INPUTS = 20_000


def late_frames_end_the_connection(patch: pytest.MonkeyPatch) -> None:
    """Streams that we reset are forgotten at once."""
    patch.setattr(Sending, "forget", Sending.drop)


def window_is_not_given_back(patch: pytest.MonkeyPatch) -> None:
    """The connection's window only shrinks."""

    def shrinking(self: Receiving, size: int) -> None:
        self._receivable -= size

    patch.setattr(Receiving, "take", shrinking)


def stream_window_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """A peer may send more on a stream than it was told."""
    give_back = Receiving.give_back

    def generous(self: Receiving, stream: Stream) -> None:
        give_back(self, stream)
        stream.receivable += 1

    patch.setattr(Receiving, "give_back", generous)


def more_is_sent_than_the_peer_takes(patch: pytest.MonkeyPatch) -> None:
    """Each WINDOW_UPDATE counts twice."""
    widen = Sending.widen
    patch.setattr(Sending, "widen", lambda self, stream, amount: widen(self, stream, amount * 2))


def fast_path_skips_a_limit(patch: pytest.MonkeyPatch) -> None:
    """A message is taken when it comes in one frame, whatever its length and whatever came before it."""
    patch.setattr(Stream, "takes", lambda self, size: self.remote_open)


def refusal_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What follows a GOAWAY is taken in."""
    end = Connection._break

    def forgetful(self: Connection, fault: ConnectionFaultError) -> None:
        end(self, fault)
        self._broken = False

    patch.setattr(Connection, "_break", forgetful)


def exception_escapes(patch: pytest.MonkeyPatch) -> None:
    """Padding is taken off unseen."""
    patch.setattr(connection, "unpadded", lambda payload: payload[1 : len(payload) - payload[0]])


def names_may_be_upper_case(patch: pytest.MonkeyPatch) -> None:
    """Only h2 and the RFC know better."""
    patch.setattr(fields, "_NAME", re.compile(rb"[!#-9;-~]+"))


def number_is_written_wrong(patch: pytest.MonkeyPatch) -> None:
    """Strings of 127 bytes and more get a wrong length."""
    patch.setattr(fields, "_integer", lambda value, prefix, *, first: bytes((first | value & 127,)))


def any_text_is_base64(patch: pytest.MonkeyPatch) -> None:
    """Metadata is decoded as far as it goes."""
    patch.setattr(grpc, "_BASE64", re.compile(rb"(?s:.*)"))


def refused_message_takes_others_along(patch: pytest.MonkeyPatch) -> None:
    """All messages of a frame or none."""
    feed = Assembly.feed
    patch.setattr(Assembly, "feed", lambda self, payload, *, now: list(feed(self, payload, now=now)))


@pytest.mark.parametrize(
    ("name", "seed", "damage"),
    [
        ("f1", 1, late_frames_end_the_connection),
        ("f1", 1, window_is_not_given_back),
        ("f1", 17, fast_path_skips_a_limit),
        ("f1", 1, refusal_is_forgotten),
        ("f2", 4, stream_window_is_not_kept),
        ("f2", 2, more_is_sent_than_the_peer_takes),
        ("f2", 12, exception_escapes),
        ("f2", 12, names_may_be_upper_case),
        ("f3", 4, names_may_be_upper_case),
        ("f3", 7, number_is_written_wrong),
        ("f4", 4, any_text_is_base64),
        ("f4", 1, refused_message_takes_others_along),
    ],
)
def test_damage_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, seed: int, damage: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Each fault shows in the first 300 inputs of a seed by which it was seen early; others need up to 5,000."""
    damage(monkeypatch)
    report = run(name, seed=seed, count=INPUTS, most=1)
    print(f"found after {report.inputs} inputs: {next(iter(report.findings), 'nothing')[:100]}")
    assert report.findings
