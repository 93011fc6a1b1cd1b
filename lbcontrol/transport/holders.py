"""Which process listens on an address: read from /proc, for the words of an error (Linux)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TCP_LISTEN = "0A"
_MAPPED = "0000000000000000FFFF0000"
"""What stands before an IPv4 address that an IPv6 socket listens on, as grpc's do."""
_UNIX_LISTEN = 0x10000
"""Flag of a listening socket in /proc/net/unix (``__SO_ACCEPTCON``)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a socket; pid 0 when it is another user's and cannot be seen."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.pid} ({self.command})" if self.command else str(self.pid)


def _rows(name: str) -> Iterator[list[str]]:
    """Yield the fields of each line of a table in /proc/net; nothing where it does not exist."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
            yield line.split()


def _hex_address(host: str) -> str:
    """Return an IP as /proc/net/tcp writes it: 32-bit words in the machine's order."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    return "".join(f"{int.from_bytes(packed[at : at + 4], 'little'):08X}" for at in range(0, len(packed), 4))


def tcp_holder(host: str, port: int) -> Holder | None:
    """Return who listens on ``port`` of ``host`` or of all addresses; None when that cannot be seen."""
    addresses = (_hex_address(host), _MAPPED + _hex_address(host), "0" * 8, "0" * 32)
    wanted = {f"{address}:{port:04X}" for address in addresses}
    for table in ("tcp", "tcp6"):
        for row in _rows(table):
            if row[1] in wanted and row[3] == _TCP_LISTEN:
                holder = _owner(row[9])
                return holder if holder.pid else None
    return None


def unix_holder(path: Path) -> Holder | None:
    """Return who listens on the Unix socket at ``path``; None when nobody does."""
    for row in _rows("unix"):
        if len(row) == 8 and int(row[3], 16) & _UNIX_LISTEN and row[7] == str(path):
            return _owner(row[6])
    return None


def _owner(inode: str) -> Holder:
    """Return the process that has a socket open."""
    link = f"socket:[{inode}]"
    for process in _PROC.iterdir():
        if process.name.isdigit() and link in _open_files(process):
            return Holder(int(process.name), _command(process))
    return Holder(0, "another user's process")


def _open_files(process: Path) -> list[str]:
    links = []
    with contextlib.suppress(OSError):  # Another user's, or gone meanwhile.
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(os.readlink(descriptor))  # noqa: PTH115  the target is no path
    return links


def _command(process: Path) -> str:
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        names = [Path(word).name for word in words[:4] if word]
        return " ".join([name for name in names if not name.startswith("python") and name != "-m"][:2])[:80]
    return ""
