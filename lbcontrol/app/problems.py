"""Everything that needs a hand, collected from whoever knows of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from lbcontrol.app.running import Findings
from lbcontrol.engine.compile import limitations
from lbcontrol.engine.engine import Engine
from lbcontrol.frontends.admin_ports import ClientView, ProblemView, SourceView
from lbcontrol.model.findings import Finding, Severity

Group = tuple[str, str]
"""Service and client kind."""


def problems_of(
    engine: Engine, *, sources: Iterable[SourceView], clients: Sequence[ClientView], tellers: Iterable[Findings]
) -> list[ProblemView]:
    """Return what is wrong with sources, services, clients and this process, each thing once.

    Args:
        engine: Tells of services.
        sources: As operators see them; with what is wrong with their files.
        clients: All connected ones.
        tellers: Further parts that can say what is wrong: publisher, persistence, store.
    """
    found = [
        *_of_sources(sources),
        *_of_services(engine),
        *_of_clients(engine, clients),
        *(ProblemView(each, "server") for teller in tellers for each in teller.findings()),
    ]
    once: dict[Finding, ProblemView] = {}
    for each in found:
        once.setdefault(each.finding, each)
    return list(once.values())


def _of_sources(sources: Iterable[SourceView]) -> Iterator[ProblemView]:
    for view in sources:
        for finding in view.findings:
            yield ProblemView(finding, f"source {view.name}")
        if not view.synced:
            what = f'source "{view.name}" has not handed over its first picture'
            effect = "names it may define are not yet told to be unknown"
            finding = Finding("LB220", what, effect=effect, do="lbcontrol sources", severity=Severity.WARNING)
            yield ProblemView(finding, f"source {view.name}")


def _of_services(engine: Engine) -> Iterator[ProblemView]:
    for service, finding in engine.frozen().items():
        yield ProblemView(finding, f"service {service}")
    for service in engine.services():
        case = engine.case(service)
        if case is not None:
            said = (*case.decision.findings, *limitations(case.decision.policy, name=f'"{service}"'))
            yield from (ProblemView(finding, f"service {service}") for finding in said)


def _of_clients(engine: Engine, clients: Sequence[ClientView]) -> Iterator[ProblemView]:
    rejections: dict[Group, Finding] = {}
    rejecting: Counter[Group] = Counter()
    placeless: Counter[Group] = Counter()
    for client in clients:
        for subscription in client.subscriptions:
            group = (subscription.service, client.profile.kind)
            if subscription.rejection is not None:
                rejections.setdefault(group, subscription.rejection)
                rejecting[group] += 1
            if not client.profile.locality.has_zone:
                placeless[group] += 1
    for group, finding in rejections.items():
        yield ProblemView(_counted(finding, rejecting[group]), f"service {group[0]}")
    zoned = {service: _zones_of(engine, service) for service, _ in placeless}  # Once for a service, not for a client.
    for (service, kind), count in placeless.items():
        if zoned[service]:
            yield ProblemView(_without_zone(service, kind, count=count, zoned=zoned[service]), f"service {service}")


def _zones_of(engine: Engine, service: str) -> str:
    """Return why it matters where a client of a service runs; "" when it does not."""
    case = engine.case(service)
    if case is None:
        return ""
    if case.decision.policy.prefer_zone:
        return "prefers the client's zone"
    places = (endpoint.locality for snapshot in case.snapshots for endpoint in snapshot.endpoints)
    zones = {(place.region, place.zone) for place in places if place.has_zone}
    return f"has endpoints in {len(zones)} zones" if len(zones) > 1 else ""


def _counted(finding: Finding, count: int) -> Finding:
    """Return the first client's rejection, with the number of the others like it."""
    if count == 1:
        return finding
    return dataclasses.replace(finding, what=f"{finding.what}, and {count - 1} more clients of that kind")


def _without_zone(service: str, kind: str, *, count: int, zoned: str) -> Finding:
    who = f"{count} {kind} client does not say its" if count == 1 else f"{count} {kind} clients do not say their"
    return Finding(
        "LB314",
        f'{who} zone, though "{service}" {zoned}',
        why="node.locality is empty in the client's bootstrap",
        effect="it is sent to all zones alike",
        do="lbcontrol bootstrap --zone ZONE",
        severity=Severity.WARNING,
    )
