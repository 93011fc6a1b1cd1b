"""Where to listen: how it is written, and the words for what goes wrong."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from pathlib import Path

import pytest

from lbcontrol.model.errors import AccessError
from lbcontrol.transport.holders import _command, tcp_holder, unix_holder
from lbcontrol.transport.listening import FLAG, Listen, bound, prepared, refused


@pytest.mark.parametrize("text", ["127.0.0.1:0", "0.0.0.0:65535", "[::1]:18000", "unix:/run/admin.sock"])
def test_place_is_written_as_it_is_read(text: str) -> None:
    """Reading and writing are inverse."""
    assert str(Listen.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "unix:", "127.0.0.1", "host:1", "::1:1", "[127.0.0.1]:1", "127.0.0.1:65536", "127.0.0.1:x", "[::1:1"]
)
def test_what_is_no_place_is_refused_with_what_to_write(text: str) -> None:
    """Names, missing ports and brackets in the wrong place."""
    with pytest.raises(ValueError, match="write "):
        Listen.parse(text)


def test_every_address_is_that_of_ipv4_where_the_kernel_has_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may be started without it, and the same manifest is good for it."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bound(Listen("::", 0)) as sock:
        assert sock.family == socket.AF_INET
        with socket.create_connection(("127.0.0.1", sock.getsockname()[1]), timeout=5.0):
            pass


EVERY = str(ipaddress.IPv4Address(0))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", EVERY])
def test_holder_of_a_port_is_found(host: str) -> None:
    """By address and by all addresses, v4 and v6; a free port has none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        holder = tcp_holder("127.0.0.1" if host == EVERY else host, port)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert str(holder).startswith(f"{os.getpid()} (")
    assert tcp_holder(host, port) is None


def test_taken_port_names_its_process() -> None:
    """LB501 with pid and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = Listen("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(AccessError) as caught, prepared(listen):
            pass
    assert caught.value.finding.code == "LB501"
    start, stop = f"lbcontrol serve {FLAG} 127.0.0.1:", f", or stop pid {os.getpid()}"
    free = caught.value.finding.do.removeprefix(start).removesuffix(stop)
    assert (int(free) - listen.port) % 10 == 0
    assert int(free) > listen.port


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "not permitted"), (errno.EADDRNOTAVAIL, "does not have that address"), (errno.EMFILE, "Too many")],
)
def test_other_failures_have_words_and_a_next_step(number: int, words: str) -> None:
    """What the system says becomes what to do."""
    finding = refused(Listen("192.0.2.1", 80), OSError(number, os.strerror(number))).finding
    assert words in finding.what
    assert finding.do


def test_address_of_another_machine_is_refused() -> None:
    """The check itself finds it before a server does."""
    with pytest.raises(AccessError, match="does not have that address"), prepared(Listen("192.0.2.1", 18000)):
        pass


def test_port_taken_by_somebody_unseen_is_refused_all_the_same() -> None:
    """Without a process to name the message still says what to do."""
    finding = refused(Listen("127.0.0.1", 1), OSError(errno.EADDRINUSE, "in use")).finding
    assert "in use by another process" in finding.what


def test_unix_socket_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """A file that somebody may need is not removed."""
    path = tmp_path / "admin.sock"
    path.write_text("precious")
    with pytest.raises(AccessError, match="a file is in its place"), prepared(Listen(path=path)):
        pass
    assert path.read_text() == "precious"


def test_unix_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """The limit of the system is named."""
    path = tmp_path / ("x" * 120)
    with pytest.raises(AccessError, match="a socket's has at most 107"), prepared(Listen(path=path)):
        pass


def test_live_unix_socket_is_left_alone_and_a_stale_one_removed(tmp_path: Path) -> None:
    """Whoever listens is named; what nobody listens on is in nobody's way."""
    path = tmp_path / "admin.sock"
    with socket.create_server(str(path), family=socket.AF_UNIX):
        assert unix_holder(path) is not None
        with pytest.raises(AccessError, match="in use by pid"), prepared(Listen(path=path)):
            pass
    with prepared(Listen(path=path)):
        assert not path.exists()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (["/x/.venv/bin/python", "/x/.venv/bin/lbcontrol", "serve", "lbcontrol.d/"], "lbcontrol serve"),
        (["/usr/bin/python3.11", "-m", "lbcontrol", "serve"], "lbcontrol serve"),
        (["/usr/sbin/envoy"], "envoy"),
    ],
)
def test_holder_is_named_as_people_started_it(line: list[str], name: str, tmp_path: Path) -> None:
    """The interpreter and folders are left out."""
    (tmp_path / "cmdline").write_text("\0".join([*line, ""]))
    assert _command(tmp_path) == name
