"""Names: which service a client gets for a name.

A service's own name is its own. An alias that several services claim goes to the first: the one whose source was added
earliest, then the smaller service name. That depends on configuration alone, not on the order of events, so every
replica and every restart gives the same answer. The others learn of it by a finding.
"""

from __future__ import annotations

from bisect import insort
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

    def place(self, service: str, aliases: Mapping[str, int] | None) -> set[str]:
        """Replace what is known of a service's names.

        Args:
            service: Its own name.
            aliases: Alias to the rank of the source that claims it, 0 first; None when the service does not exist.

        Returns:
            Services whose aliases or findings may differ now.
        """
        touched: set[str] = set()
        if (aliases is None) == (service in self._defined):
            touched.update(claimant for _, claimant in self._claims.get(service, ()))
            (self._defined.discard if aliases is None else self._defined.add)(service)
        before, after = self._aliases.pop(service, {}), aliases or {}
        if after:
            self._aliases[service] = after
        for alias in sorted(before.keys() | after.keys()):
            if before.get(alias) != after.get(alias):
                touched |= self._move(service, alias, before=before.get(alias), after=after.get(alias))
        return touched

    def aliases(self, service: str) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
        """Return the aliases a service has, and a finding for each that another has."""
        names = sorted(self._aliases.get(service, ()))
        owners = {name: self._owner(name) for name in names if name != service}
        won = tuple(name for name, owner in owners.items() if owner == service)
        lost = tuple(_taken(service, name, owner) for name, owner in owners.items() if owner != service)
        return won, lost

    def _owner(self, name: str) -> str:
        return name if name in self._defined else self._claims[name][0][1]

    def _move(self, service: str, alias: str, *, before: int | None, after: int | None) -> set[str]:
        claims = self._claims.setdefault(alias, [])
        first = claims[:1]
        if before is not None:
            claims.remove((before, service))
        if after is not None:
            insort(claims, (after, service))
        if not claims:
            del self._claims[alias]
        if claims[:1] == first:
            return {service}
        return {service, *(claimant for _, claimant in claims)}


def _taken(service: str, alias: str, owner: str) -> Finding:
    return Finding(
        "LB411",
        f'"{service}" does not get the alias "{alias}"',
        at=f'service "{service}"',
        why="a service of that name exists" if owner == alias else f'service "{owner}" has it and comes first',
        effect=f'clients that ask for "{alias}" get "{owner}"',
        do="remove the alias from one of the two",
    )
