"""The newest decision of every service, found by service name or alias."""

from __future__ import annotations

from collections.abc import Sequence

from lbcontrol.model.assignment import Decision
from lbcontrol.model.namespaces import qualified


class Catalog:
    """Decisions that are in force. Bounded by the number of services and their aliases."""

    def __init__(self) -> None:
        """Begin empty."""
        self._services: dict[str, Decision] = {}
        self._claims: dict[str, dict[str, None]] = {}
        """Alias to the services that have it, the first one first: the next owner may speak before the last lets go."""

    def put(self, decision: Decision) -> frozenset[str]:
        """Take a decision, or drop a removed service; return every name whose answer may differ."""
        service = decision.service
        old = self._services.pop(service, None)
        before = old.aliases if old is not None else ()
        kept = () if decision.removed else decision.aliases
        for alias in set(before).difference(kept):
            self._claims[alias].pop(service)
            if not self._claims[alias]:
                del self._claims[alias]
        if decision.removed:
            return frozenset((service, *before))
        self._services[service] = decision
        for alias in decision.aliases:
            self._claims.setdefault(alias, {})[service] = None
        return frozenset((service, *before, *decision.aliases))

    def service(self, name: str) -> Decision | None:
        """Return the decision of a service; aliases are not looked at."""
        return self._services.get(name)

    def decision(self, name: str) -> Decision | None:
        """Return the decision of a service or alias."""
        found = self._services.get(name)
        return found if found is not None else self._services.get(next(iter(self._claims.get(name, ())), ""))

    def meant(self, name: str, namespace: str) -> Decision | None:
        """Return the decision of what a client of a namespace means by a name (``model.namespaces``)."""
        found = self._services.get(name)
        if found is None and namespace:
            full = qualified(name, namespace)
            found = self.decision(full) if full else None
        return self.decision(name) if found is None else found

    def decisions(self) -> Sequence[Decision]:
        """Return every decision, in no order."""
        return tuple(self._services.values())

    def services(self) -> list[str]:
        """Return the services, sorted."""
        return sorted(self._services)

    def names(self) -> list[str]:
        """Return services and aliases, sorted."""
        return sorted({*self._services, *self._claims})
