"""Annotations of ours on Services: which are right, and what a Service keeps when they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lbcontrol.model.findings import Finding, Severity
from lbcontrol.sources.documents.refusals import accepted
from lbcontrol.sources.kubernetes.objects import ENABLED, PORT, Service
from lbcontrol.sources.kubernetes.snapshots import FALSE, TRUE

KNOWN = (ENABLED, PORT)
MOST_UNKNOWN = 10
"""Annotations of one Service that nothing reads and that are told of."""


def kept(service: Service, before: Service | None) -> tuple[Service, tuple[Finding, ...]]:
    """Return the Service, with malformed annotations as they were in its last good form, and what is wrong.

    Args:
        service: As the API server has it.
        before: Its last good form; None when it is new.
    """
    wrong = [name for name in KNOWN if not _is_good(name, service)]
    findings = (*(_malformed(name, service) for name in wrong), *_unknown(service))
    if not wrong:
        return service, findings
    good = {name: value for name, value in service.annotations if name not in wrong}
    good |= {name: value for name, value in before.annotations if name in wrong} if before else {}
    return replace(service, annotations=tuple(sorted(good.items()))), findings


def _is_good(name: str, service: Service) -> bool:
    value = service.annotation(name)
    return value is None or value in _accepted(name, service)


def _accepted(name: str, service: Service) -> list[str]:
    if name == ENABLED:
        return [TRUE, FALSE]
    return [said for port in service.ports for said in (str(port.number), port.name) if said]


def _malformed(name: str, service: Service) -> Finding:
    values = _accepted(name, service)
    place = f"Service {service.key[0]}/{service.key[1]}"
    write = f"{name}={values[0]}" if values else f"{name}-"
    return Finding(
        "LB230",
        f'{place} has annotation {name} "{(service.annotation(name) or "")[:100]}"',
        at=place,
        why="accepted: " + (", ".join(values) or "nothing, it has no TCP port"),
        effect="the Service keeps its last form",
        do=f"kubectl -n {service.key[0]} annotate --overwrite service {service.key[1]} {write}",
        severity=Severity.WARNING,
    )


def _unknown(service: Service) -> Iterator[Finding]:
    place = f"Service {service.key[0]}/{service.key[1]}"
    for name in [name for name, _ in service.annotations if name not in KNOWN][:MOST_UNKNOWN]:
        yield Finding(
            "LB230",
            f"{place} has the unknown annotation {name[:100]}",
            at=place,
            why=accepted(list(KNOWN), name),
            effect="it says nothing",
            do=f"kubectl -n {service.key[0]} annotate service {service.key[1]} {name[:100]}-",
            severity=Severity.WARNING,
        )
