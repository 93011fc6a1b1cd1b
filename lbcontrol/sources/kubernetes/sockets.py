"""The official client's connections, asked whether the other side is still there (RFC 9293 section 3.8.4).

A watch only listens. Where a path drops packets, as after the failover of a load balancer, neither an end nor a reset
comes, while new connections, and with them the question for a sign of life, work: only the kernel can tell.
"""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.rest import RESTClientObject

IDLE, INTERVAL, PROBES = 5, 3, 3
"""Seconds of silence before the first probe, seconds between two, and how many may stay unanswered."""
LOST_SECONDS = IDLE + INTERVAL * PROBES
"""Silence after which a connection is given up."""


def api_client(settings: client.Configuration) -> client.ApiClient:
    """Return the official client with such connections; connects nothing yet."""
    made = client.ApiClient(settings)
    made.rest_client = _Rest(settings)
    return made


class _Rest(RESTClientObject):  # type: ignore[misc]  # the client has no types
    """What the client offers for this: it makes its connector here."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, socket_factory=_socket)


def _socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = info[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, IDLE), (socket.TCP_KEEPINTVL, INTERVAL), (socket.TCP_KEEPCNT, PROBES)):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made
