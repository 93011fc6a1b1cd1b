"""Small damage to bytes: what a bit error, a careless client or an attacker does to a valid input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

EDGES = tuple(
    value.to_bytes(size)
    for size, values in (
        (1, (0, 1, 4, 5, 8, 9, 0x20, 0x25, 0x3F, 0x40, 0x7F, 0x80, 0xBE, 0xFF)),
        (2, (0, 0x3FFF, 0x4000, 0x4001, 0xFFFF)),
        (4, (0, 1, 0x3FFF, 0xFFFF, 0x10000, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF)),
    )
    for value in values
)
"""Values at which something changes: flags, sizes, windows, stream numbers, prefixes of integers."""


def _spot(rng: Random, data: bytearray) -> int:
    return int(rng.random() * (len(data) + 1))


def _flip(rng: Random, data: bytearray) -> None:
    if data:
        data[int(rng.random() * len(data))] ^= 1 << int(rng.random() * 8)


def _edge(rng: Random, data: bytearray) -> None:
    at = _spot(rng, data)
    edge = EDGES[int(rng.random() * len(EDGES))]
    data[at : at + len(edge)] = edge


def _insert(rng: Random, data: bytearray) -> None:
    at = _spot(rng, data)
    data[at:at] = rng.randbytes(1 + int(rng.random() * 9))


def _delete(rng: Random, data: bytearray) -> None:
    at = _spot(rng, data)
    del data[at : at + 1 + int(rng.random() ** 3 * 40)]


def _double(rng: Random, data: bytearray) -> None:
    at = _spot(rng, data)
    stop = at + 1 + int(rng.random() ** 2 * 60)
    data[at:at] = data[at:stop]


def _cut(rng: Random, data: bytearray) -> None:
    del data[_spot(rng, data) :]


_WAYS: Sequence[Callable[[Random, bytearray], None]] = (_flip, _flip, _edge, _edge, _insert, _delete, _double, _cut)


def damaged(rng: Random, data: bytes) -> bytes:
    """Return ``data`` with one to four small changes."""
    found = bytearray(data)
    for _ in range(1 + int(rng.random() ** 2 * 4)):
        _WAYS[int(rng.random() * len(_WAYS))](rng, found)
    return bytes(found)


def spliced(rng: Random, one: bytes, other: bytes) -> bytes:
    """Return the beginning of one input and the end of another."""
    return one[: int(rng.random() * (len(one) + 1))] + other[int(rng.random() * (len(other) + 1)) :]
