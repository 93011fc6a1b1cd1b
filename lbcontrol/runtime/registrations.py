"""Self-registrations, as the front end that takes them and the source that holds them both see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from lbcontrol.model.clients import Peer
from lbcontrol.model.endpoints import Address, Endpoint


@dataclass(frozen=True, slots=True)
class Registration:
    """A self-registered endpoint under a lease."""

    service: str
    endpoint: Endpoint
    owner: Peer
    """Who registered it; only this identity renews or withdraws it."""
    ttl: float
    """Seconds until it ends unless renewed."""


class Registrar(Protocol):
    """Holds registrations and ends those whose lease ran out."""

    def find(self, service: str, address: Address) -> Registration | None:
        """Return a registration in force."""
        ...

    def held_by(self, host: str) -> int:
        """Return how many registrations the peer address ``host`` holds."""
        ...

    def register(self, registration: Registration) -> None:
        """Begin or renew a lease; the newer content replaces.

        Raises:
            LimitExceededError: a limit is reached; nothing changed.
        """
        ...

    def withdraw(self, service: str, address: Address) -> None:
        """End a registration at once."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceRegistrations:
    """All registrations of one service, as the state store keeps them."""

    service: str
    held: tuple[Registration, ...]


class Restorable(Protocol):
    """A holder of registrations that survive a restart of ours; their owners may need a whole lease to notice it."""

    def restore(self, registrations: Iterable[Registration]) -> None:
        """Begin these leases anew; what a limit does not allow any more is left out. Call before it runs."""
        ...

    def keep(self, note: Callable[[ServiceRegistrations], None]) -> None:
        """Call ``note`` with all registrations of a service whenever they changed; renewals are no change."""
        ...
