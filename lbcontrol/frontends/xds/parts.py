"""Which of the names that may be new go into the next response: for types and variants that send parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from lbcontrol.frontends.xds.entries import GONE, Parked
from lbcontrol.frontends.xds.scope import Published, Scope
from lbcontrol.frontends.xds.subscription import Draft, Hold, Subscription
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.views import Absence

MOST_BYTES = 1_048_576
"""A response that holds more is sent, and the rest follows in the next one: no client has to take 40 MB at once."""


def all_published(names: Collection[str], scope: Scope, *, type_: ResourceType) -> list[Published] | None:
    """Return what there is of every name, sorted; None when one is absent, or all are too much for one response."""
    found, size = [], 0
    for name in sorted(names) if len(names) > 1 else names:
        published = scope.published(type_, name)
        if published is None:
            return None
        size += len(published[0].body)
        found.append(published)
    return found if size < MOST_BYTES else None


@dataclass(slots=True)
class Sifted:
    """Names looked at, sorted by what is to be done."""

    resources: list[Resource] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    """Names that need no further look."""
    silent: bool = False
    """A name is waiting or parked: nothing can be said of it, not even that there is nothing."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Sieve:
    """How names are looked at."""

    sub: Subscription
    scope: Scope
    tells_removals: bool
    """Delta says what is gone; State of the World leaves it out."""
    hold: Hold
    """Says which removals are kept back until routes no longer lead there."""

    def sift(self, names: Iterable[str]) -> Sifted:
        """Look at subscribed names, until the response is large enough."""
        sifted = Sifted()
        for name in names:
            self._one(name, sifted)
            if sifted.size >= MOST_BYTES:
                break
        return sifted

    def draft(self, sifted: Sifted) -> Draft | None:
        """Return the response, or None (and note what is settled) when there is nothing to say."""
        sub = self.sub
        if not (sifted.resources or sifted.removed or (sub.due and not sifted.silent)):
            sub.settle(sifted.settled)
            sub.due = sub.due and sifted.silent
            return None
        unknown = tuple(sifted.unknown) if sub.type is ResourceType.LISTENER else ()
        return Draft(tuple(sifted.resources), tuple(sifted.removed), unknown, sifted.settled)

    def _one(self, name: str, sifted: Sifted) -> None:
        found = self.sub.newest(name, self.scope, hold=self.hold)
        if isinstance(found, Resource):
            self._resource(found, sifted)
        elif found is Absence.UNKNOWN:
            self.absent(name, sifted)
        else:
            sifted.silent = True
            if found is Parked.PARKED:
                sifted.settled.append(name)

    def _resource(self, found: Resource, sifted: Sifted) -> None:
        sifted.settled.append(found.name)
        if self.sub.holds(found, self.scope) and found.name not in self.sub.owed:
            return
        sifted.resources.append(found)
        sifted.size += len(found.body)
        if not found.service:
            sifted.unknown.append(found.name)

    def absent(self, name: str, sifted: Sifted) -> None:
        """Say that ``name`` does not exist, if that is news to the client."""
        entry = self.sub.entries.get(name)
        if isinstance(self.sub.gone(name, self.hold), Resource):
            return
        sifted.settled.append(name)
        if not self.tells_removals:
            self.sub.lose(name)
        elif name in self.sub.owed or (entry is not None and entry.version not in ("", GONE)):
            sifted.removed.append(name)
            sifted.unknown.append(name)
