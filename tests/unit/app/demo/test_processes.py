"""Ports of the demo are its own from the start to the end."""

from __future__ import annotations

import socket

import pytest

from lbcontrol.app.demo.processes import Ports


def test_port_is_kept_and_may_be_listened_on_again_and_again() -> None:
    """A server takes it, and takes it once more after it was killed; in between nobody else gets it."""
    ports = Ports([0])
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind(("127.0.0.1", ports.numbers[0]))
            with socket.create_server(("127.0.0.1", ports.numbers[0])) as server:
                socket.create_connection(server.getsockname()).close()
    finally:
        ports.free()


def test_port_of_somebody_else_is_another() -> None:
    """Two demos at once have different ports, though neither listens yet."""
    first = Ports([0, 0])
    second = Ports(first.numbers)
    assert len({*first.numbers, *second.numbers}) == 4
    for ports in (first, second):
        ports.free()
