"""A connection whose peer vanishes: what arrives on a socket is dropped, and nobody hears of it (socket(7), bpf(2))."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import socket
import struct
import termios

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER, asm-generic/socket.h
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K with 0: nothing of the packet is let in


def drop_what_comes(transport: asyncio.BaseTransport) -> None:
    """Let no packet in any more: neither data nor an acknowledgement, nor the probe that asks whether one is there."""
    program = ctypes.create_string_buffer(_DROP, len(_DROP))
    sock: socket.socket = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))


def unacknowledged(transport: asyncio.BaseTransport) -> int:
    """Return how many bytes that were sent the peer has not confirmed (tcp(7), SIOCOUTQ)."""
    answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])
