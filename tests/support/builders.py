"""Builders of model values for tests: what a test does not care about it need not write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lbcontrol.engine import events
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Decision
from lbcontrol.model.endpoints import Address, Endpoint, Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.services import PolicyClaim, PolicyRank, PolicySpec, ServiceSnapshot


def address(number: int) -> Address:
    """Return the address of test endpoint ``number``, 0 to 65535."""
    return Address(f"10.0.{number // 256}.{number % 256}", 50051)


def endpoint(number: int, *, zone: str = "", **fields: Any) -> Endpoint:
    """Return test endpoint ``number``; ``zone`` is one of region r1."""
    place = Locality("r1", zone) if zone else Locality()
    return Endpoint(address(number), **{"locality": place, **fields})


def snapshot(endpoints: Iterable[Endpoint] = (), **fields: Any) -> ServiceSnapshot:
    """Return what source ``one`` says of service ``greeter``, unless told otherwise."""
    return ServiceSnapshot(**{"service": "greeter", "source": "one", "endpoints": tuple(endpoints), **fields})


def claim(origin: str = "greeter.yaml:9", *, rank: PolicyRank = PolicyRank.SERVICE_FILE, **spec: Any) -> PolicyClaim:
    """Return a policy with these settings."""
    return PolicyClaim(PolicySpec(**spec), rank, origin)


def drain(number: int, **fields: Any) -> Override:
    """Return an operator's drain of test endpoint ``number`` of greeter."""
    return Override(**{"service": "greeter", "address": address(number), "kind": OverrideKind.DRAIN, **fields})


def set_weight(number: int, weight: int | None, **fields: Any) -> Override:
    """Return an operator's weight for test endpoint ``number`` of greeter."""
    return Override(
        **{
            "service": "greeter",
            "address": address(number),
            "kind": OverrideKind.WEIGHT,
            "weight": weight,
            **fields,
        }
    )


def cleared(override: Override) -> events.OverrideCleared:
    """Return the event that takes an override back."""
    return events.OverrideCleared(override.service, override.address, override.kind)


def lost(what: str = "connection refused") -> Finding:
    """Return why a source cannot be read."""
    return Finding("LB201", what)


def updated(*changed: ServiceSnapshot, removed: Iterable[str] = ()) -> events.SourceUpdated:
    """Return the event by which the source of the first snapshot (or ``one``) replaces its picture of services."""
    return events.SourceUpdated(changed[0].source if changed else "one", changed, tuple(removed))


class Fed:
    """An engine with its last decisions, fed at times that only grow."""

    def __init__(self, *sources: str, epoch: int = 1, sync: bool = True) -> None:
        """Begin with these sources (none: ``one``), synced or not."""
        self.engine = Engine(epoch=epoch)
        self.last: dict[str, Decision] = {}
        self.wall = 1000.0
        names = sources or ("one",)
        self.feed(*(events.SourceAdded(name) for name in names))
        if sync:
            self.feed(*(events.SourceSynced(name) for name in names))

    def feed(self, *happened: Event) -> tuple[Decision, ...]:
        """Apply events one second apart and return the decisions of all of them."""
        made: list[Decision] = []
        for event in happened:
            self.wall += 1.0
            made += self.engine.apply(event, now=self.wall - 900.0, wall=self.wall)
        self.last.update({decision.service: decision for decision in made})
        return tuple(made)

    def one(self, *happened: Event) -> Decision:
        """Apply events and return the one decision they make."""
        (made,) = self.feed(*happened)
        return made

    def greeter(self, cohort: str = EVERYONE) -> tuple[AssignedEndpoint, ...]:
        """Return what clients of greeter dial by the last decision."""
        return self.last["greeter"].assignments[cohort].endpoints


def weights(endpoints: Iterable[AssignedEndpoint]) -> dict[str, int]:
    """Return weights by the last part of the address."""
    return {each.address.host.rpartition(".")[2]: each.weight for each in endpoints}
