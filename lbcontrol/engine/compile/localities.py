"""Carriers: the endpoints of an assignment as localities that make a kind of client use the weights.

Stock gRPC clients ignore endpoint weights but obey locality weights, so each endpoint gets a locality of its own
(``locality``), or shares one with those of like weight (``classes``). What cannot be told so stands in its real
locality (``real``), and who reads endpoint weights gets them (``endpoint``, ``native``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from lbcontrol.engine.compile.capabilities import Capabilities
from lbcontrol.engine.compile.client_table import Carrier, Drain
from lbcontrol.engine.compile.products import endpoint_parts, locality_parts
from lbcontrol.engine.compile.published import Listed, Published, form_of
from lbcontrol.engine.compile.weight_classes import Grid, class_name
from lbcontrol.model.assignment import AssignedEndpoint
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Health, Locality
from lbcontrol.model.rendering import EndpointsForm, LocalityForm
from lbcontrol.model.services import LoadBalancerType

MULTIPLIED = frozenset({LoadBalancerType.RING_HASH, LoadBalancerType.PICK_FIRST})
"""Policies under which gRPC clients use the product of locality and endpoint weight."""

Group = tuple[int, str, str, str]
"""Priority, region, zone, sub-zone: what a locality is told apart by."""
Groups = dict[Group, list[Listed]]


def endpoint_key(address: Address) -> str:
    """Return the sub-zone an endpoint has to itself; it never changes while the address does not."""
    return str(address)


def listed(endpoints: Iterable[AssignedEndpoint], drain: Drain) -> list[AssignedEndpoint]:
    """Return the endpoints a client is told, their order kept."""
    if drain is Drain.KEPT:
        return list(endpoints)
    return [endpoint for endpoint in endpoints if endpoint.health is not Health.DRAINING]


def scaled(endpoints: Sequence[AssignedEndpoint]) -> list[int]:
    """Return weights whose sum in each priority is at most 2^32 - 1, each at least 1, in their old proportion."""
    weights = [endpoint.weight for endpoint in endpoints]
    if max(weights, default=0) * len(weights) <= MAX_WEIGHT_SUM:
        return weights
    sums: Counter[int] = Counter()
    counts: Counter[int] = Counter()
    for endpoint in endpoints:
        sums[endpoint.priority] += endpoint.weight
        counts[endpoint.priority] += 1
    room = {priority: min(total, MAX_WEIGHT_SUM - counts[priority]) for priority, total in sums.items()}
    return [max(1, e.weight * room[e.priority] // sums[e.priority]) for e in endpoints]


def _sum(members: Iterable[Listed]) -> int:
    """Return the sum over who takes new work; 1 when nobody does, because 0 would be rejected."""
    return max(1, sum([weight for endpoint, weight, _ in members if endpoint.health is not Health.DRAINING]))


def _single(told: Iterable[Listed], ranks: dict[int, int]) -> Iterator[LocalityForm]:
    for one in told:
        endpoint, weight, _ = one
        place = Locality(endpoint.locality.region, endpoint.locality.zone, endpoint_key(endpoint.address))
        yield LocalityForm(place, ranks[endpoint.priority], weight, (form_of(one, None),))


def _grouped(groups: Groups, *, weighted: bool) -> Iterator[LocalityForm]:
    for (rank, *place), members in sorted(groups.items(), key=itemgetter(0)):
        forms = tuple([form_of(one, one[1] if weighted else None) for one in members])
        yield LocalityForm(Locality(*place), rank, _sum(members), forms)


def _multiplied(groups: Groups) -> Iterator[LocalityForm]:
    for rank, group in groupby(sorted(groups), key=itemgetter(0)):
        keys = list(group)
        sums = {key: _sum(groups[key]) for key in keys}
        for key, share in locality_parts(sums).items():
            weights = [weight for _, weight, _ in groups[key]]
            parts = endpoint_parts(weights, sums[key], alone=len(keys) == 1)
            forms = tuple([form_of(one, weight) for one, weight in zip(groups[key], parts, strict=True)])
            yield LocalityForm(Locality(*key[1:]), rank, share, forms)


def _by_place(told: Sequence[Listed], ranks: dict[int, int], sub_zones: Iterable[str]) -> Groups:
    groups: Groups = {}
    for one, sub_zone in zip(told, sub_zones, strict=True):
        where = one[0].locality
        key = (ranks[one[0].priority], where.region, where.zone, sub_zone)
        members = groups.get(key)
        if members is None:
            members = groups[key] = []
        members.append(one)
    return groups


def _class_names(told: Sequence[Listed], published: Published) -> list[str]:
    classes = published.carrier == Carrier.CLASSES
    grid = Grid(published.sub_zones if classes else ())
    before = [known[1] if classes and known is not None else None for _, _, known in told]
    steps, numbers = grid.classify(before, [weight for _, weight, _ in told])
    names = {number: class_name(steps, number) for number in set(numbers)}
    return [names[number] for number in numbers]


def carrier_for(count: int, capabilities: Capabilities, *, asked: LoadBalancerType, previous: str) -> Carrier:
    """Return the carrier for a list of ``count`` endpoints after one with carrier ``previous``."""
    carrier = capabilities.carrier_under(asked)
    if carrier is not Carrier.LOCALITY:
        return carrier
    long = count > capabilities.max_localities
    still = previous == Carrier.CLASSES and count >= capabilities.few_localities
    return Carrier.CLASSES if long or still else carrier


def localities(
    endpoints: Iterable[AssignedEndpoint],
    capabilities: Capabilities,
    *,
    asked: LoadBalancerType,
    previous: EndpointsForm | None,
) -> tuple[Carrier, tuple[LocalityForm, ...]]:
    """Return the carrier used and the localities, priorities contiguous from 0.

    Args:
        endpoints: of one assignment, in its order; addresses unique, weights at least 1.
        capabilities: of the kind of client.
        asked: the client policy that is wanted.
        previous: what such clients were told last; decides only where two forms are equally right.
    """
    shown = listed(endpoints, capabilities.drain)
    ranks = {priority: rank for rank, priority in enumerate(sorted({endpoint.priority for endpoint in shown}))}
    published = Published(previous)
    told = published.listed(shown, scaled(shown))
    carrier = carrier_for(len(told), capabilities, asked=asked, previous=published.carrier)
    if carrier is Carrier.LOCALITY:
        return carrier, published.kept(_single(told, ranks))
    if carrier is Carrier.CLASSES:
        groups = _by_place(told, ranks, _class_names(told, published))
        return carrier, published.kept(_grouped(groups, weighted=False))
    groups = _by_place(told, ranks, [endpoint.locality.sub_zone for endpoint, _, _ in told])
    if capabilities.locality_weights and asked in MULTIPLIED:
        return carrier, published.kept(_multiplied(groups))
    return carrier, published.kept(_grouped(groups, weighted=carrier is not Carrier.REAL))
