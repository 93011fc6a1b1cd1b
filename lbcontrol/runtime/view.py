"""What clients of one kind in one zone are told: the publisher's side of a ``View``.

A view holds a service from the first question about it until the last follower leaves. What it holds is what is
published to its clients; newer decisions wait in its pace until the publisher flushes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from lbcontrol.model.assignment import EVERYONE, Decision, Urgency
from lbcontrol.model.endpoints import Locality
from lbcontrol.model.namespaces import bare
from lbcontrol.model.rendering import Form, Resource, ResourceType
from lbcontrol.runtime.catalog import Catalog
from lbcontrol.runtime.changes import TYPES, Slots, differences
from lbcontrol.runtime.compiler import Capabilities, Knowledge
from lbcontrol.runtime.followers import Followers
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.pacing import Pace
from lbcontrol.runtime.parking import Parking, Slot, advance, rerendered
from lbcontrol.runtime.ports import Clock
from lbcontrol.runtime.rendering import Entry, Job, Key, Renderer, ResourceCache
from lbcontrol.runtime.stand_ins import StandIns
from lbcontrol.runtime.views import ALL, Absence, Change, Follower

ACKS_MEASURED = 5
"""ACKs that are timed after one publication to one view: enough for a percentile."""

MOST_SPARES = 16
"""Lists kept for clients that rejected the newest one; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class ViewParts:
    """What all views share."""

    catalog: Catalog
    cache: ResourceCache
    renderer: Renderer
    knowledge: Knowledge
    stand_ins: StandIns
    parking: Parking
    metrics: Metrics
    clock: Clock
    is_big: Callable[[Iterable[Job]], bool]
    """True when these jobs would hold up the loop."""
    arm: Callable[[], None]
    """Called after something was put into a view's pace."""
    parked: Callable[[str, Resource], None]
    """Told of a kind and the bytes that are withheld from it from now on."""
    settle_parked: Callable[[str, Resource], None]
    """Told of a kind and withheld bytes that one of its views left."""
    count: Callable[[str, Change], int]
    """Returns how many clients of a kind follow a resource."""


@dataclass(slots=True)
class _Held:
    """One service as it is published in one view."""

    decision: Decision
    slots: dict[ResourceType, Slots] = field(default_factory=dict)
    asked: set[ResourceType] = field(default_factory=set)
    """Types that somebody waits for and that are made at the next flush."""


class PublishedView:
    """Implements ``views.View``. Bounded by what its streams follow."""

    def __init__(self, capabilities: Capabilities, locality: Locality, *, parts: ViewParts, pace: Pace) -> None:
        """Hold nothing yet."""
        self.capabilities = capabilities
        self._elsewhere = capabilities.without_namespace()
        self.kind = capabilities.kind
        self.carrier = capabilities.carrier
        self.jitter = capabilities.restart_jitter
        self.pace = pace
        self.followers = Followers()
        self._locality = locality
        self._parts = parts
        self._held: dict[str, _Held] = {}
        self._aliases: dict[str, str] = {}
        self._answers: dict[Change, Resource | Absence] = {}
        self._untold: dict[str, set[Change]] = {}
        self._spares: dict[tuple[str, str], Resource] = {}
        """What clients that rejected the newest get instead, by versions of last good and newest."""
        self._names: dict[ResourceType, tuple[str, ...] | None] = {}
        self._synced = parts.knowledge.synced
        self._accepted: set[Resource] = set()
        """Resources of which a further ACK says nothing new."""

    # What front ends ask.

    def resource(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002  (field's term)
        """Return what is published under ``name`` now."""
        held = self._find(type, name)
        if held is None:
            return self._absent(type, name)
        slots = held.slots.get(type)
        if slots is None:
            slots = self._fill(held, type)
        slot = slots.get(name)
        return Absence.WAITING if slot is None else slot.shown

    def missing(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002  (field's term)
        """Return what a client is told of a name that does not exist for it."""
        answer: Resource | Absence = Absence.UNKNOWN
        if not self._parts.knowledge.settled:
            answer = Absence.WAITING
        elif self.capabilities.stand_in:
            answer = self._parts.stand_ins.stand_in(type, name, capabilities=self.capabilities)
        return self._noted((type, name), answer)

    def names(self, type: ResourceType) -> Sequence[str] | None:  # noqa: A002  (field's term)
        """Return every published name of a type, sorted; None while names may be missing."""
        if type not in self._names:
            complete = self._parts.knowledge.settled or not self._publishes(type)
            self._names[type] = self._all_names(type) if complete else None
        return self._names[type]

    @property
    def synced(self) -> bool:
        """True when every source has handed over a picture."""
        return self._parts.knowledge.synced

    def known(self, type: ResourceType) -> Sequence[str]:  # noqa: A002  (field's term)
        """Return every published name of a type, sorted, whether or not names may be missing."""
        listed = self.names(type)
        return self._all_names(type) if listed is None else listed

    def decision(self, name: str) -> Decision | None:
        """Return the published decision behind a service, alias or resource name."""
        held = self._held.get(name) or self._held.get(self._aliases.get(name, ""))
        return held.decision if held is not None else self._meant(name)

    def follow(self, follower: Follower, what: Change) -> None:
        """Tell ``follower`` when the answer about ``what`` may differ."""
        self.followers.add(follower, what)

    def unfollow(self, follower: Follower, what: Change) -> None:
        """Undo ``follow``; with the last follower the view lets go of what nobody needs."""
        if not self.followers.remove(follower, what):
            return
        self._answers.pop(what, None)
        self._parts.stand_ins.released(what)
        type_, name = what
        services = list(self._held) if name == ALL else [self._aliases.get(name, name)]
        for service in services:
            held = self._held.get(service)
            if held is None:
                continue
            held.asked.discard(type_)  # Who still follows the type has it made all the same.
            if not self._types_in_use(service, held):
                self._set(service, None)

    def rejected(self, resource: Resource, *, peer: str, reason: str) -> None:
        """Count a NACK; enough of them park the bytes for the whole kind."""
        slot = self._slot_of(resource)
        if slot is None or slot.good is None or slot.shown.version != resource.version:
            return  # A stand-in, or nothing to fall back to, or replaced meanwhile.
        what = (self.kind, resource.type, resource.name, resource.version)
        followers = self._parts.count(self.kind, (resource.type, resource.name))
        if self._parts.parking.reject(what, peer=peer, reason=reason, followers=followers):
            self._parts.parked(self.kind, resource)

    def less_gone(self, good: Resource, newest: Resource) -> Resource:
        """Return ``good`` less the endpoints that ``newest`` no longer has or drains; made once for all streams."""
        key = good.version, newest.version
        if key not in self._spares:
            if len(self._spares) >= MOST_SPARES:
                del self._spares[next(iter(self._spares))]
            self._spares[key] = rerendered(good, newest, encode=partial(self._encode, good.type, good.service)) or good
        return self._spares[key]

    def acknowledged(self, resource: Resource) -> None:
        """Note an ACK; the first few after a publication are timed."""
        if resource in self._accepted:
            return
        slot = self._slot_of(resource)
        if slot is None or slot.shown.version != resource.version:
            return
        slot.accepted = True
        if slot.acks_awaited:
            slot.acks_awaited -= 1
            self._parts.metrics.change_to_ack_seconds.observe(self._parts.clock.now() - slot.since)
        else:
            self._accepted.add(resource)

    # What the publisher asks.

    def concerns(self, service: str, names: Iterable[str]) -> bool:
        """True when a decision of ``service`` that touches ``names`` has to be looked at here."""
        if service in self._held:
            return True
        called = self._called(names)
        return any(self.followers.follows(type_, called) for type_ in TYPES)

    def stale_names(self) -> None:
        """Forget the lists of names; they are made again when asked for."""
        self._names.clear()

    def jobs(self, service: str) -> list[Job]:
        """Return the entries this view needs of the service's newest decision, made or not."""
        newest = self._parts.catalog.service(service)
        if newest is None:
            return []
        return [self._job(newest, type_) for type_ in self._types_in_use(service, self._held.get(service))]

    def apply(self, service: str) -> list[tuple[Change, bool]]:
        """Publish the service's newest entries in this view; return what changed and whether it is gone."""
        held = self._held.get(service)
        before = held.slots if held is not None else {}
        fresh = self._fresh(service, held)
        self._set(service, fresh)
        after = fresh.slots if fresh is not None else {}
        changes = [each for type_ in TYPES for each in differences(type_, before, after=after)]
        for (type_, name), gone in changes:
            if not gone:
                after[type_][name].acks_awaited = min(ACKS_MEASURED, self.followers.count((type_, name)))
        untold = self._untold.pop(service, ())
        changes += [(change, False) for change in untold if change[1] in after.get(change[0], {})]
        return changes + [(change, True) for change in self._given_up(held)]

    def recheck(self) -> list[Change]:
        """Return the followed absent names and wildcards whose answer, or what it allows, differs from the last one."""
        before, self._names = self._names, {}
        begins, self._synced = self.synced and not self._synced, self.synced
        changes: list[Change] = []
        for what in self.followers.changes():
            type_, name = what
            if name == ALL:
                if begins or self.names(type_) != before.get(type_):
                    changes.append(what)
            elif what in self._answers:
                last = self._answers[what]
                if self._absent(type_, name) is not last or (begins and last is Absence.WAITING):
                    changes.append(what)
        return changes

    def withholds(self, resource: Resource) -> bool:
        """True when these bytes are the newest here."""
        slot = self._slot_of(resource)
        return slot is not None and slot.newest.version == resource.version

    # Inside.

    def _find(self, type: ResourceType, name: str) -> _Held | None:  # noqa: A002  (field's term)
        """Return the service that publishes ``name``, held from now on."""
        listener = type is ResourceType.LISTENER
        if listener and not self.capabilities.listeners:
            return None
        held = self._held.get(self._aliases.get(name, name) if listener else name)
        if held is not None:
            return held
        catalog = self._parts.catalog
        decision = self._meant(name) if listener else catalog.service(name)
        if decision is None:
            return None
        held = self._held.get(decision.service)
        if held is None:
            held = self._held[decision.service] = _Held(decision)
        return held

    def _absent(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002  (field's term)
        knowledge = self._parts.knowledge
        elsewhere = knowledge.settled and self._meant(name) is not None
        gone = elsewhere or knowledge.is_unknown(name)
        return self.missing(type, name) if gone else self._noted((type, name), Absence.WAITING)

    def _noted(self, what: Change, answer: Resource | Absence) -> Resource | Absence:
        """Remember what followers of an absent name were told, to tell them when it is no longer true."""
        if self.followers.has(what):
            self._answers[what] = answer
        return answer

    def _all_names(self, type: ResourceType) -> tuple[str, ...]:  # noqa: A002  (field's term)
        if not self._publishes(type):
            return ()
        catalog = self._parts.catalog
        names = catalog.names() if type is ResourceType.LISTENER else catalog.services()
        return tuple(name for name in names if isinstance(self.resource(type, name), Resource))

    def _publishes(self, type: ResourceType) -> bool:  # noqa: A002  (field's term)
        """Return whether clients of this kind are told of such resources at all."""
        return self.capabilities.listeners or type is not ResourceType.LISTENER

    def _types_in_use(self, service: str, held: _Held | None) -> list[ResourceType]:
        newest = self._parts.catalog.service(service)
        names = {service}
        names.update(newest.aliases if newest is not None else ())
        names.update(held.decision.aliases if held is not None else ())
        asked = held.asked if held is not None else ()
        called = self._called(names)
        return [type_ for type_ in TYPES if type_ in asked or self._follows(type_, service, called)]

    def _meant(self, name: str) -> Decision | None:
        """Return the newest decision of what these clients mean by a name."""
        return self._parts.catalog.meant(name, self.capabilities.namespace)

    def _called(self, names: Iterable[str]) -> Collection[str]:
        """Return names with those that these clients need not qualify."""
        namespace, every = self.capabilities.namespace, set(names)
        return every.union(filter(None, (bare(name, namespace) for name in every))) if namespace else every

    def _follows(self, type: ResourceType, service: str, names: Iterable[str]) -> bool:  # noqa: A002
        if type is ResourceType.LISTENER:
            return self.capabilities.listeners and self.followers.follows(type, names)
        return self.followers.follows(type, (service,))

    def _job(self, decision: Decision, type: ResourceType) -> Job:  # noqa: A002  (field's term)
        cohort = decision.cohort_for(self._locality) if type is ResourceType.ENDPOINTS else EVERYONE
        capabilities = self.capabilities if self._is_near(decision) else self._elsewhere
        key = Key(decision.service, type, cohort, self._parts.renderer.compiler.share_key(capabilities, type))
        return Job(key, decision, capabilities, self._parts.cache.entry(key))

    def _is_near(self, decision: Decision) -> bool:
        """Return whether a service has names in the namespace of these clients.

        Else nothing is made for that namespace: clients choose its name, and could have any number of them made.
        """
        namespace = self.capabilities.namespace
        return bool(namespace) and any(bare(name, namespace) for name in (decision.service, *decision.aliases))

    def _fill(self, held: _Held, type: ResourceType) -> Slots:  # noqa: A002  (field's term)
        """Make a type that is asked for the first time; what would hold up the loop is left to the next flush."""
        newest = self._parts.catalog.service(held.decision.service)
        if newest is None:
            return {}
        job = self._job(newest, type)
        entry = job.previous
        if entry is None or entry.decision is not newest:
            if self._parts.is_big([job]):
                held.asked.add(type)
                self.pace.want(newest.service, Urgency.IMMEDIATE, now=self._parts.clock.now())
                self._parts.arm()
                return {}
            entry = self._parts.renderer.render(job)
            self._parts.cache.keep(job.key, entry)
        slots = held.slots[type] = self._slots(type, entry, {})
        self._name(held)
        if self.pace.waits(newest.service):
            self._untold.setdefault(newest.service, set()).update((type, name) for name in slots)
        return slots

    def _fresh(self, service: str, held: _Held | None) -> _Held | None:
        """Return the service as the newest entries have it; None when it is gone or nobody needs it."""
        fresh: _Held | None = None
        for job in self.jobs(service):
            if fresh is None:
                fresh = _Held(job.previous.decision if job.previous is not None else job.decision)
            old = held.slots.get(job.key.type, {}) if held is not None else {}
            fresh.slots[job.key.type] = old if job.previous is None else self._slots(job.key.type, job.previous, old)
        return fresh

    def _slots(self, type: ResourceType, entry: Entry, old: Slots) -> Slots:  # noqa: A002  (field's term)
        self._accepted.clear()
        encode = partial(self._encode, type, entry.decision.service)
        now = self._parts.clock.now()
        slots: Slots = {}
        for name, resource in entry.resources.items():
            before = old.get(name)
            parked = self._parts.parking.is_parked(self.kind, resource)
            slot = slots[name] = advance(before, resource, parked=parked, now=now, encode=encode)
            if before is not None and slot.fault is not None and before.newest is not resource:
                self._parts.parking.carry(self.kind, before.newest, newest=resource)
        return slots

    def _given_up(self, held: _Held | None) -> list[Change]:
        """Return what followers were told to wait for and what will not come: its service or alias is gone."""
        if held is None:
            return []
        names = (held.decision.service, *held.decision.aliases)
        gone = [name for name in self._called(names) if self._meant(name) is None]
        changes = [(type_, name) for type_ in TYPES for name in gone]
        return [(t, name) for t, name in changes if name not in held.slots.get(t, {}) and self.followers.has((t, name))]

    def _encode(self, type: ResourceType, service: str, form: Form) -> Resource:  # noqa: A002  (field's term)
        return self._parts.renderer.resource(type, form, service=service)

    def _set(self, service: str, fresh: _Held | None) -> None:
        """Replace what is held of a service; parked bytes that were left are reported."""
        self._names.clear()
        self._accepted.clear()
        old = self._held.pop(service, None)
        before = old.slots if old is not None else {}
        for alias in before.get(ResourceType.LISTENER, {}):
            if self._aliases.get(alias) == service:
                del self._aliases[alias]
        if fresh is not None:
            self._held[service] = fresh
            self._name(fresh)
        for slot in [slot for slots in before.values() for slot in slots.values()]:
            if slot.fault is not None and not self.withholds(slot.newest):
                self._parts.settle_parked(self.kind, slot.newest)

    def _name(self, held: _Held) -> None:
        service, has_namespace = held.decision.service, bool(self.capabilities.namespace)
        for name in held.slots.get(ResourceType.LISTENER, {}):
            if name == service or (has_namespace and self._is_anothers(name, service)):
                continue
            self._aliases[name] = service

    def _is_anothers(self, name: str, service: str) -> bool:
        """Return whether a name that a service has, too, means another to these clients."""
        meant = self._meant(name)
        return meant is not None and meant.service != service

    def _slot_of(self, resource: Resource) -> Slot | None:
        held = self._held.get(resource.service)
        return held.slots.get(resource.type, {}).get(resource.name) if held is not None else None
