"""Names: which service a client gets for a name.

A service's own name is its own. An alias that several services claim goes to the first: the one whose source was added
earliest, then the smaller service name. That depends on configuration alone, not on the order of events, so every
replica and every restart gives the same answer. The others learn of it by a finding.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from lbcontrol.model.findings import Finding


class NameBook:
    """All names and who claims them."""

    def __init__(self) -> None:
        self._defined: set[str] = set()
        self._aliases: dict[str, Mapping[str, int]] = {}
        self._claims: dict[str, list[tuple[int, str]]] = {}
        """Alias to (rank of the source, service), the winner first."""

    def __contains__(self, name: str) -> bool:
        return name in self._defined or name in self._claims

    def place(self, changes: Mapping[str, Mapping[str, int] | None]) -> set[str]:
        """Replace what is known of the names of some services.

        Args:
            changes: Service to its aliases, each with the rank of the source that claims it, 0 first; None for a
                service that does not exist.

        Returns:
            Services whose aliases or findings may differ now. A name that changes hands concerns all who claim it.
        """
        before: dict[str, str | None] = {}
        for service, aliases in changes.items():
            old, new = self._aliases.get(service, {}), aliases or {}
            moved = [alias for alias in old.keys() | new.keys() if old.get(alias) != new.get(alias)]
            for name in (service, *moved):
                before.setdefault(name, self._owner(name))
            (self._defined.discard if aliases is None else self._defined.add)(service)
            for alias in moved:
                self._move(service, alias, before=old.get(alias), after=new.get(alias))
            self._aliases[service] = new
            if not new:
                del self._aliases[service]
        touched = set(changes)
        for name, owner in before.items():
            if self._owner(name) != owner:
                touched.update(claimant for _, claimant in self._claims.get(name, ()))
        return touched

    def aliases(self, service: str) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
        """Return the aliases a service has, and a finding for each that another has."""
        names = sorted(self._aliases.get(service, ()))
        owners = [(name, self._owner(name)) for name in names if name != service]
        won = tuple(name for name, owner in owners if owner == service)
        lost = tuple(_taken(service, name, owner=owner) for name, owner in owners if owner and owner != service)
        return won, lost

    def _owner(self, name: str) -> str | None:
        if name in self._defined:
            return name
        claims = self._claims.get(name)
        return claims[0][1] if claims else None

    def _move(self, service: str, alias: str, *, before: int | None, after: int | None) -> None:
        claims = self._claims.setdefault(alias, [])
        if before is not None:
            del claims[bisect_left(claims, (before, service))]
        if after is not None:
            insort(claims, (after, service))
        if not claims:
            del self._claims[alias]


def _taken(service: str, alias: str, *, owner: str) -> Finding:
    return Finding(
        "LB411",
        f'"{service}" does not get the alias "{alias}"',
        at=f'service "{service}"',
        why="a service of that name exists" if owner == alias else f'service "{owner}" has it and comes first',
        effect=f'clients that ask for "{alias}" get "{owner}"',
        do="remove the alias from one of the two",
    )
