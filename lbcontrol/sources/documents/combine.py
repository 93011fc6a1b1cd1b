"""Several files as one picture: which of them fit together, and the snapshots they make.

Files are independent: one that does not fit beside the others is refused as if it were wrong in itself, and what it
said before stays. Who is first is who is in force already; at the start, the order of the names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import PolicyClaim, ServiceSnapshot
from lbcontrol.sources.documents.checks import name_taken, policy_taken, zone_and_priority
from lbcontrol.sources.documents.documents import Documents, ServiceEntry
from lbcontrol.sources.documents.refusals import Problem, RefusalError, findings_of
from lbcontrol.sources.documents.services import MAX_SERVICES
from lbcontrol.sources.documents.warn import TOLD_LATER, precedence, warnings_of

Files = Mapping[str, Documents]
"""What each file says, by its path."""


def settled(kept: Files, newest: Files) -> tuple[dict[str, Documents], dict[str, tuple[Finding, ...]]]:
    """Choose for each file between what it said and what it says now.

    Args:
        kept: What is in force; fits together.
        newest: What files say now, those that can be read; may contain what is in ``kept``.

    Returns:
        What is in force from now on, and for each file whose newest content is refused the reasons.
    """
    claims, wanted = _Claims(), {**kept, **newest}
    if claims.take_all(wanted.values()):
        return wanted, {}
    claims, result = _Claims(), dict(kept)
    claims.take_all(kept.values())
    waiting = sorted(path for path in newest if newest[path] is not kept.get(path))
    moved = True
    while moved:  # A file that lets go of a name may make room for another that was refused before.
        moved = False
        for path in tuple(waiting):
            if claims.replace(result.get(path), newest[path]):
                result[path] = newest[path]
                waiting.remove(path)
                moved = True
    refused = {}
    for path in waiting:
        claims.drop(result.get(path))
        refused[path] = findings_of(claims.against(newest[path]), path=path)
        claims.take(result.get(path))
    return result, refused


class _Claims:
    """Who holds which name; and who says what about priorities."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._services: set[str] = set()
        self._policies: dict[str, str] = {}
        self._prioritised: dict[str, str] = {}
        self._by_zone: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def take_all(self, documents: Iterable[Documents]) -> bool:
        """Take the claims of files in turn; False as soon as one does not fit."""
        return all(self.replace(None, each) for each in documents)

    def replace(self, old: Documents | None, new: Documents) -> bool:
        """Put a file's new claims in the place of its old ones, or change nothing and return False."""
        self.drop(old)
        fits = not self.against(new)
        self.take(new if fits else old)
        return fits

    def take(self, documents: Documents | None) -> None:
        """Remember what a file claims."""
        for service in documents.services if documents else ():
            place = f"{documents.path}:{service.line}" if documents else ""
            self._services.add(service.name)
            self._names.update(dict.fromkeys((service.name, *service.aliases), place))
            if service.prioritised:
                self._prioritised[service.name] = place
        for policy in documents.policies if documents else ():
            place = f"{documents.path}:{policy.line}" if documents else ""
            self._policies[policy.name] = place
            if policy.claim.spec.prefer_zone:
                for target in policy.targets:
                    self._by_zone[target][policy.name] = place

    def drop(self, documents: Documents | None) -> None:
        """Forget what a file claims."""
        for service in documents.services if documents else ():
            self._services.discard(service.name)
            self._prioritised.pop(service.name, None)
            for name in (service.name, *service.aliases):
                del self._names[name]
        for policy in documents.policies if documents else ():
            del self._policies[policy.name]
            for target in policy.targets:
                self._by_zone[target].pop(policy.name, None)

    def against(self, documents: Documents) -> list[Problem]:
        """Return why these documents do not fit beside the others."""
        problems = [problem for service in documents.services for problem in self._against_service(service)]
        for policy in documents.policies:
            label = f"ServicePolicy {policy.name}"
            if policy.name in self._policies:
                problems.append(Problem(policy.line, label, policy_taken(policy.name, self._policies[policy.name])))
            hit = [name for name in policy.targets if policy.claim.spec.prefer_zone and name in self._prioritised]
            problems += [Problem(policy.line, label, zone_and_priority(n, self._prioritised[n])) for n in hit]
        total = len(self._services) + len(documents.services)
        if documents.services and total > MAX_SERVICES:
            refusal = RefusalError("LB125", f"{total} services in one source", why=f"the limit is {MAX_SERVICES}")
            problems.append(Problem(1, "services", refusal))
        return problems

    def _against_service(self, service: ServiceEntry) -> list[Problem]:
        taken = [name for name in (service.name, *service.aliases) if name in self._names]
        problems = [Problem(service.line, service.name, name_taken(name, self._names[name])) for name in taken]
        if service.prioritised and self._by_zone.get(service.name):
            place = next(iter(self._by_zone[service.name].values()))
            why = f"the ServicePolicy at {place} has locality.prefer: Zone"
            what = f"endpoints[].priority and locality.prefer: Zone exclude each other, for service {service.name}"
            refusal = RefusalError("LB122", what, why=why, do="take one of the two out")
            problems.append(Problem(service.line, service.name, refusal))
        return problems


def snapshots_of(files: Iterable[Documents], *, source: str) -> dict[str, ServiceSnapshot]:
    """Return the picture of every service that these files define or set a policy for, by name."""
    documents = list(files)
    claims: defaultdict[str, list[PolicyClaim]] = defaultdict(list)
    marks: defaultdict[str, list[str]] = defaultdict(list)
    entries: dict[str, ServiceEntry] = {}
    for each in documents:
        for service in each.services:
            entries[service.name] = service
            claims[service.name] += [service.policy] if service.policy else []
            marks[service.name].append(each.mark)
        for policy in each.policies:
            for target in policy.targets:
                claims[target].append(policy.claim)
                marks[target].append(each.mark)
    findings = warnings_of(documents)
    return {
        name: _snapshot(
            ServiceSnapshot(
                name,
                source,
                mark="+".join(dict.fromkeys(marks[name])),
                policies=tuple(sorted(claims[name], key=precedence)),
                findings=tuple(each for each in findings.get(name, ()) if each.code not in TOLD_LATER),
            ),
            entries.get(name),
        )
        for name in sorted(claims.keys() | entries.keys())
    }


def _snapshot(base: ServiceSnapshot, entry: ServiceEntry | None) -> ServiceSnapshot:
    if entry is None:
        return replace(base, defines=False, origin=base.policies[0].origin)
    return replace(base, endpoints=entry.endpoints, aliases=entry.aliases, rules=entry.rules, origin=entry.origin)
