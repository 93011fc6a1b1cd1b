"""The keys ``authentication`` and ``authorization``: who a caller is, and what they may do."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict

from lbcontrol.model.clients import Role
from lbcontrol.runtime.rights import Rights, Rule
from lbcontrol.sources.documents.refusals import RefusalError, quoted
from lbcontrol.sources.documents.vocabulary import Part

MOST_BYTES = 2_048
"""Longest pattern: as long as the longest identity."""
_AUDIENCE = re.compile(r"[!-~]{1,253}")


def _pattern(text: str) -> str:
    inner = text[1:] if text.startswith("*") else text.removesuffix("*")
    if not text or len(text.encode()) > MOST_BYTES or not text.isprintable():
        raise RefusalError(
            "LB120", f"{quoted(text)} is no pattern", why=f"wanted: 1 to {MOST_BYTES} printable bytes", do="correct it"
        )
    if "*" in inner:
        why = "patterns are compared as text: one * at the beginning, at the end, or alone"
        raise RefusalError("LB120", f"{quoted(text)} has a * where none can be", why=why, do="write a rule for each")
    return text


def _audience(text: str) -> str:
    if not _AUDIENCE.fullmatch(text):
        raise RefusalError(
            "LB120", f"{quoted(text)} is no audience", why="wanted: 1 to 253 visible ASCII characters", do="correct it"
        )
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""A name, or a part of one with a ``*`` at its beginning or end."""


class KubernetesLoginDocument(Part):
    """Tokens of service accounts, checked by an API server (TokenReview)."""

    audience: Annotated[str, AfterValidator(_audience)] = "lbcontrol"
    """Whom tokens must be meant for; others are refused."""
    kubeconfig: str = ""
    """Path of a kubeconfig file; without one the pod's service account, else what kubectl would use."""
    context: str = ""
    """Context of the kubeconfig file; empty for its current one."""


class AuthenticationDocument(Part):
    """How callers prove who they are, besides certificates (``tls.clientCa``)."""

    kubernetes: KubernetesLoginDocument | None = None
    """Tokens of service accounts, sent as ``authorization: Bearer TOKEN``."""


class RuleDocument(Part):
    """Who may act in which roles on which services."""

    roles: Annotated[tuple[Literal["read", "register", "operate", "inspect"], ...], Field(min_length=1, max_length=4)]
    """read: be told whom to call; register: announce backends; operate: drain, weigh; inspect: see what others do."""
    identities: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=1_000)]
    """Names or patterns; ``anonymous`` is who proved nothing, ``local`` who uses the operators' listener from here."""
    services: Annotated[tuple[Pattern, ...], Field(max_length=1_000)] = ()
    """Names or patterns; without any the rule is about what concerns no service, like /metrics."""


class AuthorizationDocument(Part):
    """Who may do what; what no rule grants is denied."""

    own_namespace: Annotated[bool, Strict()] = True
    """Whether a service account reads the services of its namespace."""
    rules: Annotated[tuple[RuleDocument, ...], Field(max_length=1_000)] = ()
    """Each grants something; their order does not matter."""


def rights_of(document: AuthorizationDocument) -> Rights:
    """Return the table that a document writes."""
    rules = tuple(Rule(frozenset(map(Role, each.roles)), each.identities, each.services) for each in document.rules)
    return Rights(rules, document.own_namespace)
