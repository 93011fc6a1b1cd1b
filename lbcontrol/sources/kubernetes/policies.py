"""ServicePolicies as the source keeps them: read by the code that reads them from files.

What is malformed is kept with its findings and says nothing; who said something good before goes on saying it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim
from lbcontrol.sources.documents.policies import API_VERSION
from lbcontrol.sources.documents.reading import KIND, read_policy
from lbcontrol.sources.kubernetes.objects import Json, Key

GROUP, _, VERSION = API_VERSION.partition("/")
PLURAL = "servicepolicies"
"""The custom resource, as the API server's paths name it."""
MOST_TARGETS = 16
"""As many as the resource has."""

__all__ = ["GROUP", "KIND", "MOST_TARGETS", "PLURAL", "VERSION", "Policy", "policy_of"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One ServicePolicy."""

    key: Key
    mark: str
    """resourceVersion; opaque. Moves with the status, too."""
    uid: str = ""
    generation: int = 0
    """Moves with the spec alone."""
    targets: tuple[str, ...] = ()
    """Names of the Services it is for, in its own namespace; of a malformed one as far as they can be read."""
    claim: PolicyClaim | None = None
    """What it says; None when it is malformed."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it."""
    ancestors: tuple[Json, ...] = ()
    """``status.ancestors`` as the API server has it. Treat as frozen."""

    @property
    def origin(self) -> str:
        """What people call it."""
        return f"{KIND} {self.key[0]}/{self.key[1]}"

    def targeted(self) -> frozenset[Key]:
        """Return the Services it is for."""
        return frozenset((self.key[0], name) for name in self.targets)


def policy_of(item: Json) -> Policy:
    """Return what matters of a ServicePolicy."""
    meta, spec = _mapping(item, "metadata"), item.get("spec")
    key = str(meta.get("namespace", "")), str(meta.get("name", ""))
    about = {name: meta[name] for name in ("name", "namespace", "creationTimestamp") if name in meta}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": about, "spec": _without_null(spec)}
    claim: PolicyClaim | None = None
    findings: tuple[Finding, ...] = ()
    targets = tuple(dict.fromkeys(_names(spec)))
    try:
        entry = read_policy(document, place=f"{KIND} {key[0]}/{key[1]}")
    except ConfigError as error:
        findings = tuple(error.findings)
    else:
        claim, targets = entry.claim, entry.targets
    generation = meta.get("generation")
    return Policy(
        key=key,
        mark=str(meta.get("resourceVersion", "")),
        uid=str(meta.get("uid", "")),
        generation=generation if isinstance(generation, int) else 0,
        targets=targets,
        claim=claim,
        findings=findings,
        ancestors=tuple(_ancestors(item)),
    )


def _names(spec: object) -> Iterator[str]:
    refs = spec.get("targetRefs") if isinstance(spec, Mapping) else None
    for ref in refs[:MOST_TARGETS] if isinstance(refs, list) else ():
        name = ref.get("name") if isinstance(ref, Mapping) else None
        if isinstance(name, str) and name:
            yield name


def _ancestors(item: Json) -> Iterator[Json]:
    found = _mapping(item, "status").get("ancestors")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, Mapping):
            yield each


def _without_null(value: object) -> object:
    """Leave out what is null: to an API server that is the same as absent."""
    if isinstance(value, Mapping):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    return [_without_null(each) for each in value] if isinstance(value, list) else value


def _mapping(item: Json, name: str) -> Mapping[str, Any]:
    found = item.get(name)
    return found if isinstance(found, Mapping) else {}
