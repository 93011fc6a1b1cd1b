"""What front ends refuse, counted: the label ``reason`` of ``rejected_total`` by the code of a finding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lbcontrol.model.errors import LbControlError
from lbcontrol.runtime.metrics import Metrics

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "LB210": "full",
        "LB320": "malformed",
        "LB321": "name",
        "LB322": "names",
        "LB323": "profile",
        "LB324": "address",
        "LB325": "page_size",
        "LB326": "report",
        "LB327": "health",
        "LB328": "lease",
        "LB329": "weight",
        "LB330": "reason",
        "LB331": "expiry",
        "LB403": "registrations",
        "LB502": "forbidden",
        "LB503": "address_range",
        "LB504": "taken",
        "LB907": "full",
    }
)
"""Codes that are not here refuse nothing: what was asked for does not exist, or cannot be done now."""


class Refusals:
    """Counts what one layer refuses."""

    def __init__(self, metrics: Metrics, layer: str) -> None:
        """Count in ``metrics``; ``layer`` is a key of ``runtime.rejections.REASONS``."""
        self._rejected = metrics.rejected_total
        self._layer = layer

    def __call__(self, error: LbControlError) -> None:
        """Count an error, if it says that something was refused."""
        reason = REASONS.get(error.finding.code)
        if reason is not None:
            self._rejected.labels(self._layer, reason).inc()

    def requests(self) -> None:
        """Count a request that came too soon: the stream is not read for a while."""
        self._rejected.labels(self._layer, "requests").inc()
