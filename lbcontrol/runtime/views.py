"""Views: what clients of one kind in one zone are told, as the publisher keeps it and front ends read it.

A front end asks the publisher for the view of a client's profile; all streams with that profile share the view and its
encoded resources. Everything is called on the event loop's thread and returns at once.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol

from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.rendering import Form, Resource, ResourceType

ALL = "*"
"""Follows every resource of a type, present and future (a wildcard)."""

Change = tuple[ResourceType, str]
"""A resource, by type and name, of which a client may have to be told something new."""


class Absence(enum.Enum):
    """Why a view holds no resource of a name."""

    UNKNOWN = "unknown"
    """Every source that could define the name has synced and none does: say that it does not exist."""
    WAITING = "waiting"
    """The name may still come: be silent about it."""


class Follower(Protocol):
    """A stream that follows resources of a view."""

    def changed(self, changes: Sequence[Change]) -> None:
        """Some followed resources are new, different or gone; make-before-break order, each at most once."""
        ...


class View(Protocol):
    """What clients of one kind in one zone are told."""

    kind: str
    """Client kind, for metrics: a value of ``ClientProfile.kind``."""
    carrier: str
    """How weights reach these clients: locality, real, endpoint or native (larger services may use classes)."""
    jitter: float
    """Seconds over which first answers after a restart are spread for this kind; 0 for none."""

    def resource(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002  (field's term)
        """Return what is published under ``name`` now; equal content is the same object until it changes."""
        ...

    def missing(self, type: ResourceType, name: str) -> Resource | Absence:  # noqa: A002
        """Return what a client is told of a name that does not exist for it, whether or not it exists for others.

        For kinds that would wait for their timer it is a stand-in that fails calls at once.
        """
        ...

    def names(self, type: ResourceType) -> Sequence[str] | None:  # noqa: A002
        """Return every published name of a type, sorted; None while names may be missing (sources not synced)."""
        ...

    @property
    def synced(self) -> bool:
        """True when every source has handed over a picture; what is unreadable in it may be so for long."""
        ...

    def known(self, type: ResourceType) -> Sequence[str]:  # noqa: A002
        """Return every published name of a type, sorted, whether or not names may be missing."""
        ...

    def decision(self, name: str) -> Decision | None:
        """Return the published decision behind a service, alias or resource name; None when there is none."""
        ...

    def follow(self, follower: Follower, what: Change) -> None:
        """Tell ``follower`` when ``resource(*what)`` may answer differently; repeating it changes nothing."""
        ...

    def unfollow(self, follower: Follower, what: Change) -> None:
        """Undo ``follow``; harmless when there was none."""
        ...

    def rejected(self, resource: Resource, *, peer: str, reason: str) -> None:
        """A client refused these bytes (NACK); enough of them park the bytes for the whole kind."""
        ...

    def less_gone(self, good: Resource, newest: Resource) -> Resource:
        """Return ``good`` less the endpoints that ``newest`` no longer has or drains; ``good`` itself if none went."""
        ...

    def acknowledged(self, resource: Resource) -> None:
        """A client accepted these bytes (ACK); for the time from change to ACK."""
        ...


class Views(Protocol):
    """The publisher, as front ends see it."""

    def view(self, profile: ClientProfile) -> View:
        """Return the view of clients like this one; the same object for equal kinds, versions and zones."""
        ...


class Encode(Protocol):
    """Makes the bytes of a form; an adapter gives it to the publisher, which knows no wire types."""

    def __call__(self, form: Form) -> bytes:
        """Return the serialized resource: equal forms give equal bytes, in every process."""
        ...
