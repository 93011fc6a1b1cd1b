"""Resources as they are made: compiled and encoded once, shared by all views whose clients get the same.

A resource is kept as long as its form stays equal, so that equal content is the same object and costs no encoding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from lbcontrol.model.assignment import Decision
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Form, Resource, ResourceType
from lbcontrol.runtime.compiler import Capabilities, Compiler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Clock
from lbcontrol.runtime.supervision import Supervisor, crash_finding
from lbcontrol.runtime.views import Encode

VERSION_DIGITS = 16
"""Hex digits of a version: 64 bits of SHA-256, so that two bodies of one name never share it by chance."""


@dataclass(frozen=True, slots=True)
class Key:
    """All that decides the bytes of a service's resources of one type, beside the decision."""

    service: str
    type: ResourceType
    cohort: str
    """``EVERYONE`` for types that do not depend on the cohort."""
    share: Hashable
    """The compiler's share key."""


@dataclass(slots=True)
class Entry:
    """What one key gives for one decision. Replaced whole, never changed."""

    decision: Decision
    resources: Mapping[str, Resource]
    """By name; of a form with problems the last good one, if there was one."""
    findings: tuple[Finding, ...] = ()
    """Why forms were not published."""


@dataclass(frozen=True, slots=True)
class Job:
    """One entry to make."""

    key: Key
    decision: Decision
    capabilities: Capabilities
    previous: Entry | None

    @property
    def endpoints(self) -> int:
        """How many endpoints have to be compiled: the measure of its cost."""
        assignment = self.decision.assignments.get(self.key.cohort)
        return len(assignment.endpoints) if assignment and self.key.type is ResourceType.ENDPOINTS else 0


def version_of(body: bytes) -> str:
    """Return the version of a resource: a digest, equal for equal bytes on every replica."""
    return hashlib.sha256(body).hexdigest()[:VERSION_DIGITS]


class Renderer:
    """Makes entries. Holds no state, so that the worker's thread may use it beside the loop's."""

    def __init__(self, compiler: Compiler, encode: Encode, *, metrics: Metrics, clock: Clock) -> None:
        """Compile by ``compiler``, encode by ``encode``; both pure."""
        self.compiler = compiler
        self._encode = encode
        self._metrics = metrics
        self._clock = clock
        self._supervisor = Supervisor(metrics, clock)

    def render(self, job: Job) -> Entry:
        """Return the entry of a job; when the compiler raises, the previous resources with a finding."""
        failures: list[Exception] = []
        entry = self._supervisor.attempt("compile", lambda: self._render(job), failed=failures.append)
        if entry is not None:
            return entry
        what = f'compiling {job.key.type} of "{job.key.service}"'
        kept = job.previous.resources if job.previous is not None else {}
        return Entry(job.decision, kept, (crash_finding(what, failures[0]),))

    def resource(self, type: ResourceType, form: Form, *, service: str = "") -> Resource:  # noqa: A002  (field's term)
        """Encode a form."""
        began = self._clock.now()
        body = self._encode(form)
        made = Resource(type, form.name, version=version_of(body), body=body, form=form, service=service)
        self._metrics.encodes_total.labels("xds", type.value).inc()
        self._metrics.encode_seconds.observe(self._clock.now() - began)
        return made

    def _render(self, job: Job) -> Entry:
        key, old = job.key, job.previous.resources if job.previous is not None else {}
        last = old.get(key.service)
        previous = last.form if last is not None and key.type is ResourceType.ENDPOINTS else None
        forms = self.compiler.forms(
            job.decision, key.type, cohort=key.cohort, capabilities=job.capabilities, previous=previous
        )
        resources: dict[str, Resource] = {}
        findings: list[Finding] = []
        for form in forms:
            kept = old.get(form.name)
            made = kept if kept is not None and kept.form == form else self._checked(form, key, findings)
            made = made or kept
            if made is not None:
                resources[form.name] = kept if kept is not None and kept.body == made.body else made
        return Entry(job.decision, resources, tuple(findings))

    def _checked(self, form: Form, key: Key, findings: list[Finding]) -> Resource | None:
        """Encode a form that clients accept; note the problems of one they would reject and return None."""
        problems = self.compiler.problems(form)
        findings.extend(problems)
        return None if problems else self.resource(key.type, form, service=key.service)


@dataclass(slots=True)
class ResourceCache:
    """Entries in use. Bounded: what no view uses is dropped with the next change of its service."""

    _entries: dict[str, dict[Key, Entry]] = field(default_factory=dict)

    def entry(self, key: Key) -> Entry | None:
        """Return what was made last for ``key``."""
        return self._entries.get(key.service, {}).get(key)

    def keep(self, key: Key, entry: Entry) -> None:
        """Replace what was made for ``key``."""
        self._entries.setdefault(key.service, {})[key] = entry

    def prune(self, service: str, used: Iterable[Key]) -> None:
        """Drop the service's entries that are not in ``used``."""
        entries = self._entries.pop(service, {})
        kept = {key: entries[key] for key in used if key in entries}
        if kept:
            self._entries[service] = kept

    def findings(self) -> list[Finding]:
        """Return why forms are withheld, each reason once."""
        all_findings = (f for entries in self._entries.values() for entry in entries.values() for f in entry.findings)
        return list(dict.fromkeys(all_findings))
