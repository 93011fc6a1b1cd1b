"""Events of Kubernetes: what is said about an object, once, and not too often. Without I/O.

The name of an Event is made of what it says of which object: a restarted or second replica that says it again meets
the Event that is there (409) and leaves it. Something that ends and begins again within this process is counted up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lbcontrol.sources.kubernetes.lease import micro_time
from lbcontrol.sources.kubernetes.objects import Key

BURST = 25.0
"""Events at once."""
REFILL = 1.0 / 5.0
"""Events per second after that."""
MOST_NOTE = 1_024
"""Bytes of a note (events.k8s.io/v1)."""
MOST_NAME = 230
"""Characters of an object's name that go into an Event's."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The object an Event is about."""

    api_version: str
    kind: str
    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Note:
    """What is said."""

    reason: str
    """One word in CamelCase."""
    text: str


@dataclass(slots=True)
class _Said:
    times: int = 0
    holds: bool = False


@dataclass(slots=True)
class NoteBook:
    """What was said. Bounded by the objects that have something wrong with them."""

    _said: dict[Subject, dict[Note, _Said]] = field(default_factory=dict)
    _tokens: float = BURST
    _at: float = 0.0

    def due(self, subject: Subject, notes: Sequence[Note], *, now: float) -> list[tuple[Note, int]]:
        """Return what is to be said now of all that is true of an object, each with how often it was said before.

        What the rate does not allow is not returned, and not forgotten: it is due at the next call.
        """
        said = self._said.setdefault(subject, {})
        for note, each in said.items():
            each.holds = each.holds and note in notes
        found = []
        for note in dict.fromkeys(notes):
            each = said.setdefault(note, _Said())
            if not each.holds and self._take(now):
                each.holds = True
                found.append((note, each.times))
                each.times += 1
        return found

    def unsaid(self, subject: Subject, note: Note) -> None:
        """It could not be said: it is due again."""
        each = self._said[subject][note]
        each.holds, each.times = False, each.times - 1

    def forget(self, subject: Subject) -> None:
        """An object is gone."""
        self._said.pop(subject, None)

    def _take(self, now: float) -> bool:
        self._tokens = min(BURST, self._tokens + max(0.0, now - self._at) * REFILL)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def name_of(subject: Subject, note: Note) -> str:
    """Return the name of the Event, the same at every replica."""
    said = "\0".join((subject.kind, *subject.key, subject.uid, note.reason, note.text))
    return f"{subject.key[1][:MOST_NAME]}.{hashlib.blake2s(said.encode(), digest_size=8).hexdigest()}"


def event(subject: Subject, note: Note, *, controller: str, instance: str, wall: float) -> dict[str, Any]:
    """Return an Event of events.k8s.io/v1."""
    regarding = {
        "apiVersion": subject.api_version,
        "kind": subject.kind,
        "namespace": subject.key[0],
        "name": subject.key[1],
        "uid": subject.uid,
    }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name_of(subject, note), "namespace": subject.key[0]},
        "type": "Warning",
        "eventTime": micro_time(wall),
        "reportingController": controller,
        "reportingInstance": instance[:128],
        "action": "Balance",
        "reason": note.reason,
        "note": note.text.encode()[:MOST_NOTE].decode(errors="ignore"),
        "regarding": regarding,
    }


def repeated(times: int, *, wall: float) -> dict[str, Any]:
    """Return the patch that says an Event happened again."""
    return {"series": {"count": times, "lastObservedTime": micro_time(wall)}}
