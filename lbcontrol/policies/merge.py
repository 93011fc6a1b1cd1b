"""Merge: the union of all snapshots of a service, each address once.

Goal: whoever reads ten slices of three registries gets one list, and gets the same list whatever arrives first.

* Endpoints of several sources add up. Snapshots come in order of precedence; of two claims on one address the earlier
  snapshot's weight, priority and locality count. Within one snapshot the claim with the smallest (origin, priority,
  weight, locality) counts, which does not depend on their order.
* The most pessimistic health counts, because each registry sees a part: not serving before draining before serving. A
  source that does not know (``unknown``) says nothing: serving and unknown are serving.
* ``last-good`` (what was served before a restart) only fills gaps: it yields to any source that names the address.

An address may stand only once in a list: gRPC clients reject the whole resource otherwise (gRFC A27, validation of
EDS). Cost: a few dictionary look-ups per endpoint. An endpoint that did not change keeps its ``Merged`` object, so
that everything after this step can tell by identity what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Endpoint, Health, Locality
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.policies.step import Chance

LAST_GOOD = "last-good"
"""Source name of what was served before a restart."""

PESSIMISM = {Health.NOT_SERVING: 0, Health.DRAINING: 1, Health.SERVING: 2, Health.UNKNOWN: 3}
"""The smallest of several healths counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """What all sources together say of one address.

    Equal only to itself: ``merge`` keeps the object while nothing changes, which makes it a cheap dictionary key.
    """

    address: Address
    weight: int
    locality: Locality
    priority: int
    """As asked for; gaps are closed later."""
    health: Health
    key: tuple[str, str, str, str, int]
    """Order of the list: locality, then address."""


@dataclass(frozen=True, slots=True)
class MergeOutput:
    """The merged list and how it differs from the one before."""

    endpoints: tuple[Merged, ...]
    """Sorted by (locality, address)."""
    changed: tuple[Address, ...] = ()
    """Addresses that are new or different."""
    gone: tuple[Address, ...] = ()
    """Addresses that no source names any more."""


@dataclass(frozen=True, slots=True)
class MergeState:
    """What the next run can use again."""

    snapshots: tuple[ServiceSnapshot, ...] = ()
    endpoints: tuple[Merged, ...] = ()
    known: Mapping[Address, Merged] = field(default_factory=dict)


def step(
    state: MergeState, inputs: tuple[ServiceSnapshot, ...], _now: float, _rng: Chance | None
) -> tuple[MergeState, MergeOutput]:
    """Merge the snapshots of one service, given in order of precedence.

    Raises:
        ValueError: an endpoint's weight or priority is outside what the model allows.
    """
    if len(inputs) == len(state.snapshots) and all(map(_is_same, inputs, state.snapshots)):
        return state, MergeOutput(state.endpoints)
    winners, healths = _winners(inputs)
    before = state.known
    known: dict[Address, Merged] = {}
    changed: list[Address] = []
    for address, endpoint in winners.items():
        health = healths.get(address, endpoint.health) if healths else endpoint.health
        old = before.get(address)
        if old is None or not _describes(old, endpoint, health):
            old = _merged(endpoint, health)
            changed.append(address)
        known[address] = old
    gone = tuple(address for address in before if address not in known)
    differs = bool(changed or gone)
    endpoints = tuple(sorted(known.values(), key=attrgetter("key"))) if differs else state.endpoints
    return MergeState(inputs, endpoints, known), MergeOutput(endpoints, tuple(changed), gone)


def claims(
    snapshots: Iterable[ServiceSnapshot], only: Collection[Address] | None = None
) -> dict[Address, list[tuple[str, Endpoint]]]:
    """Return what is claimed of each address as (source, endpoint); the first claim's weight and place count.

    Args:
        snapshots: In order of precedence.
        only: Leave all other addresses out; None for every address.
    """
    found: dict[Address, list[tuple[int, str, Endpoint]]] = {}
    for rank, snapshot in enumerate(snapshots):
        if snapshot.defines:
            for endpoint in snapshot.endpoints:
                if only is None or endpoint.address in only:
                    found.setdefault(endpoint.address, []).append((rank, snapshot.source, endpoint))
    return {address: _in_order(each) for address, each in found.items()}


def _in_order(found: list[tuple[int, str, Endpoint]]) -> list[tuple[str, Endpoint]]:
    real = [claim for claim in found if claim[1] != LAST_GOOD] or found
    return [
        (source, endpoint) for _, source, endpoint in sorted(real, key=lambda claim: (claim[0], *_content(claim[2])))
    ]


def _is_same(one: ServiceSnapshot, other: ServiceSnapshot) -> bool:
    return one is other


def _describes(old: Merged, endpoint: Endpoint, health: Health) -> bool:
    return (
        old.weight == endpoint.weight
        and old.health is health
        and old.priority == endpoint.priority
        and (old.locality is endpoint.locality or old.locality == endpoint.locality)
    )


def _merged(endpoint: Endpoint, health: Health) -> Merged:
    address, locality = endpoint.address, endpoint.locality
    if not 1 <= endpoint.weight <= MAX_WEIGHT_SUM:
        raise ValueError(f"{address} ({endpoint.origin}) has weight {endpoint.weight}; accepted: 1 to {MAX_WEIGHT_SUM}")
    if endpoint.priority < 0:
        raise ValueError(f"{address} ({endpoint.origin}) has priority {endpoint.priority}; accepted: 0 and above")
    key = (locality.region, locality.zone, locality.sub_zone, address.host, address.port)
    return Merged(address, endpoint.weight, locality, endpoint.priority, health, key)


def _content(endpoint: Endpoint) -> tuple[str, int, int, Locality]:
    return endpoint.origin, endpoint.priority, endpoint.weight, endpoint.locality


def _winners(snapshots: Iterable[ServiceSnapshot]) -> tuple[dict[Address, Endpoint], dict[Address, Health]]:
    """Return the claim that counts for each address, and the health of those claimed more than once."""
    winners: dict[Address, Endpoint] = {}
    twice: set[Address] = set()
    for snapshot in snapshots:
        if snapshot.defines:
            for endpoint in snapshot.endpoints:
                if winners.setdefault(endpoint.address, endpoint) is not endpoint:
                    twice.add(endpoint.address)
    worst: dict[Address, Health] = {}
    for address, found in (claims(snapshots, twice) if twice else {}).items():
        winners[address] = found[0][1]
        worst[address] = min((endpoint.health for _, endpoint in found), key=PESSIMISM.__getitem__)
    return winners, worst
