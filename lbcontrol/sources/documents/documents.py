"""What one file says, as values."""

from __future__ import annotations

from dataclasses import dataclass

from lbcontrol.model.endpoints import Endpoint
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim, RouteRule


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service of ``services:``."""

    name: str
    aliases: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    policy: PolicyClaim | None
    rules: tuple[RouteRule, ...]
    origin: str
    """``greeter.yaml:2``, for people."""
    line: int
    prioritised: tuple[int, ...]
    """Lines of the endpoints that set ``priority``, which excludes ``locality.prefer``."""


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """One ServicePolicy document."""

    name: str
    """``namespace/name``, or the name alone."""
    targets: tuple[str, ...]
    claim: PolicyClaim
    line: int


@dataclass(frozen=True, slots=True)
class Documents:
    """All that one file says; nothing in it contradicts itself."""

    path: str
    """As people know the file."""
    services: tuple[ServiceEntry, ...] = ()
    policies: tuple[PolicyEntry, ...] = ()
    mark: str = ""
    """Digest of the content."""
    findings: tuple[Finding, ...] = ()
    """Warnings."""
    is_empty: bool = False
    """There is no document in it, not even one that says ``services: []``."""
