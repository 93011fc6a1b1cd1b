"""First requests, with which clients say who they are. Clients of one kind say the same, but for their ids.

What such a request says besides ``node.id`` is therefore read once. A storm of clients that come back costs a look at
each one's id, and not a node taken apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from lbcontrol.frontends.xds.requests import Request
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.text import printable

KEPT = 1_024
"""Requests kept for the next client that says the same; the oldest goes first."""
KEPT_BYTES = 1_024
"""Longest request worth keeping."""
_LENGTH_DELIMITED = 2
_ID = 1 << 3 | _LENGTH_DELIMITED
"""What stands before ``Node.id``: its tag."""

Introduction = tuple[Request, ClientProfile]
"""What is asked for, without the node, and who asks."""
Rest = tuple[int, bytes]
"""A request without ``node.id``: length of what is left of the node, and what follows the id."""


class Introductions:
    """Reads the first requests of one variant. Bound: ``KEPT`` requests of ``KEPT_BYTES``."""

    def __init__(
        self,
        read: Callable[[bytes], Request],
        profile_of: Callable[[Any], ClientProfile],
        *,
        kind: type[Message],
        id_bytes: int,
    ) -> None:
        """Begin with nothing kept.

        Args:
            read: Reads and checks a request.
            profile_of: Reads and checks its node.
            kind: What the requests are.
            id_bytes: Longest id of a node that ``profile_of`` takes.
        """
        self._read = read
        self._profile_of = profile_of
        self._kind = kind
        self._tag = kind.DESCRIPTOR.fields_by_name["node"].number << 3 | _LENGTH_DELIMITED
        self._id_bytes = id_bytes
        self._kept: dict[Rest, Introduction] = {}

    def __call__(self, raw: bytes) -> Introduction:
        """Return what ``raw`` asks for, and who asks.

        Raises:
            InvalidRequestError: it is no request (LB320), or beyond a limit.
        """
        parts = split(raw, self._tag)
        if parts is None or len(parts[0]) > self._id_bytes:
            return self._whole(raw)
        said, rest = parts
        kept = self._kept.get(rest)
        if kept is None:
            return self._keep(self._whole(raw), rest)
        try:
            name = said.decode()
        except UnicodeDecodeError:
            return self._whole(raw)  # Which says what is wrong with it.
        request, like = kept
        return request, _named(like, printable(name))

    def _whole(self, raw: bytes) -> Introduction:
        request = self._read(raw)
        profile = self._profile_of(request.node)
        return (request if request.node is None else replace(request, node=None)), profile

    def _keep(self, found: Introduction, rest: Rest) -> Introduction:
        size, after = rest
        bare = bytes((self._tag, size & 0x7F | 0x80, size >> 7)) + after
        # Protobuf lets a field come twice, and the last one counts: an id may still be in there.
        if len(after) <= KEPT_BYTES and not self._kind.FromString(bare).node.id:  # type: ignore[attr-defined]
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[rest] = found
        return found


def _named(like: ClientProfile, name: str) -> ClientProfile:
    """Return a profile with another id."""
    return ClientProfile(
        name, like.kind, like.version, like.locality, like.features, like.metadata, namespace=like.namespace
    )


def split(raw: bytes, tag: int) -> tuple[bytes, Rest] | None:
    """Return ``node.id`` and the rest, where the node stands first and begins with an id of at most 127 bytes.

    Args:
        raw: A request as it was sent; it may be anything.
        tag: What stands before its node.
    """
    if len(raw) < 6 or raw[0] != tag:
        return None
    size, at = raw[1], 2
    if size > 0x7F:
        if raw[2] > 0x7F:
            return None
        size, at = size & 0x7F | raw[2] << 7, 3
    length = raw[at + 1]
    begin = at + 2
    end = begin + length
    if raw[at] != _ID or length > 0x7F or end > at + size:
        return None
    return raw[begin:end], (at + size - end, raw[end:])
