"""Who may do what by one table of rules, the same for all front ends; what no rule grants is denied.

A pattern is text with at most one ``*``, at its beginning, at its end, or alone; it is compared as text, dots and all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lbcontrol.model.clients import Identity, Role

ANONYMOUS = "anonymous"
"""Pattern for whoever proved nothing; no ``*`` means them."""
LOCAL = Identity("local process", authenticated=True)
"""Whoever reaches the operators' listener from this machine. No certificate or token has a name with a space."""
NEAR = "local"
"""Pattern for them; no ``*`` means them."""
SERVICE_ACCOUNT = "system:serviceaccount:"
"""What names of Kubernetes' service accounts begin with; namespace and name follow."""
MOST_GRANTS = 8_192
"""Grants kept, by identity and role; then all are made anew."""


def namespace_of(identity: Identity) -> str:
    """Return the namespace of a Kubernetes service account that proved itself; "" for others."""
    if not identity.authenticated or not identity.name.startswith(SERVICE_ACCOUNT):
        return ""
    namespace, _, name = identity.name.removeprefix(SERVICE_ACCOUNT).partition(":")
    return namespace if name else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    roles: frozenset[Role]
    identities: tuple[str, ...]
    """Patterns of identities, ``anonymous`` and ``local``."""
    services: tuple[str, ...] = ()
    """Patterns of services; none: only what concerns no service."""

    def covers(self, identity: Identity, role: Role) -> bool:
        """Return whether the row is about somebody in a role."""
        return role in self.roles and any(_means(pattern, identity) for pattern in self.identities)


def _means(pattern: str, identity: Identity) -> bool:
    if not identity.authenticated:
        return pattern == ANONYMOUS
    if identity == LOCAL:
        return pattern == NEAR
    return pattern not in (ANONYMOUS, NEAR) and fits(pattern, identity.name)


def fits(pattern: str, text: str) -> bool:
    """Return whether a pattern means a text."""
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


@dataclass(frozen=True, slots=True)
class _Grant:
    """What one identity may do in one role."""

    anything: bool = False
    """What concerns no service."""
    exact: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    namespace: str = ""

    def allows(self, service: str) -> bool:
        if not service:
            return self.anything
        name = service.partition(":")[0]  # A service's other ports (echo.shop:9090) are the service's.
        if service in self.exact or name in self.exact:
            return True
        if self.namespace and name.partition(".")[2] == self.namespace:
            return True
        return any(fits(pattern, name) for pattern in self.patterns)


@dataclass(slots=True)
class Rights:
    """Implements ``ports.Authorizer``."""

    rules: Sequence[Rule]
    own_namespace: bool = True
    """A service account reads the services of its namespace."""
    description: str = field(init=False)
    _grants: dict[tuple[Identity, Role], _Grant] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        own = "; service accounts read their own namespace" if self.own_namespace else ""
        operated = any(Role.OPERATE in rule.roles for rule in self.rules)
        alone = "" if operated else "; nobody may drain or weigh: no rule grants operate"
        self.description = f"authorization: {len(self.rules)} rules{own}; what they do not grant is denied{alone}"

    def allows(self, identity: Identity, role: Role, service: str) -> bool:
        """Return whether a rule grants it; costs the same whether or not the service exists."""
        key = (identity, role)
        grant = self._grants.get(key)
        if grant is None:
            if len(self._grants) >= MOST_GRANTS:
                self._grants.clear()
            grant = self._grants[key] = self._grant(identity, role)
        return grant.allows(service)

    def _grant(self, identity: Identity, role: Role) -> _Grant:
        rules = [rule for rule in self.rules if rule.covers(identity, role)]
        exact, patterns = _sorted_out(pattern for rule in rules for pattern in rule.services)
        own = namespace_of(identity) if self.own_namespace and role is Role.READ else ""
        return _Grant(bool(rules), exact, patterns, own)


def _sorted_out(patterns: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    every = dict.fromkeys(patterns)
    open_ended = tuple(each for each in every if "*" in each)
    return frozenset(every).difference(open_ended), open_ended
