"""All that is known of a cluster: Services, EndpointSlices and ServicePolicies, and which snapshots they come to.

What the API server says goes in, what the sink has to be told comes out. Each Service's snapshots are made from all of
its slices and policies at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from lbcontrol.model.findings import Finding
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.kubernetes.annotations import kept
from lbcontrol.sources.kubernetes.attachment import PolicyBook
from lbcontrol.sources.kubernetes.objects import Key, Service, Slice
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.snapshots import Names, is_chosen, snapshots
from lbcontrol.sources.kubernetes.verdicts import Presence, missing_targets

MOST_FINDINGS = 100
"""Findings about objects that no snapshot carries."""


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
        self.policies = PolicyBook()
        """Change it by ``put_policy`` and ``drop_policy`` alone."""
        self._source = source
        self._options = options
        self._names = Names(options.default_namespace, options.cluster_domain)
        self._known: dict[Key, _Known] = {}
        self._owner: dict[Key, Key] = {}
        self._told: dict[Key, dict[str, ServiceSnapshot]] = {}
        self._touched: dict[Key, None] = {}
        self._policies_touched: dict[Key, None] = {}
        self._services_touched: dict[Key, None] = {}
        self._complaints: dict[tuple[str, Key], tuple[Finding, ...]] = {}

    def put_service(self, service: Service) -> None:
        """A Service is new or different."""
        known = self._known.setdefault(service.key, _Known())
        known.service, known.findings = kept(service, known.service)
        self._service_moved(service.key)

    def drop_service(self, key: Key) -> None:
        """A Service is gone."""
        if known := self._known.get(key):
            known.service, known.findings = None, ()
            self._service_moved(key)

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

    def put_policy(self, policy: Policy) -> None:
        """A ServicePolicy is new or different."""
        self._policies_moved(policy.key, self.policies.put(policy))

    def drop_policy(self, key: Key) -> None:
        """A ServicePolicy is gone."""
        self._policies_moved(key, self.policies.drop(key))

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

    # What is told to people, in the cluster and here.

    def take_moved(self) -> tuple[list[Key], list[Key]]:
        """Return the policies and the Services about which something may be new since the last call."""
        moved = list(self._policies_touched), list(self._services_touched)
        self._policies_touched.clear()
        self._services_touched.clear()
        return moved

    def service(self, key: Key) -> tuple[Service | None, tuple[Finding, ...]]:
        """Return a Service, in its last good form, and what is wrong with its annotations."""
        known = self._known.get(key) or _Known()
        return known.service, known.findings

    def presence(self, key: Key) -> Presence:
        """Return how a Service is there."""
        service, _ = self.service(key)
        if service is None:
            return Presence.MISSING
        if not is_chosen(service, self._options):
            return Presence.NOT_BALANCED
        return Presence.BALANCED if service.ports else Presence.PORTLESS

    def told(self, key: Key) -> tuple[str, ...]:
        """Return the names under which a Service was told to the sink, one for each port."""
        return tuple(self._told.get(key, ()))

    def faulty_services(self) -> list[Key]:
        """Return the Services whose annotations are wrong."""
        return [key for key, known in self._known.items() if known.findings]

    def findings(self) -> Iterator[Finding]:
        """Return what is wrong with objects of which no snapshot speaks."""
        return itertools.islice(itertools.chain.from_iterable(self._complaints.values()), MOST_FINDINGS)

    def _service_moved(self, key: Key) -> None:
        self._services_touched[key] = None
        _, findings = self.service(key)
        silent = findings if self.presence(key) is not Presence.BALANCED else ()
        self._complain("Service", key, silent)
        self._stir(self.policies.concerning(key))
        self._touch(key)

    def _policies_moved(self, key: Key, services: frozenset[Key]) -> None:
        self._stir({key}.union(*(self.policies.concerning(service) for service in services)))
        for service in services & self._known.keys():
            self._touch(service)

    def _stir(self, policies: Iterable[Key]) -> None:
        for key in policies:
            self._policies_touched[key] = None
            held = self.policies.find(key)
            newest = held.newest if held else None
            targets = missing_targets(newest, self.presence) if newest else ()
            self._complain("ServicePolicy", key, (*newest.findings, *targets) if newest else ())

    def _complain(self, kind: str, key: Key, findings: tuple[Finding, ...]) -> None:
        self._complaints.pop((kind, key), None)
        if findings:
            self._complaints[kind, key] = findings

    def _touch(self, key: Key) -> None:
        self._touched[key] = None
        known = self._known[key]
        if known.service is None and not known.slices:
            del self._known[key]

    def _made(self, key: Key) -> dict[str, ServiceSnapshot]:
        known = self._known.get(key)
        if known is None or known.service is None or not is_chosen(known.service, self._options):
            return {}
        policies = self.policies.ranked(key)
        made = snapshots(
            known.service, known.slices.values(), source=self._source, names=self._names, policies=policies
        )
        if made and known.findings:
            made[0] = replace(made[0], findings=(*known.findings, *made[0].findings))
        return {each.service: each for each in made}
