"""What operators said: drains and weights that outrank every source."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbcontrol.model.endpoints import Address


class OverrideKind(enum.StrEnum):
    """What an operator can override."""

    DRAIN = "drain"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class Override:
    """One operator decision about one endpoint of one service; (service, address, kind) is its key."""

    service: str
    address: Address
    kind: OverrideKind
    weight: int | None = None
    """For WEIGHT: replaces the source's weight; at least 1."""
    reason: str = ""
    by: str = ""
    """Who, as authenticated, else as claimed."""
    created_at: float = 0.0
    """Unix seconds."""
    expires_at: float | None = None
    """Unix seconds, None means until taken back."""

    @property
    def key(self) -> tuple[str, Address, OverrideKind]:
        """Identity of the override: a newer one with the same key replaces it."""
        return (self.service, self.address, self.kind)
