"""What a reporter may speak of: the endpoints its cohort was assigned, by address as text."""

from __future__ import annotations

from collections.abc import Mapping

from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.endpoints import Address

KEPT = 4_096
"""Lists kept, one for each service and cohort that somebody reports about; beyond that all are made anew."""


class Assigned:
    """Makes each list once for a decision, since every reporter of a cohort asks for the same one."""

    def __init__(self) -> None:
        """Begin empty."""
        self._kept: dict[tuple[str, str], tuple[Decision, Mapping[str, Address]]] = {}

    def addresses(self, decision: Decision, zone: str) -> Mapping[str, Address]:
        """Return the addresses, by their text, that a client of ``zone`` (``zone_cohort``) was assigned."""
        key = (decision.service, zone if zone in decision.assignments else EVERYONE)
        kept = self._kept.get(key)
        if kept is not None and kept[0] is decision:
            return kept[1]
        endpoints = decision.assignments[key[1]].endpoints
        addresses = {str(endpoint.address): endpoint.address for endpoint in endpoints}
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[key] = (decision, addresses)
        return addresses
