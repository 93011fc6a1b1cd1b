"""Overrides in force, by service; those for endpoints or services that no source names are kept and wait."""

from __future__ import annotations

from collections.abc import Iterator

from lbcontrol.model.endpoints import Address
from lbcontrol.model.overrides import Override, OverrideKind

Key = tuple[str, Address, OverrideKind]


class OverrideBook:
    """All overrides; a newer one with the same key replaces the older."""

    def __init__(self) -> None:
        self._services: dict[str, dict[Key, Override]] = {}

    def put(self, override: Override) -> None:
        """Put an override in force."""
        self._services[override.service] = {**self._services.get(override.service, {}), override.key: override}

    def drop(self, key: Key) -> Override | None:
        """Take an override back and return it; None when there was none."""
        own = dict(self._services.get(key[0], {}))
        dropped = own.pop(key, None)
        if own:
            self._services[key[0]] = own
        else:
            self._services.pop(key[0], None)
        return dropped

    def of(self, service: str) -> tuple[Override, ...]:
        """Return a service's overrides in order of their keys."""
        own = self._services.get(service, {})
        return tuple(own[key] for key in sorted(own))

    def all(self) -> tuple[Override, ...]:
        """Return every override, by service."""
        return tuple(override for own in tuple(self._services.values()) for override in own.values())

    def expired(self, wall: float) -> list[Override]:
        """Return the overrides whose time is over, in order of their keys."""
        return sorted((each for each, at in self._expiring() if at <= wall), key=lambda each: each.key)

    def next_expiry(self) -> float | None:
        """Return when the next one expires, in Unix seconds."""
        return min((at for _, at in self._expiring()), default=None)

    def _expiring(self) -> Iterator[tuple[Override, float]]:
        return ((each, each.expires_at) for each in self.all() if each.expires_at is not None)
