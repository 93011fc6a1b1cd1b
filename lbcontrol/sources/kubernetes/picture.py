"""All that is known of a cluster: Services and EndpointSlices, and which snapshots they come to.

What the API server says goes in, what the sink has to be told comes out. Each Service's snapshots are made from all of
its slices at once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.kubernetes.objects import ENABLED, PORT, Key, Service, Slice
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.snapshots import FALSE, TRUE, Names, is_chosen, snapshots


@dataclass(frozen=True, slots=True)
class Telling:
    """What changed for the sink."""

    changed: tuple[ServiceSnapshot, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """True when there is something to say."""
        return bool(self.changed or self.removed)


@dataclass(slots=True)
class _Known:
    service: Service | None = None
    findings: tuple[Finding, ...] = ()
    slices: dict[Key, Slice] = field(default_factory=dict)


class Picture:
    """Begins empty; bounded by what the API server holds in the namespaces that are watched."""

    def __init__(self, source: str, options: KubernetesOptions) -> None:
        """Know nothing."""
        self.is_whole = False
        """True once everything was listed; nothing may be taken before."""
        self._source = source
        self._options = options
        self._names = Names(options.default_namespace, options.cluster_domain)
        self._known: dict[Key, _Known] = {}
        self._owner: dict[Key, Key] = {}
        self._told: dict[Key, dict[str, ServiceSnapshot]] = {}
        self._touched: dict[Key, None] = {}

    def put_service(self, service: Service) -> None:
        """A Service is new or different."""
        known = self._known.setdefault(service.key, _Known())
        known.service, known.findings = _kept(service, known.service)
        self._touch(service.key)

    def drop_service(self, key: Key) -> None:
        """A Service is gone."""
        if known := self._known.get(key):
            known.service = None
            self._touch(key)

    def put_slice(self, each: Slice) -> None:
        """An EndpointSlice is new or different; its label may have moved it to another Service."""
        owner = (each.key[0], each.service)
        if self._owner.get(each.key, owner) != owner:
            self.drop_slice(each.key)
        self._owner[each.key] = owner
        self._known.setdefault(owner, _Known()).slices[each.key] = each
        self._touch(owner)

    def drop_slice(self, key: Key) -> None:
        """An EndpointSlice is gone."""
        owner = self._owner.pop(key, None)
        if owner is not None:
            del self._known[owner].slices[key]
            self._touch(owner)

    def service_keys(self, namespace: str) -> set[Key]:
        """Return the Services known of a namespace; of all for ""."""
        return {key for key, known in self._known.items() if known.service and namespace in ("", key[0])}

    def slice_keys(self, namespace: str) -> set[Key]:
        """Return the EndpointSlices known of a namespace; of all for ""."""
        return {key for key in self._owner if namespace in ("", key[0])}

    @property
    def is_stirred(self) -> bool:
        """True while ``take`` may have something to say."""
        return bool(self._touched)

    def take(self, most: int) -> Telling:
        """Return what is new since the last call, of at most so many Services."""
        changed: list[ServiceSnapshot] = []
        removed: list[str] = []
        for key in list(itertools.islice(self._touched, most)):
            del self._touched[key]
            before, after = self._told.pop(key, {}), self._made(key)
            changed += [each for name, each in after.items() if before.get(name) != each]
            removed += [name for name in before if name not in after]
            if after:
                self._told[key] = after
        return Telling(tuple(changed), tuple(removed))

    def tell_all_again(self) -> None:
        """Begin anew with telling: what listens now has heard nothing."""
        self._told.clear()
        self._touched = dict.fromkeys(self._known)

    def _touch(self, key: Key) -> None:
        self._touched[key] = None
        known = self._known[key]
        if known.service is None and not known.slices:
            del self._known[key]

    def _made(self, key: Key) -> dict[str, ServiceSnapshot]:
        known = self._known.get(key)
        if known is None or known.service is None or not is_chosen(known.service, self._options):
            return {}
        made = snapshots(known.service, known.slices.values(), source=self._source, names=self._names)
        if made and known.findings:
            made[0] = replace(made[0], findings=(*known.findings, *made[0].findings))
        return {each.service: each for each in made}


def _kept(service: Service, before: Service | None) -> tuple[Service, tuple[Finding, ...]]:
    """Return the Service, with malformed annotations as they were in its last good form, and what is wrong."""
    wrong = [name for name in (ENABLED, PORT) if not _is_good(name, service)]
    if not wrong:
        return service, ()
    good = {name: value for name, value in service.annotations if name not in wrong}
    good |= {name: value for name, value in before.annotations if name in wrong} if before else {}
    kept = replace(service, annotations=tuple(sorted(good.items())))
    return kept, tuple(_malformed(name, service) for name in wrong)


def _is_good(name: str, service: Service) -> bool:
    value = service.annotation(name)
    return value is None or value in _accepted(name, service)


def _accepted(name: str, service: Service) -> list[str]:
    if name == ENABLED:
        return [TRUE, FALSE]
    return [said for port in service.ports for said in (str(port.number), port.name) if said]


def _malformed(name: str, service: Service) -> Finding:
    accepted = _accepted(name, service)
    place = f"Service {service.key[0]}/{service.key[1]}"
    write = f"{name}={accepted[0]}" if accepted else f"{name}-"
    return Finding(
        "LB230",
        f'{place} has annotation {name} "{(service.annotation(name) or "")[:100]}"',
        at=place,
        why="accepted: " + (", ".join(accepted) or "nothing, it has no TCP port"),
        effect="the Service keeps its last form",
        do=f"kubectl -n {service.key[0]} annotate --overwrite service {service.key[1]} {write}",
        severity=Severity.WARNING,
    )
