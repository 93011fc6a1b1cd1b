"""State of the World: each request states the whole name set, and the newest nonce alone counts."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from lbcontrol.frontends.xds.entries import GONE
from lbcontrol.frontends.xds.parts import Sieve
from lbcontrol.frontends.xds.requests import Request
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.subscription import NOTHING, Draft, Hold, Subscription, Verdict
from lbcontrol.frontends.xds.types import WHOLE
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.views import ALL, Absence

_STAR = frozenset((ALL,))


def verdict(sub: Subscription, request: Request, *, first: bool) -> Verdict:
    """Say what a request is about (xds_protocol, "ACK/NACK and resource type instance version")."""
    if first:
        return Verdict.INITIAL
    if request.nonce != sub.nonce:
        return Verdict.STALE
    if request.nonce not in sub.pending:
        return Verdict.AGAIN
    return Verdict.ACK if request.rejection is None else Verdict.NACK


def asks_nothing(sub: Subscription, request: Request) -> bool:
    """True when a request repeats the name set that is in force, so that as an ACK it is nothing but that."""
    names = request.names
    if sub.wildcard or sub.crossed or not names or (names is not sub.names and names != sub.names):
        return False
    sub.names = names  # Shared by all streams that said the same.
    return True


def subscribe(sub: Subscription, request: Request, *, scope: Scope, said: Verdict) -> None:
    """Apply the names of a request, and note what has to be answered."""
    if said is Verdict.STALE:
        sub.crossed = sub.crossed or (request.nonce == sub.acknowledged and bool(sub.rewarmed))
        return  # Its names do not count.
    _apply_names(sub, request, scope)
    if said is Verdict.INITIAL and request.brings_state:
        sub.brought = None if sub.wildcard else request.names
    if said is Verdict.INITIAL:
        sub.due = sub.touched = True
        sub.owe(sub.names)
    elif said is Verdict.AGAIN or sub.crossed:
        _answer_warming(sub)


def _apply_names(sub: Subscription, request: Request, scope: Scope) -> None:
    sub.named = sub.named or bool(request.names)
    whole = sub.type in WHOLE
    wildcard = whole and (ALL in request.names or not sub.named)
    names: AbstractSet[str] = request.names - _STAR if ALL in request.names else request.names
    begins = wildcard and not sub.wildcard
    if names == sub.names and wildcard is sub.wildcard:
        sub.names = names  # Equal, but shared by all streams that said the same.
        return
    known = sub.names | sub.entries.keys() if whole and sub.wildcard else sub.names
    gained = names - known
    sub.retarget(names, wildcard=wildcard, scope=scope)
    if gained or begins:
        sub.due = True
        sub.owe(gained)
    sub.touched = sub.touched or sub.due  # A set may have waited for a name that is not wanted any more.


def _answer_warming(sub: Subscription) -> None:
    """Answer the repeated request of a client that warms a cluster: its endpoints come again, unchanged or not."""
    sub.crossed = False
    again = [name for name in sub.rewarmed if name in sub.names]
    sub.rewarmed = NOTHING
    if again:
        sub.due = True
        sub.owe(again)


def draft(sub: Subscription, scope: Scope, *, hold: Hold) -> Draft | None:
    """Return the next response of the type; None when there is nothing to say now."""
    sub.held = NOTHING
    if sub.type in WHOLE:
        return _whole(sub, scope, hold=hold)
    sub.spread(sub.names)
    names = sorted(name for name in {**sub.dirty, **sub.owed} if name in sub.names)
    sieve = Sieve(sub, scope, tells_removals=False, hold=hold)
    return sieve.draft(sieve.sift(names))


def _whole(sub: Subscription, scope: Scope, *, hold: Hold) -> Draft | None:
    """Return the full set. What is left out is deleted: no set leaves out a waiting name that the client may hold."""
    names = sub.covered(scope)
    if names is None:
        return None
    sub.spread(sub.entries)
    found = {name: _newest_cached(sub, name, scope, hold=hold) for name in names}
    waiting = [name for name, each in found.items() if each is Absence.WAITING]
    if not all(sub.may_lack(name, scope) for name in waiting):
        return None
    stays = [sub.gone(name, hold) for name in sub.entries if name not in names]
    full = [each for each in (*found.values(), *stays) if isinstance(each, Resource)]
    unknown = [name for name, each in found.items() if each is Absence.UNKNOWN]
    if not (full or unknown) and (waiting or (sub.wildcard and scope.listed(sub.type) is None)):
        return None  # There is nothing to say yet.
    stand_ins = [each.name for each in full if not each.service]
    return _news(sub, scope, full=sorted(full, key=_name), unknown=sorted((*unknown, *stand_ins)))


def _name(resource: Resource) -> str:
    return resource.name


def _newest_cached(sub: Subscription, name: str, scope: Scope, *, hold: Hold) -> object:
    """Return what is newest of ``name``; what was told stands until the publisher says that it may have changed."""
    entry = sub.entries.get(name)
    if entry is None or name in sub.dirty or name in sub.owed or (entry.told is None and entry.version != GONE):
        return sub.newest(name, scope, hold=hold)
    return Absence.UNKNOWN if entry.told is None else entry.told


def _news(sub: Subscription, scope: Scope, *, full: list[Resource], unknown: list[str]) -> Draft | None:
    """Return the full set if it is news; what has to stay is still in it."""
    present = {resource.name for resource in full}
    gone = [name for name, entry in sub.entries.items() if entry.told is not None and name not in present]
    settled = [*sub.dirty, *sub.owed]
    absent = [name for name in unknown if name not in present]
    if all(sub.holds(resource, scope) for resource in full) and not gone and not sub.due:
        for name in absent:
            sub.lose(name)
        sub.settle(settled)
        return None
    told_unknown = tuple(unknown) if sub.type is ResourceType.LISTENER else ()
    return Draft(tuple(full), tuple(dict.fromkeys((*absent, *gone))), told_unknown, settled)
