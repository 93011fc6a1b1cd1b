"""Limits of what one ADS stream may ask, and how each breach is told (RELIABILITY: input limits)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lbcontrol.frontends.xds.requests import Request
from lbcontrol.model.errors import InvalidRequestError, LbControlError
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import MAX_NAME_BYTES

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "LB320": "malformed",
        "LB332": "type_missing",
        "LB333": "names",
        "LB334": "name_length",
        "LB335": "types",
        "LB336": "node_id",
        "LB337": "node_metadata",
    }
)
"""Label ``reason`` of ``rejected_total`` by the code of the finding."""


@dataclass(frozen=True, slots=True)
class XdsLimits:
    """Input limits of xDS (config keys in camelCase under ``limits``)."""

    message_bytes: int = 1_048_576
    names_per_type: int = 10_000
    name_bytes: int = MAX_NAME_BYTES
    types_per_stream: int = 16
    node_id_bytes: int = 256
    node_metadata_bytes: int = 65_536
    requests_burst: int = 200
    requests_per_second: float = 50.0
    nacks_per_minute: int = 10
    """Of one resource on one stream; further ones still park it there, but are not told to the publisher."""


def reason_of(error: LbControlError) -> str:
    """Return the metric label of a refusal."""
    return REASONS[error.finding.code]


def check_request(request: Request, limits: XdsLimits) -> None:
    """Refuse a request without a type, or with a name that is too long.

    Raises:
        InvalidRequestError: LB332, LB333 or LB334; the stream ends with it.
    """
    if not request.type_url:
        why = "an ADS stream carries many types, so that each request must say which one it means"
        raise InvalidRequestError(Finding("LB332", "a request has no type_url", at="type_url", why=why))
    check_count(max(len(request.names), len(request.dropped), len(request.initial)), request.type_url, limits=limits)
    _check_lengths((request.type_url, *request.names, *request.dropped, *request.initial), limits)


def _check_lengths(names: Iterable[str], limits: XdsLimits) -> None:
    most = limits.name_bytes
    for name in names:
        if len(name) > most or (not name.isascii() and len(name.encode()) > most):
            what = f'a name has {len(name.encode())} bytes: "{name[:32]}…"'
            why = f"the limit is {most} bytes (limits.nameBytes)"
            raise InvalidRequestError(Finding("LB334", what, at="resource_names", why=why))


def check_count(count: int, type_url: str, *, limits: XdsLimits) -> None:
    """Refuse too many names of one type.

    Raises:
        InvalidRequestError: LB333; the stream ends with it.
    """
    if count > limits.names_per_type:
        what = f"{count} names of {type_url.rpartition('.')[2]} on one stream"
        why = f"the limit is {limits.names_per_type} (limits.namesPerType)"
        do = "open a second stream for the rest"
        raise InvalidRequestError(Finding("LB333", what, at="resource_names", why=why, do=do))


def check_types(count: int, limits: XdsLimits) -> None:
    """Refuse too many types on one stream; unknown ones count, or they would be free.

    Raises:
        InvalidRequestError: LB335; the stream ends with it.
    """
    if count > limits.types_per_stream:
        what = f"{count} types on one stream"
        why = f"the limit is {limits.types_per_stream} (limits.typesPerStream)"
        raise InvalidRequestError(Finding("LB335", what, at="type_url", why=why))


def check_node(node: Any, limits: XdsLimits) -> None:
    """Refuse a node (envoy.config.core.v3.Node) that is too large.

    Raises:
        InvalidRequestError: LB336 or LB337; the stream ends with it.
    """
    size = len(node.id.encode())
    if size > limits.node_id_bytes:
        why = f"the limit is {limits.node_id_bytes} (limits.nodeIdBytes)"
        raise InvalidRequestError(Finding("LB336", f"node.id has {size} bytes", at="node.id", why=why))
    size = node.metadata.ByteSize()
    if size > limits.node_metadata_bytes:
        why = f"the limit is {limits.node_metadata_bytes} (limits.nodeMetadataBytes)"
        raise InvalidRequestError(Finding("LB337", f"node.metadata has {size} bytes", at="node.metadata", why=why))


class Bucket:
    """Requests one stream may make: ``burst`` at once, then ``rate`` a second."""

    __slots__ = ("_full_at",)

    def __init__(self, now: float) -> None:
        """Begin full."""
        self._full_at = now
        """When nothing will be missing any more: what is missing now takes that long to come back."""

    def take(self, limits: XdsLimits, now: float) -> float:
        """Count a request; return the seconds until the next one is allowed, 0 for at once."""
        rate = limits.requests_per_second
        full_at = self._full_at
        self._full_at = full_at = max(full_at, now) + 1.0 / rate
        wait = full_at - now - (limits.requests_burst - 1) / rate
        return wait if wait > 1e-9 else 0.0
