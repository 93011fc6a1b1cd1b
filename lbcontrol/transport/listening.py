"""Addresses to listen on: read, checked and made ready before a server binds them, so that a failure has words."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lbcontrol.model.errors import AccessError
from lbcontrol.model.findings import Finding
from lbcontrol.transport.holders import tcp_holder, unix_holder

if TYPE_CHECKING:
    from lbcontrol.transport.tls.credentials import Credentials

UNIX = "unix:"
MAX_PATH_BYTES = 107
"""Longest path of a Unix socket on Linux (``sun_path`` without its end mark)."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens: a Unix socket's path, or host and port."""

    host: str = ""
    """IP address without brackets; empty for a Unix socket."""
    port: int = 0
    """0 lets the system choose."""
    path: Path | None = None
    tls: Credentials | None = field(default=None, compare=False, repr=False)
    """What the listener proves itself with; None for plaintext."""

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read ``IP:PORT``, ``[IPv6]:PORT`` or ``unix:PATH``.

        Raises:
            ValueError: it is none of these; the message says what to write.
        """
        if text.startswith(UNIX):
            if not text.removeprefix(UNIX):
                raise ValueError(f'"{text}" names no file; write "unix:PATH"')
            return cls(path=Path(text.removeprefix(UNIX)))
        host, colon, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        right_family = (":" in bare) == (bare != host)
        if not (colon and right_family and _is_ip(bare) and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f'"{text}" is no place to listen; write "IP:PORT", "[IPv6]:PORT" or "unix:PATH"')
        return cls(bare, int(port))

    @property
    def family(self) -> socket.AddressFamily:
        """Address family of the socket."""
        if self.path is not None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def __str__(self) -> str:
        if self.path is not None:
            return f"{UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def bound(listen: Listen, *, backlog: int | None = None) -> socket.socket:
    """Return a listening TCP socket; ``::`` takes IPv4 as well, and is 0.0.0.0 where the kernel has no IPv6.

    Raises OSError.
    """
    every = listen.host == "::"
    both = every and socket.has_dualstack_ipv6()
    host, family = ("0.0.0.0", socket.AF_INET) if every and not both else (listen.host, listen.family)  # noqa: S104  what was asked for
    return socket.create_server((host, listen.port), family=family, backlog=backlog, dualstack_ipv6=both)


def _is_ip(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, text)
            return True
    return False


def cannot_listen(listen: Listen, why: str, *, do: str) -> AccessError:
    """Return the error of an address that cannot be bound (LB501)."""
    return AccessError(Finding("LB501", f"cannot listen on {listen}: {why}", do=do))


FLAG = "--grpc, --admin or --probe"
"""Flags that choose an address, where it is not known which one is meant."""


def _another(listen: Listen) -> str:
    """Return where else the listener could be: the next port but nine that is free, on the same host."""
    for port in range(listen.port + 10, min(listen.port + 110, 65_536), 10) if listen.path is None else ():
        place = dataclasses.replace(listen, port=port)
        with contextlib.suppress(OSError), bound(place):
            return str(place)
    return ""


def taken(listen: Listen) -> AccessError:
    """Return the error of an address that another process has, naming the process where it can be seen."""
    holder = unix_holder(listen.path) if listen.path is not None else tcp_holder(listen.host, listen.port)
    why = f"in use by pid {holder}" if holder else "in use by another process"
    stop = f"stop pid {holder.pid}" if holder else "stop the other process"
    return cannot_listen(listen, why, do=f"lbcontrol serve {FLAG} {_another(listen) or 'ADDRESS'}, or {stop}")


def refused(listen: Listen, error: OSError) -> AccessError:
    """Return our words for what the system said."""
    if error.errno == errno.EADDRINUSE:
        return taken(listen)
    if error.errno == errno.EACCES:
        return cannot_listen(listen, "not permitted", do="choose a port above 1023, or a directory you may write")
    if error.errno == errno.EADDRNOTAVAIL:
        return cannot_listen(listen, "this machine does not have that address", do="use 127.0.0.1 or 0.0.0.0")
    return cannot_listen(listen, error.strerror or str(error), do="choose another address")


@contextlib.contextmanager
def prepared(listen: Listen) -> Iterator[None]:
    """Check that ``listen`` can be bound, and let the block bind it.

    Of a Unix socket the directory is made (mode 0700) and a socket that nobody listens on is removed; what the block
    binds gets mode 0600 at once, because the umask says so meanwhile.

    Raises:
        AccessError: it cannot be bound (LB501).
    """
    try:
        if listen.path is None:
            with bound(listen):
                pass
            yield
            return
        _make_room(listen, listen.path)
        before = os.umask(0o177)
        try:
            yield
        finally:
            os.umask(before)
    except OSError as error:
        raise refused(listen, error) from error


def _make_room(listen: Listen, path: Path) -> None:
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        why = f"the path has {len(os.fsencode(path))} bytes, a socket's has at most {MAX_PATH_BYTES}"
        raise cannot_listen(listen, why, do="choose a shorter directory")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise cannot_listen(listen, "a file is in its place", do=f"move {path} away")
    if unix_holder(path) is not None:
        raise taken(listen)
    path.unlink()
