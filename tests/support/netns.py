"""A network of a test's own, in which all of 10.244.0.0/16 is local: ``python3 netns.py COMMAND...``.

The API server refuses loopback addresses in an EndpointSlice. In here backends listen at the addresses of pods, which
are dialled as anywhere; nothing leaves the namespace, and parallel runs may use the same ports. Root may make one, and
others where the kernel allows user namespaces. Standard library only, as no interpreter but the system's may be there.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

MISSING = 3
"""Exit code for "this machine cannot"."""
NETWORK, MASK = "10.244.0.0", "255.255.0.0"
_NEW_USER, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # unshare(2)
_PR_SET_PDEATHSIG = 1
_SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x8914, 0x8916, 0x891C  # netdevice(7)
_UP_RUNNING_LOOPBACK = 0x49
_LIBC = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Move this process, of one thread, into a new namespace; OSError where that is not allowed."""
    user, group = os.geteuid(), os.getegid()
    if user == 0 and _unshared(_NEW_NETWORK) is None:
        _address_loopback()
        return
    if (error := _unshared(_NEW_USER | _NEW_NETWORK)) is not None:
        raise error
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    _address_loopback()


def _unshared(flags: int) -> OSError | None:
    """Leave what we share with our parent; returns why not."""
    if _LIBC.unshare(flags) == 0:
        return None
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _address_loopback() -> None:
    """Bring the loopback interface up and give it the network; on it the whole prefix is local."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        _configure(sock, _SET_FLAGS, b"lo", struct.pack("H", _UP_RUNNING_LOOPBACK))
        for command, text in ((_SET_ADDRESS, NETWORK), (_SET_MASK, MASK)):
            _configure(sock, command, b"lo:1", struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text)))


def _configure(sock: socket.socket, command: int, interface: bytes, value: bytes) -> None:
    fcntl.ioctl(sock, command, struct.pack("16s24s", interface, value))


def main(command: Sequence[str]) -> None:
    """Become ``command`` in a network of its own; ends with ``MISSING`` where that is not allowed."""
    try:
        enter()
    except OSError as error:
        print(f"NOT RUN: a network namespace (not allowed on this machine: {error.strerror})", file=sys.stderr)
        sys.exit(MISSING)
    with contextlib.suppress(AttributeError):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # new rights have cleared it
    os.execvp(command[0], list(command))  # noqa: S606  a command of our own tests


if __name__ == "__main__":
    main(sys.argv[1:])
