"""What one stream asked for and knows of one type: names, nonce, what it holds, what it rejected.

The machine is one for both variants; ``sotw.py`` and ``delta.py`` say how requests change a subscription and how what
is new is grouped into a response.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from lbcontrol.frontends.xds.entries import GONE, Entry, Parked, Refusal, blamed_of, park
from lbcontrol.frontends.xds.nonces import NONE
from lbcontrol.frontends.xds.requests import Request
from lbcontrol.frontends.xds.scope import Published, Scope
from lbcontrol.model.assignment import Mark
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.views import Absence

Hold = Callable[[str], bool]
"""Says whether a resource that is gone stays for now, because a route may still lead there."""

MADE_FOR_THE_NEW = frozenset({ResourceType.CLUSTER, ResourceType.ENDPOINTS})
"""Types whose stand-in is for a client that holds nothing; one that holds the real thing is told that it is gone."""

MOST_PENDING = 16
"""Responses without a verdict that are remembered; of older ones a late verdict says nothing."""


NOTHING: Mapping[str, None] = MappingProxyType({})
"""Marks of no name: shared, since 10,000 streams have four subscriptions each and five of these in each."""
UNJUDGED: Mapping[int, tuple[Resource, ...]] = MappingProxyType({})
"""No response without a verdict."""


def with_names(marks: Mapping[str, None], names: Iterable[str]) -> Mapping[str, None]:
    """Return marks with further names."""
    more = dict.fromkeys(names)
    if not isinstance(marks, dict):
        return more or NOTHING
    marks.update(more)
    return marks


def without(marks: Mapping[str, None], name: str) -> Mapping[str, None]:
    """Return marks without a name; a dict that was used keeps its table, so that none is kept for nothing."""
    if isinstance(marks, dict):
        marks.pop(name, None)
    return marks or NOTHING


def at_once(name: str) -> bool:
    """Hold nothing."""
    del name
    return False


class Verdict(enum.Enum):
    """How a request relates to what was sent last."""

    INITIAL = "initial"  # First of its type on the stream: answer it.
    ACK = "ack"  # The client applied the response: stay quiet unless data changed.
    NACK = "nack"  # The client rejected it: keep the last good one, do not resend.
    STALE = "stale"  # Refers to a response that was replaced, or to none of ours.
    AGAIN = "again"  # About nothing new: the response had its verdict already, or none was sent.


@dataclass(frozen=True, slots=True)
class Draft:
    """What the next response of a type holds."""

    resources: tuple[Resource, ...]
    removed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Names that nobody serves, stand-ins included."""
    settled: Collection[str] = ()
    """Names that need no further look once this is sent."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One type on one stream. Bounds: names by ``XdsLimits``; entries and marks hold subscribed names only."""

    type: ResourceType
    names: AbstractSet[str] = frozenset()
    """Asked for by name."""
    wildcard: bool = False
    named: bool = False
    """A request named something, so that an empty list is no wildcard any more."""
    entries: dict[str, Entry] = field(default_factory=dict)
    nonce: int = NONE
    """Of the newest response."""
    acknowledged: int = NONE
    """The newest nonce that was acknowledged."""
    pending: Mapping[int, tuple[Resource, ...]] = field(default_factory=lambda: UNJUDGED)
    """Responses without a verdict, by nonce."""
    touched: bool = False
    """Something may have to be sent."""
    dirty: Mapping[str, None] = field(default_factory=lambda: NOTHING)
    """Names that may be new, different or gone."""
    everything: bool = False
    """All names may be."""
    owed: Mapping[str, None] = field(default_factory=lambda: NOTHING)
    """Names to send although the client may hold the very bytes."""
    due: bool = False
    """A response is due even if nothing is new."""
    delayed: bool = False
    """The first answer waits for its turn after a restart."""
    brought: AbstractSet[str] | None = frozenset()
    """Names the client may hold from an earlier stream; None when these may be any (State of the World)."""
    held: Mapping[str, None] = field(default_factory=lambda: NOTHING)
    """Names whose removal waits until routes no longer lead there."""
    rewarmed: Mapping[str, None] = field(default_factory=lambda: NOTHING)
    """Endpoints whose cluster was sent after them: a repeated request is no ACK."""
    crossed: bool = False
    """A repeated request crossed a response, and is answered with the next ACK."""
    refused: AbstractSet[str] = frozenset()
    """Names of which the client rejected a version."""
    unknowns: int = 0
    """Names newly found to be served by nobody; the stream takes and counts them."""

    # --- what may be new

    def stir(self, name: str, scope: Scope) -> bool:
        """Mark a name; True when an earlier change of it was not sent yet, and so is skipped."""
        if name not in self.names and not self.wildcard:
            return False  # It was dropped while this stream waited to be told.
        self.touched = True
        replaced = name in self.dirty
        self.dirty = with_names(self.dirty, (name,))
        entry = self.entries.get(name)
        if entry is not None and entry.refusal is not None:
            self.newest(
                name, scope, hold=at_once
            )  # What was parked is free again as soon as other bytes were published.
        return replaced

    def stir_all(self) -> None:
        """Mark everything."""
        self.touched = self.everything = True

    def owe(self, names: Iterable[str]) -> None:
        """Mark names to be sent even if they are unchanged."""
        self.owed = with_names(self.owed, names)
        self.touched = True

    def forget(self, name: str) -> None:
        """Drop all that is known of a name: the client may have dropped the resource too."""
        self.entries.pop(name, None)
        self.dirty, self.owed = without(self.dirty, name), without(self.owed, name)
        self.held, self.rewarmed = without(self.held, name), without(self.rewarmed, name)

    def settle(self, names: Iterable[str]) -> None:
        """Note that names need no further look, but for those whose removal waits."""
        for name in names:
            self.owed = without(self.owed, name)
            if name not in self.held:
                self.dirty = without(self.dirty, name)

    def spread(self, names: Iterable[str]) -> None:
        """Turn "everything may be new" into marks of ``names``."""
        if self.everything:
            self.dirty = with_names(self.dirty, names)
            self.everything = False

    # --- names

    def retarget(self, names: AbstractSet[str], *, wildcard: bool, scope: Scope) -> None:
        """Replace what is subscribed; what is no longer covered is forgotten."""
        for name in self.names - names:
            scope.unfollow(self.type, name)
            if not wildcard:
                self.forget(name)
        for name in names - self.names:
            scope.follow(self.type, name)
        if wildcard and not self.wildcard:
            scope.follow(self.type)
        if self.wildcard and not wildcard:
            scope.unfollow(self.type)
            for name in [name for name in self.entries if name not in names]:
                self.forget(name)
        self.names = names
        self.wildcard = wildcard

    def release(self, scope: Scope) -> None:
        """Follow nothing any more."""
        self.retarget(frozenset(), wildcard=False, scope=scope)

    def covered(self, scope: Scope) -> AbstractSet[str] | None:
        """Return every name that is subscribed; None when a wildcard does not know all of its names yet.

        A client that holds nothing can lose nothing: once every source has synced it is told of those that are known.
        """
        if not self.wildcard:
            return self.names
        listed = scope.listed(self.type)
        if listed is None and scope.view.synced and self.brought is not None and not self.brought:
            listed = scope.known(self.type)
        return None if listed is None else self.names | listed

    def may_lack(self, name: str, scope: Scope) -> bool:
        """True when a set without ``name`` takes nothing away from the client, and waiting for the name may be long."""
        entry = self.entries.get(name)
        is_held = self.brought is None or name in self.brought or (entry is not None and entry.told is not None)
        return scope.view.synced and not is_held

    # --- what is newest

    def newest(self, name: str, scope: Scope, *, hold: Hold) -> Resource | Absence | Parked:
        """Return what the client should hold of ``name``: in place of what it rejected the last good one."""
        found = scope.find(self.type, name)
        entry = self.entries.get(name)
        if entry is None:
            return found
        if isinstance(found, Resource) and not found.service and self.type in MADE_FOR_THE_NEW:
            found = entry.unless_held(found)
        if isinstance(found, Absence):
            return entry.standing if found is Absence.WAITING else self.gone(name, hold)
        if entry.refusal is not None:
            if entry.refusal.version == found.version:
                return self._last_good(entry, entry.refusal, scope=scope, newest=found)
            entry.refusal.version = ""
        return found

    def _last_good(self, entry: Entry, refusal: Refusal, *, scope: Scope, newest: Resource) -> Resource | Parked:
        """Return what stands in for rejected bytes. Removals and drains are never parked: they are taken out of it."""
        if entry.good is None:
            return Parked.PARKED
        if refusal.is_hopeless:
            return entry.good
        spare = scope.view.less_gone(entry.good, newest)
        refusal.spare = "" if spare is entry.good else spare.version
        return spare

    def parked(self) -> int:
        """Return of how many names the newest version is withheld from this client."""
        self.refused = frozenset(name for name in self.refused if self._is_parked(name))
        return len(self.refused)

    def _is_parked(self, name: str) -> bool:
        entry = self.entries.get(name)
        return entry is not None and entry.refusal is not None and bool(entry.refusal.version)

    def awaits(self, resource: Resource) -> Entry | None:
        """Return what the client holds of ``resource`` when it has not rejected that, and this is another version."""
        entry = self.entries.get(resource.name)
        if entry is None or entry.told is None or entry.refusal is not None or entry.version == resource.version:
            return None
        return entry if resource.name in self.names else None

    def gone(self, name: str, hold: Hold) -> Resource | Absence:
        """Return what the client should hold of a name that is gone: what it has, while it has to stay."""
        entry = self.entries.get(name)
        if entry is not None and entry.told is not None and hold(name):
            self.held, self.dirty = with_names(self.held, (name,)), with_names(self.dirty, (name,))
            return entry.told
        return Absence.UNKNOWN

    def holds(self, resource: Resource, scope: Scope) -> bool:
        """True when the client has these bytes; what it brought along counts as acknowledged."""
        entry = self.entries.get(resource.name)
        if entry is None or entry.version != resource.version:
            return False
        if entry.told is None:
            entry.told = entry.good = resource
            entry.mark = entry.good_mark = scope.mark(resource.name)
        if entry.told is entry.good and (entry.refusal is None or not entry.refusal.version):
            entry.since = None  # Back at what the client accepted: it is not behind any more.
        return True

    def lose(self, name: str) -> None:
        """Note that the client knows, or was told, that ``name`` does not exist."""
        entry = self.entries.setdefault(name, Entry())
        if entry.version != GONE and name in self.names:
            self.unknowns += 1
        entry.version = GONE
        entry.told = entry.good = entry.since = entry.refusal = None

    # --- what was sent, and what became of it

    def sent(self, draft: Draft, nonce: int, *, scope: Scope, now: float) -> None:
        """Note that a response is on its way."""
        self._wait_for(nonce, draft.resources)
        for resource in draft.resources:
            self._told(resource, nonce, mark=scope.mark(resource.name), now=now)
        for name in draft.removed:
            self.lose(name)
            if name not in self.names:
                del self.entries[name]
        self.settle(draft.settled)
        self.due = False
        self.touched = bool(self.dirty or self.owed)

    def begin(
        self,
        names: AbstractSet[str],
        found: Iterable[Published],
        *,
        told: tuple[Resource, ...],
        nonce: int,
        now: float,
    ) -> None:
        """Note the first names of a type, and that a response with all they stand for is on its way.

        Args:
            names: What is asked for, without a wildcard; the stream follows it.
            found: What there is of each name.
            told: The resources of it.
            nonce: Of the response.
            now: Monotonic seconds.
        """
        self.names, self.named = names, True
        self._wait_for(nonce, told)
        for resource, mark in found:
            self.entries[resource.name] = Entry(resource.version, resource, mark, nonce, since=now)

    def tell(self, entry: Entry, told: tuple[Resource, ...], *, nonce: int, mark: Mark | None, now: float) -> None:
        """Note that a response with just the one resource of ``entry`` is on its way: ``sent`` in short.

        Args:
            entry: From ``awaits``; nothing else waits to be sent.
            told: The resource, which is no stand-in.
            nonce: Of the response.
            mark: Of the decision it tells.
            now: Monotonic seconds.
        """
        self._wait_for(nonce, told)
        resource = entry.told = told[0]
        entry.version, entry.mark, entry.nonce = resource.version, mark, nonce
        if entry.since is None:
            entry.since = now
        if self.rewarmed:
            self.rewarmed = without(self.rewarmed, resource.name)

    def _wait_for(self, nonce: int, told: tuple[Resource, ...]) -> None:
        """Remember a response until its verdict."""
        self.nonce = nonce
        pending = self.pending
        if not isinstance(pending, dict):
            self.pending = {nonce: told}
            return
        if len(pending) >= MOST_PENDING:
            del pending[next(iter(pending))]
        pending[nonce] = told

    def confirm(self, nonce: int) -> list[Resource] | None:
        """Note an ACK of the newest response where it alone waits for one, else return None: use ``take_pending``.

        Returns:
            The resources that were not acknowledged before.
        """
        if nonce != self.nonce or len(self.pending) != 1 or nonce not in self.pending:
            return None
        resources, self.pending = self.pending[nonce], UNJUDGED
        self.acknowledged = nonce
        return self.accept(resources, nonce)

    def _told(self, resource: Resource, nonce: int, *, mark: Mark | None, now: float) -> None:
        entry = self.entries.setdefault(resource.name, Entry())
        if entry.version != resource.version:
            self.unknowns += not resource.service  # A stand-in.
            entry.since = now if entry.since is None else entry.since
        entry.version, entry.told, entry.mark, entry.nonce = resource.version, resource, mark, nonce
        self.rewarmed = without(self.rewarmed, resource.name)

    def take_pending(self, nonce: int) -> tuple[Resource, ...]:
        """Return what a verdict on ``nonce`` is about; what was sent before it and never judged counts as accepted."""
        pending = self.pending
        if nonce not in pending:
            return ()
        for older in [each for each in pending if each < nonce]:
            self.accept(pending[older], older)
        self.pending = {each: told for each, told in pending.items() if each > nonce} or UNJUDGED
        return pending[nonce]

    def accept(self, resources: Iterable[Resource], nonce: int) -> list[Resource]:
        """Note an ACK; return the resources that were not acknowledged before."""
        fresh = []
        for resource in resources:
            entry = self.entries.get(resource.name)
            if entry is None:
                continue  # Unsubscribed meanwhile.
            if entry.good is not resource:
                fresh.append(resource)
                entry.good = resource
            if entry.nonce == nonce:
                entry.good_mark = entry.mark
                entry.since = None
        return fresh

    def refuse(
        self, resources: tuple[Resource, ...], request: Request, *, now: float
    ) -> list[tuple[Resource, Refusal]]:
        """Note a NACK: park what it is about, take the rest as accepted; return what was parked and why."""
        cause = request.rejection or ""
        blamed = blamed_of(resources, cause)
        self.accept([resource for resource in resources if resource not in blamed], request.nonce)
        refusals = []
        for resource in blamed:
            entry = self.entries.get(resource.name)
            if entry is not None:
                refusals.append((resource, park(entry, resource, cause=cause, nonce=request.nonce, now=now)))
                self.refused |= {resource.name}
                if self.type is ResourceType.ENDPOINTS:
                    self.dirty = with_names(self.dirty, (resource.name,))
                    self.touched = True
        return refusals
