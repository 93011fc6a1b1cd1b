"""Writes what became of ServicePolicies into their status, and what is rejected into Events.

What is written is computed from the picture and compared with what is there, so that nothing is written twice: not by
this replica, not by the next one, not after a restart. An object is written at most once in 5 s; only the holder of the
Lease writes; what fails is tried again later and touches nothing else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim
from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import backoff
from lbcontrol.sources.kubernetes.ancestors import CONTROLLER, ancestors
from lbcontrol.sources.kubernetes.attachment import Held
from lbcontrol.sources.kubernetes.notes import Note, NoteBook, Subject, event, name_of, repeated
from lbcontrol.sources.kubernetes.objects import Json, Key
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.policies import GROUP, KIND, VERSION, Policy
from lbcontrol.sources.kubernetes.verdicts import REJECTIONS, Condition, Meeting, conditions, is_pending
from lbcontrol.sources.kubernetes.writes import EVENT, STATUS, Ending

SPACING = 5.0
"""Least seconds between two writes of one object."""
PATIENCE = 2.0
"""Seconds for which what is not published yet is waited for, before that is written."""
AGAIN = 0.2
"""Seconds between two looks at what is not published yet, while it is waited for; then SPACING."""
LOOK = 30.0
"""Seconds after which everything is looked at again: other sources change what is in force, too."""
HOPELESS = frozenset({Ending.INVALID, Ending.MISSING})
"""Endings that say more of the object: it is tried again when it moves, or when everything is looked at."""
FAILURES = frozenset({Ending.REFUSED, Ending.FAILED})
"""Endings that say more of the API server than of the object."""
AT_ONCE = 50
"""Objects looked at before others run."""

InForce = Callable[[str], Sequence[PolicyClaim] | None]
"""Claims that the last decision of a service knew, the one in force first; None before the first decision."""
Due = tuple[str, Key]
"""Kind and key of what is looked at."""


class Target(Protocol):
    """Where it is written: ``writes.Writes``."""

    async def status(self, policy: Policy, ancestors: Sequence[Json]) -> Ending:
        """Replace the entries of a policy's status."""
        ...

    async def event(self, event: Json) -> Ending:
        """Create an Event."""
        ...

    async def repeat(self, key: Key, patch: Json) -> Ending:
        """Change an Event that was created before."""
        ...

    def mended(self, kind: str) -> None:
        """Nothing of a kind fails any more."""
        ...


class StatusWriter:
    """Looks at what moved. Everything but ``turn`` is called on the loop's thread and returns at once."""

    def __init__(
        self, picture: Picture, target: Target, *, identity: str, scheduler: Scheduler, rng: random.Random
    ) -> None:
        """Know nothing of what was written before."""
        self._picture = picture
        self._target = target
        self._identity = identity
        self._scheduler = scheduler
        self._rng = rng
        self._notes = NoteBook()
        self._due: dict[Due, float] = {}
        self._free_at: dict[Key, float] = {}
        self._pending_since: dict[Key, float] = {}
        self._subjects: dict[Due, Subject] = {}
        self._rests = {STATUS: Rest(), EVENT: Rest()}
        self.in_force: InForce = lambda _service: None
        """Says what became of what was told."""

    def begin(self) -> None:
        """Forget what was seen and said: another replica writes now. When this one wrote last stays known."""
        now = self._scheduler.now()
        self._free_at = {key: at for key, at in self._free_at.items() if at > now}
        self._notes, self._rests = NoteBook(), {STATUS: Rest(), EVENT: Rest()}
        for known in (self._due, self._pending_since, self._subjects):
            known.clear()

    def all_again(self) -> None:
        """Look at everything: what other replicas wrote is not known, nor what other sources say."""
        self._put(KIND, self._picture.policies.keys(""))
        self._put("Service", self._picture.faulty_services())

    def decided(self, services: Iterable[Key]) -> None:
        """Services were decided anew: look at their policies."""
        for service in services:
            self._put(KIND, self._picture.policies.concerning(service))

    def next_at(self) -> float:
        """Return when ``turn`` has something to do, in monotonic seconds; at the latest in ``LOOK`` seconds."""
        now = self._scheduler.now()
        first = min(self._due.values(), default=now + LOOK)
        return min(max(first, self._rests[STATUS].until), now + LOOK)

    async def turn(self, may_write: Callable[[], bool]) -> None:
        """Look at what is due, and write what is new.

        Args:
            may_write: Asked before each write; once it says no, nothing more is written.
        """
        policies, services = self._picture.take_moved()
        self._put(KIND, policies)
        self._put("Service", services)
        for count, due in enumerate(self._ripe(), 1):
            if not may_write() or self._scheduler.now() < self._rests[STATUS].until:
                return
            del self._due[due]
            await (self._policy(due[1]) if due[0] == KIND else self._service(due[1]))
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _ripe(self) -> list[Due]:
        now = self._scheduler.now()
        return [due for due, at in self._due.items() if at <= now]

    def _put(self, kind: str, keys: Iterable[Key]) -> None:
        for key in keys:
            self._due_at(kind, key, self._scheduler.now())

    def _due_at(self, kind: str, key: Key, at: float) -> None:
        at = max(at, self._free_at.get(key, 0.0)) if kind == KIND else at
        self._due[kind, key] = min(at, self._due.get((kind, key), at))

    # One policy.

    async def _policy(self, key: Key) -> None:
        held = self._picture.policies.find(key)
        if held is None:
            self._forget(KIND, key)
            return
        said = {name: conditions(held, self._meeting((key[0], name))) for name in held.newest.targets}
        if self._waits(key, said.values()):
            return
        await self._write_status(held, said)
        notes = [
            Note(each.reason, f"Service {name}: {each.message}")
            for name, found in said.items()
            for each in found[:1]
            if each.reason in REJECTIONS
        ]
        await self._say(Subject(f"{GROUP}/{VERSION}", KIND, key, held.newest.uid), notes)

    def _meeting(self, service: Key) -> Meeting:
        picture = self._picture
        published = tuple(self._claims(name) for name in picture.told(service))
        return Meeting(service, picture.presence(service), picture.policies.ranked(service), published or (None,))

    def _claims(self, name: str) -> tuple[PolicyClaim, ...] | None:
        claims = self.in_force(name)
        return None if claims is None else tuple(claims)

    def _waits(self, key: Key, said: Iterable[Sequence[Condition]]) -> bool:
        """True while what is pending is young; it is looked at again in any case."""
        if not any(map(is_pending, said)):
            self._pending_since.pop(key, None)
            return False
        now = self._scheduler.now()
        is_young = now - self._pending_since.setdefault(key, now) < PATIENCE
        self._due_at(KIND, key, now + (AGAIN if is_young else SPACING))
        return is_young

    async def _write_status(self, held: Held, said: dict[str, tuple[Condition, Condition]]) -> None:
        key, now = held.newest.key, datetime.fromtimestamp(self._scheduler.wall(), UTC)
        new = ancestors(held.newest, said, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        if new is None:
            self._ended(STATUS, (KIND, key), Ending.OK)
            return
        self._free_at[key] = self._scheduler.now() + SPACING
        ending = await self._target.status(held.newest, new)
        self._ended(STATUS, (KIND, key), ending)
        if ending not in HOPELESS and ending is not Ending.OK:  # A conflict is over when the watch has told.
            self._due_at(KIND, key, 0.0)

    # One Service, and Events.

    async def _service(self, key: Key) -> None:
        service, findings = self._picture.service(key)
        if service is None:
            self._forget("Service", key)
            return
        await self._say(Subject("v1", "Service", key, service.uid), list(map(_note, findings)))

    async def _say(self, subject: Subject, notes: Sequence[Note]) -> None:
        due = (subject.kind, subject.key)
        if not notes and due not in self._subjects:
            return
        if self._subjects.get(due, subject) != subject:  # Deleted and made again.
            self._forget(*due)
        self._subjects[due] = subject
        if self._scheduler.now() < self._rests[EVENT].until:
            self._due_at(*due, self._rests[EVENT].until)
            return
        for note, times in self._notes.due(subject, notes, now=self._scheduler.now()):
            ending = await self._post(subject, note, times)
            self._ended(EVENT, due, ending)
            if ending in FAILURES:
                self._notes.unsaid(subject, note)
                self._due_at(*due, self._rests[EVENT].until)

    async def _post(self, subject: Subject, note: Note, times: int) -> Ending:
        wall = self._scheduler.wall()
        if times:
            ending = await self._target.repeat((subject.key[0], name_of(subject, note)), repeated(times + 1, wall=wall))
            if ending is not Ending.MISSING:
                return ending
        return await self._target.event(event(subject, note, controller=CONTROLLER, instance=self._identity, wall=wall))

    def _forget(self, kind: str, key: Key) -> None:
        subject = self._subjects.pop((kind, key), None)
        if subject is not None:
            self._notes.forget(subject)
        for name in (name for name, rest in self._rests.items() if (kind, key) in rest.failing):
            self._ended(name, (kind, key), Ending.OK)
        if kind == KIND:
            self._free_at.pop(key, None)
            self._pending_since.pop(key, None)

    def _ended(self, kind: str, due: Due, ending: Ending) -> None:
        """Write no more of a kind for a while after the API server refused or failed: it will not do better at once."""
        rest = self._rests[kind]
        if ending in FAILURES | HOPELESS:
            rest.failing.add(due)
        if ending in FAILURES:
            rest.failures += 1
            rest.until = self._scheduler.now() + backoff(rest.failures, self._rng)
            return
        rest.failures = 0
        if ending not in HOPELESS and due in rest.failing:
            rest.failing.discard(due)
            if not rest.failing:
                self._target.mended(kind)


@dataclass(slots=True)
class Rest:
    """How one kind of writes fares."""

    failures: int = 0
    """In a row."""
    until: float = 0.0
    """Monotonic seconds before which none is tried."""
    failing: set[Due] = field(default_factory=set)
    """Objects of which the last write failed."""


def _note(finding: Finding) -> Note:
    parts = (finding.what, finding.why, finding.effect)
    return Note("MalformedAnnotation", "; ".join(filter(None, parts)))
