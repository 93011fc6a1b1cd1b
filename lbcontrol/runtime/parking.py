"""Bytes that a kind of client rejects are withheld from the kind; the last good ones stay.

One confused client must not hold back the others, so it takes at least ``PEERS_NEEDED`` peers and ``SHARE_NEEDED`` of
the kind's followers of that resource. Removals and drains are never withheld: they are taken out of the last good list.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from lbcontrol.model.endpoints import Address, Health
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import EndpointsForm, Form, LocalityForm, Resource, ResourceType
from lbcontrol.runtime.metrics import Metrics

PEERS_NEEDED = 3
SHARE_NEEDED = 0.2
"""Of the kind's followers of the resource."""
MOST_RECORDS = 256
"""Rejected bytes remembered at once; the oldest is forgotten first."""
MOST_PEERS = 4_096
"""Peers remembered for each of them: a fifth of the most connections a process accepts."""
REASON_CHARS = 200

Rejected = tuple[str, ResourceType, str, str]
"""Kind, type, name and version."""


@dataclass(slots=True)
class _Record:
    peers: set[str] = field(default_factory=set)
    reason: str = ""
    parked: bool = False


class Parking:
    """Who rejected which bytes, and which are withheld. Bounded by the limits above."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin with nothing rejected."""
        self._metrics = metrics
        self._records: OrderedDict[Rejected, _Record] = OrderedDict()
        self._shown: Counter[str] = Counter()

    def reject(self, what: Rejected, *, peer: str, reason: str, followers: int) -> bool:
        """Note a rejection; True when it is the one that parks the bytes."""
        record = self._records.get(what)
        if record is None:
            while len(self._records) >= MOST_RECORDS:
                self._records.popitem(last=False)
            record = self._records[what] = _Record()
        if len(record.peers) < MOST_PEERS:
            record.peers.add(peer)
        record.reason = reason[:REASON_CHARS]
        if record.parked or len(record.peers) < max(PEERS_NEEDED, SHARE_NEEDED * followers):
            return False
        record.parked = True
        self._show(what[0])
        return True

    def is_parked(self, kind: str, resource: Resource) -> bool:
        """True when these bytes are withheld from the kind."""
        record = self._records.get((kind, resource.type, resource.name, resource.version))
        return record is not None and record.parked

    def carry(self, kind: str, old: Resource, *, newest: Resource) -> None:
        """Withhold ``newest`` as well: it differs from rejected bytes by removals and drains alone."""
        record = self._records.get((kind, old.type, old.name, old.version))
        if record is not None:
            self._records[kind, newest.type, newest.name, newest.version] = record
            self._show(kind)

    def release(self, kind: str, resource: Resource) -> None:
        """Forget bytes that no view of the kind has as its newest any more."""
        if self._records.pop((kind, resource.type, resource.name, resource.version), None) is not None:
            self._show(kind)

    def findings(self) -> list[Finding]:
        """Return what is parked, for people."""
        return [
            Finding(
                "LB905",
                f'{len(record.peers)} {kind} clients rejected {type_} "{name}" version {version}',
                why=record.reason,
                effect=f"{kind} clients keep the last version they accepted; removals and drains still reach them",
                do=f"lbcontrol clients {name}",
            )
            for (kind, type_, name, version), record in self._records.items()
            if record.parked
        ]

    def _show(self, kind: str) -> None:
        parked = sum(record.parked for what, record in self._records.items() if what[0] == kind)
        self._metrics.parked_resources.labels(kind).inc(parked - self._shown[kind])  # Single streams count there, too.
        self._shown[kind] = parked


def without_gone(form: EndpointsForm, newest: EndpointsForm) -> EndpointsForm:
    """Return ``form`` less the endpoints that ``newest`` does not have or drains; priorities stay contiguous."""
    stays = {
        endpoint.address
        for locality in newest.localities
        for endpoint in locality.endpoints
        if endpoint.health is not Health.DRAINING
    }
    kept = [each for each in (_only(locality, stays) for locality in form.localities) if each is not None]
    ranks = {priority: rank for rank, priority in enumerate(sorted({each.priority for each in kept}))}
    ranked = tuple(
        each if each.priority == ranks[each.priority] else dataclasses.replace(each, priority=ranks[each.priority])
        for each in kept
    )
    return form if ranked == form.localities else dataclasses.replace(form, localities=ranked)


def _only(locality: LocalityForm, stays: Collection[Address]) -> LocalityForm | None:
    kept = tuple(endpoint for endpoint in locality.endpoints if endpoint.address in stays)
    if len(kept) == len(locality.endpoints):
        return locality
    return dataclasses.replace(locality, endpoints=kept) if kept else None


@dataclass(slots=True)
class Slot:
    """One resource in one view: what is newest, what is told, and what to fall back to."""

    newest: Resource
    shown: Resource
    since: float
    """Monotonic time at which ``shown`` was published."""
    good: Resource | None = None
    """What clients accepted before ``shown``."""
    accepted: bool = False
    """A client accepted ``shown``."""
    fault: Form | None = None
    """The rejected form, while ``shown`` is a last good one."""
    acks_awaited: int = 0
    """Further ACKs to be measured."""


def advance(
    old: Slot | None, newest: Resource, *, parked: bool, now: float, encode: Callable[[Form], Resource]
) -> Slot:
    """Return the slot after ``newest`` was compiled, or after its bytes were parked; ``old`` itself when equal.

    Where nothing good is known the newest is shown although it is rejected: silence would help nobody.
    """
    if old is None:
        return Slot(newest, newest, now)
    base = old.shown if old.fault is not None else old.good
    withheld = _same_fault(old, newest) or (parked and newest.version == old.newest.version)
    if withheld and base is not None:
        shown = rerendered(base, newest, encode=encode)
        if shown is not None:
            if shown is old.shown and newest is old.newest:
                return old
            return Slot(newest, shown, now, good=base, accepted=True, fault=newest.form)
    if newest is old.newest and old.fault is None:
        return old
    good = old.shown if old.accepted else old.good
    return Slot(newest, newest, now, good=good)


def _same_fault(old: Slot, newest: Resource) -> bool:
    """True when ``newest`` differs from the rejected form by removals and drains alone."""
    if old.fault is None:
        return False
    if newest is old.newest:
        return True
    fault, form = old.fault, newest.form
    if not (isinstance(fault, EndpointsForm) and isinstance(form, EndpointsForm)):
        return False
    return without_gone(fault, form) == without_gone(form, form)


def rerendered(base: Resource, newest: Resource, *, encode: Callable[[Form], Resource]) -> Resource | None:
    """Return the last good resource less what left or drains; None when nothing would be left of it."""
    if not (isinstance(base.form, EndpointsForm) and isinstance(newest.form, EndpointsForm)):
        return base
    form = without_gone(base.form, newest.form)
    if form is base.form:
        return base
    return encode(form) if form.localities else None
