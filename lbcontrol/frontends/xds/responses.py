"""Responses: put together once from encoded resources, and shared by every stream that is sent the same.

A response is its body, with everything but the nonce, and a tail that is the nonce (field 5 stands last). Streams that
are sent the same resources share one payload, nonce included, as long as the nonce is new to each of them; a stream
that had it already gets the same body under the next nonce.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lbcontrol.frontends.native_check import unknown_finding
from lbcontrol.frontends.status import NOT_FOUND_NUMBER
from lbcontrol.frontends.xds import wire
from lbcontrol.frontends.xds.nonces import NONE, Nonces
from lbcontrol.frontends.xds.types import TYPE_URLS
from lbcontrol.model.rendering import Payload, Resource, ResourceType
from lbcontrol.runtime.ports import Clock

MOST_KEPT = 8_192
"""Responses kept for the next stream; the one longest unused goes first."""
MOST_BYTES = 32 * 1_048_576
"""Bodies kept, in bytes: what streams still have under way is not counted."""
KEPT_SECONDS = 10.0
"""A response that nobody was sent for so long is let go: most are replaced by the next change, and each keeps its
resources in memory, 1.3 MB of a list of 10,000. To put one together anew every ten seconds costs nothing."""
LOOK_SECONDS = 1.0
"""Between two looks for such, while nothing new is put together."""
_NONCE = 5  # Of DiscoveryResponse and DeltaDiscoveryResponse alike.

Resources = tuple[Resource, ...]
Names = tuple[str, ...]


class Content(NamedTuple):
    """What a response says; equal contents are one response."""

    type: ResourceType
    resources: Resources
    removed: Names = ()
    """Names that no longer exist; State of the World says it by leaving them out."""
    unknown: Names = ()
    """Names that nobody serves, to be explained in words."""


EncodeResponse = Callable[[Content], bytes]
"""Makes a response without its nonce."""


def version_of(resources: Sequence[Resource]) -> str:
    """Return ``version_info``: a digest of the sorted names and versions, equal for equal content on any replica."""
    pairs = sorted((resource.name, resource.version) for resource in resources)
    digest = hashlib.sha256()
    for pair in pairs:
        for part in pair:
            raw = part.encode()
            digest.update(len(raw).to_bytes(4, "big"))
            digest.update(raw)
    return digest.hexdigest()[:16]


def resource_errors(number: int, unknown: Names) -> bytes:
    """Return ``resource_errors`` (gRFC A88) in field ``number``: clients that read them fail at once with our words."""
    parts: list[bytes] = []
    for name in unknown:
        finding = unknown_finding(name)
        words = f"{finding.code}: {finding.what}; {finding.do}"
        status = wire.number_field(1, NOT_FOUND_NUMBER) + wire.text(2, words)
        parts.append(wire.field(number, wire.field(1, wire.text(1, name)) + wire.field(2, status)))
    return b"".join(parts)


def encode_sotw(content: Content) -> bytes:
    """Return a DiscoveryResponse without its nonce; what is removed is simply not in it."""
    url = TYPE_URLS[content.type]
    parts = [wire.text(1, version_of(content.resources))]
    any_head = wire.text(1, url)
    for resource in content.resources:
        before = any_head + wire.head(2, len(resource.body))
        parts += (wire.head(2, len(before) + len(resource.body)), before, resource.body)
    parts += (wire.text(4, url), resource_errors(7, content.unknown))
    return b"".join(parts)


def encode_delta(content: Content) -> bytes:
    """Return a DeltaDiscoveryResponse without its nonce."""
    url = TYPE_URLS[content.type]
    any_head = wire.text(1, url)
    parts: list[bytes] = []
    for resource in content.resources:
        before = any_head + wire.head(2, len(resource.body))
        version = wire.text(1, resource.version) + wire.head(2, len(before) + len(resource.body))
        name = wire.text(3, resource.name)
        size = len(version) + len(before) + len(resource.body) + len(name)
        parts += (wire.head(2, size), version, before, resource.body, name)
    parts.append(wire.text(4, url))
    parts += [wire.text(6, name) for name in content.removed]
    parts.append(resource_errors(9, content.unknown))
    return b"".join(parts)


class Response:
    """One response made once."""

    __slots__ = ("_body", "_payload", "nonce", "used_at")

    def __init__(self, body: bytes) -> None:
        """Keep the bytes; no nonce yet."""
        self._body = body
        self._payload: Payload | None = None
        self.nonce = NONE
        """Nonce of the payload handed out last."""
        self.used_at = 0.0
        """When a stream asked for it last, in monotonic seconds."""

    @property
    def size(self) -> int:
        """Length without the nonce, in bytes."""
        return len(self._body)

    def payload(self, after: int, nonces: Nonces) -> Payload:
        """Return the payload to send on a stream whose last nonce of the type is ``after``."""
        if self._payload is None or self.nonce <= after:
            self.nonce = nonces.draw()
            self._payload = Payload(self._body, wire.text(_NONCE, str(self.nonce)))
        return self._payload


class Responses:
    """Keeps what was put together lately: ``MOST_KEPT`` responses, ``MOST_BYTES`` of bodies, for ``KEPT_SECONDS``."""

    def __init__(self, nonces: Nonces, clock: Clock) -> None:
        """Begin empty."""
        self.nonces = nonces
        """Where the nonces of all responses come from."""
        self._clock = clock
        self._kept: dict[tuple[EncodeResponse, Content], Response] = {}
        self._bytes = 0
        self._looks_at = 0.0
        self.assembled = 0
        """Responses put together since the start; tests read it."""

    def payload(self, encode: EncodeResponse, content: Content, *, after: int) -> tuple[Payload, int]:
        """Return payload and nonce for a stream whose last nonce of the type is ``after``."""
        return self.next(self.response(encode, content), after=after)

    def next(self, response: Response, *, after: int) -> tuple[Payload, int]:
        """Return the payload of a response, and its nonce, for a stream whose last nonce of the type is ``after``."""
        payload = response.payload(after, self.nonces)
        return payload, response.nonce

    def response(self, encode: EncodeResponse, content: Content) -> Response:
        """Return the response with this content; it is put together where it is not kept."""
        key, now = (encode, content), self._clock.now()
        response = self._kept.pop(key, None)
        is_new = response is None
        if response is None:
            response = Response(encode(content))
            self.assembled += 1
            self._bytes += response.size
        response.used_at = now
        self._kept[key] = response  # Last in order: used just now.
        if is_new or now >= self._looks_at:
            self._looks_at = now + LOOK_SECONDS
            self._trim(now - KEPT_SECONDS)
        return response

    def _trim(self, since: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            is_old = self._kept[oldest].used_at < since
            if not (is_old or len(self._kept) > MOST_KEPT or self._bytes > MOST_BYTES):
                return
            self._bytes -= self._kept.pop(oldest).size
