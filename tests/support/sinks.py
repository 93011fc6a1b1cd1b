"""A sink that remembers what a source said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lbcontrol.model.errors import LbControlError
from lbcontrol.model.services import ServiceSnapshot


class RecordingSink:
    """Keeps the picture, and every call in order."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.calls: list[str] = []
        self.picture: dict[str, ServiceSnapshot] = {}
        self.completeness: bool | None = None
        """None until the source has synced, then whether completely."""
        self.stale_since: LbControlError | None = None
        self.has_synced = asyncio.Event()

    def update(self, changed: Iterable[ServiceSnapshot], removed: Iterable[str] = ()) -> None:
        """Apply a change of the picture."""
        here, gone = list(changed), list(removed)
        self.calls.append(
            "update " + ",".join([*(f"+{each.service}" for each in here), *(f"-{name}" for name in gone)])
        )
        self.picture.update({each.service: each for each in here})
        for name in gone:
            del self.picture[name]

    def synced(self, *, complete: bool = True) -> None:
        """Note that the picture is full."""
        self.calls.append(f"synced {complete}")
        self.completeness = complete
        self.has_synced.set()

    def alive(self) -> None:
        """Note a sign of life."""
        self.stale_since = None

    def stale(self, error: LbControlError) -> None:
        """Note the loss of the registry."""
        self.calls.append(f"stale {error.finding.code}")
        self.stale_since = error

    def weights(self, service: str) -> dict[str, int]:
        """Return the weights of a service by address."""
        return {str(each.address): each.weight for each in self.picture[service].endpoints}
