"""Requests of both variants, read into one value; identical ones are read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from lbcontrol.frontends.status import parsed
from lbcontrol.frontends.xds.nonces import NONE, parse_nonce
from lbcontrol.runtime.views import ALL

KEPT = 1_024
"""Requests kept for the next client that sends the same bytes; the oldest goes first."""
KEPT_BYTES = 512
"""Longest request worth keeping; longer ones name many resources and are rarely shared."""
REASON_BYTES = 1_024
"""What is kept of a client's reason for a NACK."""
_CONTROL = dict.fromkeys((*range(0x20), 0x7F), " ")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whichever variant carried it."""

    type_url: str
    nonce: int = NONE
    rejection: str | None = None
    """Reason of a NACK, at most 1 KB, in one line; None for anything else."""
    node: Any = None
    """envoy.config.core.v3.Node, or None when the request has none."""
    version: str = ""
    """State of the World: the version the client holds."""
    names: frozenset[str] = frozenset()
    """State of the World: the whole set; Delta: names subscribed to."""
    dropped: frozenset[str] = frozenset()
    """Delta: names unsubscribed from."""
    initial: Mapping[str, str] = field(default_factory=dict)
    """Delta: version by name of what the client holds from an earlier stream."""

    @property
    def brings_state(self) -> bool:
        """True when the client holds something already, so that this is a reconnect."""
        return bool(self.version or self.initial)

    @property
    def only_names(self) -> bool:
        """True when it asks for names, without a wildcard, and says nothing else."""
        if not self.names or ALL in self.names or self.nonce != NONE:
            return False
        return self.rejection is None and not (self.version or self.dropped or self.initial)


def _reason(error: Any) -> str:
    cut: str = error.message[:REASON_BYTES].encode()[:REASON_BYTES].decode(errors="ignore")
    return cut.translate(_CONTROL) or f"no reason given, code {error.code}"


def _common(message: Any) -> dict[str, Any]:
    return {
        "type_url": message.type_url,
        "nonce": parse_nonce(message.response_nonce),
        "rejection": _reason(message.error_detail) if message.HasField("error_detail") else None,
        "node": message.node if message.HasField("node") else None,
    }


def read_sotw(raw: bytes) -> Request:
    """Read a DiscoveryRequest.

    Raises:
        InvalidRequestError: the bytes are none (LB320).
    """
    message = parsed(discovery_pb2.DiscoveryRequest, raw)
    return Request(version=message.version_info, names=frozenset(message.resource_names), **_common(message))


def read_delta(raw: bytes) -> Request:
    """Read a DeltaDiscoveryRequest.

    Raises:
        InvalidRequestError: the bytes are none (LB320).
    """
    message = parsed(discovery_pb2.DeltaDiscoveryRequest, raw)
    return Request(
        names=frozenset(message.resource_names_subscribe),
        dropped=frozenset(message.resource_names_unsubscribe),
        initial=dict(message.initial_resource_versions),
        **_common(message),
    )


class Reader:
    """Reads the requests of one variant.

    All streams that were sent the same publication acknowledge it with the same bytes, and clients that want the same
    ask for it with the same: such a request is read once, and the streams share the value, its names included. Bound:
    ``KEPT`` requests of ``KEPT_BYTES``.
    """

    def __init__(self, read: Callable[[bytes], Request], check: Callable[[Request], None]) -> None:
        """Begin with nothing kept; ``check`` refuses what is beyond a limit, and so is asked once for equal bytes."""
        self._read = read
        self._check = check
        self._kept: dict[bytes, Request] = {}

    def __call__(self, raw: bytes) -> Request:
        """Return what ``raw`` says.

        Raises:
            InvalidRequestError: it is no request (LB320), or beyond a limit.
        """
        request = self._kept.get(raw)
        if request is None:
            request = self._read(raw)
            self._check(request)
            if request.nonce >= NONE and request.node is None and len(raw) <= KEPT_BYTES:
                self._keep(raw, request)
        return request

    def _keep(self, raw: bytes, request: Request) -> None:
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[raw] = request
