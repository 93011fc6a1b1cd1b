"""Decisions to compile: short to write, and a set of varied ones that every kind of client must be able to take."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from lbcontrol.engine.compile.client_table import TABLE
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment, Decision, Mark
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Health, Locality
from lbcontrol.model.services import BackendRef, Drop, LoadBalancer, LoadBalancerType, PolicySpec, RouteRule

ZONES = tuple(Locality("r1", zone, rack) for zone in ("a", "b", "c") for rack in ("", "rack7"))


def assigned(
    number: int, weight: int = 1, *, zone: int = 0, priority: int = 0, health: Health = Health.SERVING
) -> AssignedEndpoint:
    """Return endpoint number ``number``, whose address follows from the number alone."""
    address = Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 50051)
    return AssignedEndpoint(address, weight, ZONES[zone % len(ZONES)], priority, health)


def decided(
    endpoints: Iterable[AssignedEndpoint],
    policy: PolicySpec | None = None,
    *,
    aliases: tuple[str, ...] = (),
    rules: tuple[RouteRule, ...] = (),
) -> Decision:
    """Return a decision with one cohort, its endpoints in the order of an assignment."""
    ordered = tuple(sorted(endpoints, key=lambda one: (one.priority, one.locality, one.address)))
    spec = policy or PolicySpec()
    everyone = Assignment("greeter", EVERYONE, ordered, spec)
    return Decision("greeter", Mark(1, 1), {EVERYONE: everyone}, aliases=aliases, policy=spec, rules=rules)


def weighted(*weights: int) -> list[AssignedEndpoint]:
    """Return one endpoint for each weight, spread over the zones."""
    return [assigned(number, weight, zone=number) for number, weight in enumerate(weights)]


def split(*weights: int) -> tuple[RouteRule, ...]:
    """Return a rule that splits over services v0, v1 and so on."""
    return (RouteRule(tuple(BackendRef(f"v{number}", weight) for number, weight in enumerate(weights))),)


def balanced(type_: LoadBalancerType, header: str = "") -> PolicySpec:
    """Return a policy that asks for a client policy."""
    return PolicySpec(load_balancer=LoadBalancer(type_, header))


def many(count: int, *, most: int = 800) -> list[AssignedEndpoint]:
    """Return ``count`` endpoints with reproducible weights up to ``most``."""
    rng = random.Random(count)
    return weighted(*(rng.randint(1, most) for _ in range(count)))


_LIMITS = PolicySpec(max_requests=10, connect_timeout=2.5, timeout=30.0, drops=(Drop("shed", 30.0), Drop("test", 0.01)))
_MIXED = [
    assigned(0, 3, priority=2, health=Health.DRAINING),
    assigned(1, 3, priority=4, health=Health.UNKNOWN),
    assigned(2, 5, priority=4, zone=3),
    assigned(3, 1, priority=9),
    assigned(4, 1, priority=9, health=Health.DRAINING, zone=2),
]
_V6 = AssignedEndpoint(Address("2001:db8::1", 1), 7, Locality(), 0, Health.SERVING)

DECISIONS: dict[str, Decision] = {
    "no endpoints": decided([]),
    "one": decided([assigned(0)]),
    "1:2:5": decided(weighted(1, 2, 5), aliases=("greeter.shop:50051", "greeter")),
    "priorities with draining": decided(_MIXED),
    "all draining": decided([assigned(n, health=Health.DRAINING, zone=n) for n in range(3)]),
    "greatest weights": decided(weighted(MAX_WEIGHT_SUM, MAX_WEIGHT_SUM, 1, MAX_WEIGHT_SUM)),
    "one zone of many weights": decided([assigned(n, 1 << n % 32) for n in range(64)]),
    "IPv6 beside nothing": decided([_V6, assigned(1)]),
    "limits": decided(weighted(1, 2, 5), _LIMITS),
    "split": decided(weighted(1), rules=split(90, 10)),
    "split with zero": decided(weighted(1), rules=split(0, 10)),
    "split with nothing": decided(weighted(1), rules=split(0, 0)),
    "split of greatest": decided(weighted(1), rules=split(MAX_WEIGHT_SUM, 5, 0, MAX_WEIGHT_SUM)),
    "500": decided(many(500)),
    "501": decided(many(501)),
    "510 of very different weight": decided(many(510, most=10**8)),
    **{f"asked for {one}": decided(weighted(1, 2, 5, 9), balanced(one, "x-user")) for one in LoadBalancerType},
    "ring of greatest": decided(weighted(MAX_WEIGHT_SUM, MAX_WEIGHT_SUM, 9), balanced(LoadBalancerType.RING_HASH)),
    "long ring": decided(many(100), balanced(LoadBalancerType.RING_HASH)),
}
"""What every kind is tried with, by a name for people."""


def profiles() -> Sequence[ClientProfile]:
    """Return a client for each kind and for each version at which a row of the table begins or ends."""
    found: dict[tuple[str, str], ClientProfile] = {}
    for row in TABLE:
        edges = ("", "9999.0", *(".".join(map(str, one)) for one in (row.since, row.until) if one))
        for version in edges:
            found[row.kind, version] = ClientProfile(kind=row.kind, version=version)
    carriers = [{"lbcontrol.carrier": name} for name in ("locality", "real", "endpoint")]
    kinds = dict.fromkeys(row.kind for row in TABLE)
    chosen = [ClientProfile(kind=kind, version="9999.0", metadata=one) for kind in kinds for one in carriers]
    return [*found.values(), *chosen]
