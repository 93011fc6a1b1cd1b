"""LRS on the clients' listener."""

from __future__ import annotations

from collections.abc import Sequence

from envoy.service.load_stats.v3 import lrs_pb2

from lbcontrol.frontends.lrs.assigned import Assigned
from lbcontrol.frontends.lrs.stream import LoadStatsStream, LrsParts
from lbcontrol.runtime.ports import Method, StreamHandler

SERVICE = f"/{lrs_pb2.DESCRIPTOR.services_by_name['LoadReportingService'].full_name}/"
"""Prefix of the path served here; taken from its descriptor, which reflection finds once it is imported."""


class LrsFrontEnd:
    """The load reporting service."""

    name = "lrs"

    def __init__(self, parts: LrsParts) -> None:
        """Build on ``parts``; nothing runs until a transport calls the method."""
        self._parts = parts
        self._assigned = Assigned()

    def methods(self) -> Sequence[Method]:
        """Return StreamLoadStats."""
        most = self._parts.limits.message_bytes
        return [Method(SERVICE + "StreamLoadStats", stream=self._reporting, max_message_bytes=most)]

    def _reporting(self) -> StreamHandler:
        return LoadStatsStream(self._parts, self._assigned)
