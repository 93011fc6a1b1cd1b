"""What one client may be told: the view of its kind, seen through what its identity may read."""

from __future__ import annotations

from lbcontrol.model.assignment import Mark
from lbcontrol.model.clients import Identity, Role
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.ports import Authorizer
from lbcontrol.runtime.views import ALL, Absence, Follower, View

Published = tuple[Resource, Mark | None]
"""A resource, no stand-in, and the mark of its service."""


class Scope:
    """A view for one identity and one stream. Forbidden names look, and cost, like unknown ones."""

    __slots__ = ("_authorizer", "_follower", "identity", "view")

    def __init__(self, view: View, authorizer: Authorizer, *, identity: Identity, follower: Follower) -> None:
        """Follow nothing yet."""
        self.view = view
        self._authorizer = authorizer
        self.identity = identity
        """Whose rights count; streams of one view and equal identities are told the same of every name."""
        self._follower = follower

    def find(self, type_: ResourceType, name: str) -> Resource | Absence:
        """Return what the client is to be told of ``name``; rights are checked before anything is compiled."""
        if not self._may_read(name):
            return self.view.missing(type_, name)
        found = self.view.resource(type_, name)
        return self.view.missing(type_, name) if found is Absence.UNKNOWN else found

    def published(self, type_: ResourceType, name: str) -> Published | None:
        """Return what there is of ``name``; None for what is absent, or has a stand-in."""
        found = self.find(type_, name)
        if not isinstance(found, Resource) or not found.service:
            return None
        decision = self.view.decision(name)
        return found, None if decision is None else decision.mark

    def listed(self, type_: ResourceType) -> frozenset[str] | None:
        """Return the names a wildcard covers; None while names may be missing."""
        names = self.view.names(type_)
        return None if names is None else frozenset(name for name in names if self._may_read(name))

    def known(self, type_: ResourceType) -> frozenset[str]:
        """Return the names of a wildcard that are there, whether or not more may come."""
        return frozenset(name for name in self.view.known(type_) if self._may_read(name))

    def mark(self, name: str) -> Mark | None:
        """Return the newest mark of the service behind ``name``; None when there is none to be seen."""
        decision = self.view.decision(name) if self._may_read(name) else None
        return None if decision is None else decision.mark

    def service(self, name: str) -> str:
        """Return the service behind ``name``, or the name itself when there is none to be seen."""
        decision = self.view.decision(name) if self._may_read(name) else None
        return name if decision is None else decision.service

    def follow(self, type_: ResourceType, name: str = ALL) -> None:
        """Be told of changes of ``name``."""
        self.view.follow(self._follower, (type_, name))

    def unfollow(self, type_: ResourceType, name: str = ALL) -> None:
        """Be told of them no more."""
        self.view.unfollow(self._follower, (type_, name))

    def _may_read(self, name: str) -> bool:
        decision = self.view.decision(name)
        return decision is None or self._authorizer.allows(self.identity, Role.READ, decision.service)
