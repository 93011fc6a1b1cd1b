"""What a request's fields ask of us. Clients of one kind send equal header blocks, whose fields are one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lbcontrol.http2.fields import Fields
from lbcontrol.http2.grpc import is_grpc, metadata_of, timeout_of
from lbcontrol.runtime.ports import Metadata, Method

_NONE: Metadata = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as its fields tell."""

    is_grpc: bool
    method: Method | None
    """What it calls; None for what nobody serves."""
    metadata: Metadata
    timeout: float | None = None
    """Seconds the client waits; None when it waits for ever."""
    fault: str = ""
    """What is wrong with metadata or timeout, empty for nothing."""


class Requests:
    """Reads requests, equal ones in a row once."""

    __slots__ = ("_fields", "_last", "_methods")

    def __init__(self, methods: Iterable[Method]) -> None:
        """Serve these methods."""
        self._methods: Mapping[str, Method] = {method.path: method for method in methods}
        self._fields: Fields = []
        self._last = Asked(is_grpc=False, method=None, metadata=_NONE)

    def __call__(self, fields: Fields) -> Asked:
        """Return what well-formed fields ask for."""
        if fields is not self._fields:
            self._last, self._fields = self._read(fields), fields
        return self._last

    def limit(self, fields: Fields) -> int:
        """Return how long a message of this request may be; what nobody serves takes none."""
        method = self(fields).method
        return method.max_message_bytes if method else 0

    def _read(self, fields: Fields) -> Asked:
        found = dict(fields)
        grpc = found[b":method"] == b"POST" and is_grpc(found.get(b"content-type", b""))
        method = self._methods.get(found[b":path"].decode("latin-1"))
        try:
            metadata, timeout = MappingProxyType(metadata_of(fields)), _timeout(found)
        except ValueError as error:
            return Asked(grpc, method, _NONE, fault=str(error))
        return Asked(grpc, method, metadata, timeout)


def _timeout(fields: Mapping[bytes, bytes]) -> float | None:
    text = fields.get(b"grpc-timeout")
    if text is None:
        return None
    seconds = timeout_of(text)
    if seconds is None:
        raise ValueError("grpc-timeout is not at most 8 digits and a unit")
    return seconds
