"""Last-good: what was served before a restart, as a source of lowest precedence.

It never removes and always yields: an address, policy, rule or alias that a real source names is the real source's
(``policies/merge.py`` for addresses, ``PolicyRank.DEFAULT`` for policies, the last rank for names and rules). Once all
sources have synced it goes, and with it what no source names. One exception: while something could not be read
(a broken file), a service that no source defines is kept, because it may be in what is unreadable.
"""

from __future__ import annotations

import dataclasses

from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.endpoints import Address, Endpoint, Health
from lbcontrol.model.services import PolicyClaim, PolicyRank, ServiceSnapshot
from lbcontrol.policies.merge import LAST_GOOD

RANK = 1 << 30
"""Behind every real source."""


def snapshot_of(decision: Decision) -> ServiceSnapshot:
    """Return a stored decision as a snapshot; weights and drains of operators are already in its numbers."""
    endpoints = tuple(
        Endpoint(each.address, each.weight, each.locality, each.priority, each.health, LAST_GOOD)
        for each in decision.assignments[EVERYONE].endpoints
    )
    return ServiceSnapshot(
        service=decision.service,
        source=LAST_GOOD,
        mark=str(decision.mark),
        endpoints=endpoints,
        aliases=decision.aliases,
        policies=(PolicyClaim(decision.policy, PolicyRank.DEFAULT, LAST_GOOD),),
        rules=decision.rules,
        origin=LAST_GOOD,
    )


def undrained(snapshot: ServiceSnapshot, address: Address) -> ServiceSnapshot:
    """Return the snapshot after an operator took back a drain: how the endpoint is now, nobody has said."""
    endpoints = tuple(
        dataclasses.replace(each, health=Health.UNKNOWN)
        if each.address == address and each.health is Health.DRAINING
        else each
        for each in snapshot.endpoints
    )
    return dataclasses.replace(snapshot, endpoints=endpoints)
