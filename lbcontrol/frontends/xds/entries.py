"""What a client holds of one resource, and what it rejected."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbcontrol.frontends.xds.nonces import NONE
from lbcontrol.model.assignment import Mark
from lbcontrol.model.rendering import Resource
from lbcontrol.runtime.views import Absence

GONE = "-"
"""Stands for a version where the client was told, or must assume, that there is no such resource."""
_MINUTE = 60.0


class Parked(enum.Enum):
    """Stands for a resource the client rejected and holds no good one of."""

    PARKED = "parked"


@dataclass(slots=True)
class Refusal:
    """A NACK of one resource."""

    version: str
    """Not sent again on this stream until other bytes are published; empty once they were."""
    mark: Mark | None
    cause: str
    """The client's words, at most 1 KB."""
    count: int = 0
    """NACKs of the resource in the present minute."""
    minute_began: float = 0.0
    spare: str = ""
    """Version of what is sent in its place when that is less than the last good one: less what left or drains."""
    is_hopeless: bool = False
    """The client rejected that, too: it keeps what it has."""


@dataclass(slots=True)
class Entry:
    """One resource as the client holds it."""

    version: str = ""
    """What it was sent last or brought along; ``GONE`` when it was told of nothing."""
    told: Resource | None = None
    mark: Mark | None = None
    """Of the decision in force when it was sent."""
    nonce: int = NONE
    """Nonce that carried it last."""
    good: Resource | None = None
    """Acknowledged last."""
    good_mark: Mark | None = None
    since: float | None = None
    """Monotonic time of the oldest change without an ACK."""
    refusal: Refusal | None = None

    def unless_held(self, stand_in: Resource) -> Resource | Absence:
        """Return the stand-in, or that there is nothing when the client has, or had, the real thing."""
        real = self.version == GONE or (self.told is not None and self.told.service)
        return Absence.UNKNOWN if real else stand_in

    @property
    def standing(self) -> Resource | Absence:
        """What the client was told, which stands while nothing can be said anew."""
        if self.told is not None:
            return self.told
        return Absence.UNKNOWN if self.version == GONE else Absence.WAITING


def park(entry: Entry, resource: Resource, *, cause: str, nonce: int, now: float) -> Refusal:
    """Note a NACK of ``resource`` in the response ``nonce``: the client stays on its last good one."""
    before = entry.refusal
    refusal = Refusal(resource.version, entry.mark, cause, 1, now)
    if before is not None and now - before.minute_began < _MINUTE:
        refusal.count, refusal.minute_began = before.count + 1, before.minute_began
    if before is not None and before.spare == resource.version:
        refusal.version, refusal.is_hopeless = before.version, True
    entry.refusal = refusal
    if entry.good is resource:
        entry.good = None  # Accepted once, rejected now: there is no good one.
    if entry.nonce == nonce:  # Else something newer is under way already.
        entry.told = entry.good
        entry.version = entry.good.version if entry.good is not None else ""
    return refusal


def blamed_of(resources: tuple[Resource, ...], cause: str) -> list[Resource]:
    """Return what a NACK is about: the resources it names, all when it names none (gRFC A46)."""
    if len(resources) == 1:
        return list(resources)
    return [resource for resource in resources if _mentions(cause, resource.name)] or list(resources)


def _mentions(text: str, name: str) -> bool:
    """True when ``name`` stands in ``text`` as a word of its own, not as part of a longer name."""
    at = text.find(name) if name else -1
    while at >= 0:
        around = text[max(0, at - 1) : at] + text[at + len(name) : at + len(name) + 1]
        if not any(character.isalnum() or character in "-_/" for character in around):
            return True
        at = text.find(name, at + 1)
    return False
