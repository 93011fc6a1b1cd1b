"""Requests are read from their fields; equal header blocks, whose fields are one object, are read once."""

from __future__ import annotations

import pytest

from lbcontrol.http2.fields import Fields
from lbcontrol.runtime.ports import Method
from lbcontrol.transport.http2.asked import Requests

METHOD = Method("/a.B/C", max_message_bytes=7)


def fields(*more: tuple[bytes, bytes], method: bytes = b"POST", path: bytes = b"/a.B/C") -> Fields:
    """Return the fields of a request."""
    return [(b":method", method), (b":path", path), (b"content-type", b"application/grpc"), *more]


def test_request_is_read_once_for_all_that_share_its_fields() -> None:
    """The same list of fields gives the same answer; an equal list is another request."""
    requests, shared = Requests([METHOD]), fields((b"x-who", b"me"), (b"grpc-timeout", b"5S"))
    first = requests(shared)
    assert (first.is_grpc, first.method, dict(first.metadata), first.timeout) == (True, METHOD, {"x-who": "me"}, 5.0)
    assert requests(shared) is first
    assert requests(fields()) is not first
    assert dict(requests(shared).metadata) == {"x-who": "me"}


def test_what_nobody_serves_takes_no_message() -> None:
    """The limit is that of the method, and 0 without one."""
    requests = Requests([METHOD])
    assert requests.limit(fields()) == METHOD.max_message_bytes
    assert requests.limit(fields(path=b"/a.B/D")) == 0
    assert requests(fields(path=b"/a.B/D")).method is None
    assert not requests(fields(method=b"GET")).is_grpc


@pytest.mark.parametrize("more", [(b"grpc-timeout", b"soon"), (b"x-bin", b"?")])
def test_faults_are_told_in_words(more: tuple[bytes, bytes]) -> None:
    """A timeout or metadata that cannot be read is no error here: the call ends with it."""
    assert Requests([METHOD])(fields(more)).fault
