"""Delta: requests change the subscription at any time, and every response is acknowledged on its own."""

from __future__ import annotations

from collections.abc import Iterable

from lbcontrol.frontends.xds.entries import Entry
from lbcontrol.frontends.xds.nonces import NONE
from lbcontrol.frontends.xds.parts import Sieve, Sifted
from lbcontrol.frontends.xds.requests import Request
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.subscription import NOTHING, Draft, Hold, Subscription, Verdict
from lbcontrol.frontends.xds.types import WHOLE
from lbcontrol.runtime.views import ALL

_STAR = frozenset((ALL,))


def verdict(sub: Subscription, request: Request, *, first: bool) -> Verdict:
    """Say what a request is about (xds_protocol, "Incremental xDS")."""
    if first:
        return Verdict.INITIAL
    if request.nonce == NONE:
        return Verdict.AGAIN
    if request.nonce not in sub.pending:
        return Verdict.STALE
    return Verdict.ACK if request.rejection is None else Verdict.NACK


def asks_nothing(sub: Subscription, request: Request) -> bool:
    """True when a request subscribes to nothing and gives nothing up, so that as an ACK it is nothing but that."""
    del sub
    return not (request.names or request.dropped or request.initial)


def subscribe(sub: Subscription, request: Request, *, scope: Scope, said: Verdict) -> None:
    """Apply what a request subscribes to and gives up; that counts whatever its nonce is."""
    first = said is Verdict.INITIAL
    whole = sub.type in WHOLE
    star = whole and (ALL in request.names or (first and not request.names))
    _unsubscribe(sub, request.dropped, scope, keeps_wildcard=not (whole and ALL in request.dropped))
    names = request.names - _STAR
    if names or star:
        sub.retarget(sub.names | names, wildcard=sub.wildcard or star, scope=scope)
    if first:
        _adopt(sub, request)
    sub.owe(name for name in names if not (first and name in request.initial))
    for name in names:
        sub.stir(name, scope)
    if star:
        sub.due = True
        sub.stir_all()
        if not first:
            sub.owe(sub.entries)


def _adopt(sub: Subscription, request: Request) -> None:
    """Take what the client brings along as what it was told (initial_resource_versions)."""
    for name, version in request.initial.items():
        if sub.wildcard or name in sub.names:
            sub.entries[name] = Entry(version)


def _unsubscribe(sub: Subscription, dropped: Iterable[str], scope: Scope, *, keeps_wildcard: bool) -> None:
    gone = sub.names & frozenset(dropped)
    wildcard = sub.wildcard and keeps_wildcard
    if not gone and wildcard is sub.wildcard:
        return
    sub.retarget(sub.names - gone, wildcard=wildcard, scope=scope)
    if wildcard:
        sub.owe(gone)  # Whether the wildcard still covers it is for us to say.


def draft(sub: Subscription, scope: Scope, *, hold: Hold) -> Draft | None:
    """Return what differs from what the client has; None when nothing does."""
    sub.held = NOTHING
    listed = scope.listed(sub.type) if sub.wildcard else frozenset[str]()
    if listed is None and scope.view.synced:
        return _known(sub, scope, hold=hold)
    if listed is not None:
        sub.spread({**dict.fromkeys(listed), **dict.fromkeys(sub.names), **dict.fromkeys(sub.entries)})
    covered = sub.names | listed if listed else sub.names
    sieve = Sieve(sub, scope, tells_removals=True, hold=hold)
    candidates = sorted({**sub.dirty, **sub.owed})
    sifted = sieve.sift(name for name in candidates if name in covered)
    if listed is None:
        sifted.silent = True
    else:
        _give_up(sieve, sifted, names=[name for name in candidates if name not in covered])
    return sieve.draft(sifted)


def _known(sub: Subscription, scope: Scope, *, hold: Hold) -> Draft | None:
    """Return what is new of a wildcard that may cover more: what is known is sent, and nothing is removed."""
    covered = sub.names | scope.known(sub.type)
    sub.spread(covered)
    sieve = Sieve(sub, scope, tells_removals=True, hold=hold)
    sifted = sieve.sift(name for name in sorted({**sub.dirty, **sub.owed}) if name in covered)
    sifted.silent = True
    return sieve.draft(sifted)


def _give_up(sieve: Sieve, sifted: Sifted, *, names: Iterable[str]) -> None:
    """Tell of names that a wildcard covered and no longer does."""
    for name in names:
        sieve.absent(name, sifted)
