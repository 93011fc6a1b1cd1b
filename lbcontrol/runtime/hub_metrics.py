"""What the hub counts: decisions, endpoints by health, sources. Series of services that are gone are removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lbcontrol.engine.state import SourceState
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.endpoints import Health
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.metrics import CAUSES, Metrics

MOST_SERVICES = 10_000
"""Services with series of their own; what is over is in the sums only."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One decision in numbers; made where the engine runs, because it looks at every endpoint."""

    service: str
    healths: Mapping[Health, int]
    cohorts: int
    """0 for a removed service."""


def tally(decision: Decision, snapshots: Iterable[ServiceSnapshot]) -> Tally:
    """Count the endpoints of a decision; those that some source names and nobody is sent to are not serving."""
    everyone = decision.assignments.get(EVERYONE)
    assigned = everyone.endpoints if everyone is not None else ()
    healths = Counter(each.health for each in assigned)
    named = {endpoint.address for snapshot in snapshots for endpoint in snapshot.endpoints}
    healths[Health.NOT_SERVING] = len(named.difference(each.address for each in assigned))
    return Tally(decision.service, healths, 0 if decision.removed else len(decision.assignments))


class HubMetrics:
    """Keeps the engine's and sources' families up to date."""

    def __init__(self, metrics: Metrics) -> None:
        """Write into ``metrics``."""
        self._metrics = metrics
        self._cohorts: dict[str, int] = {}
        self._frozen: set[str] = set()

    def computed(self, seconds: float) -> None:
        """Note how long the engine took for one event."""
        self._metrics.compute_seconds.observe(seconds)

    def decided(self, decisions: Iterable[Decision], tallies: Iterable[Tally]) -> None:
        """Count decisions and show their services as they are now."""
        for decision, numbers in zip(decisions, tallies, strict=True):
            if decision.cause in CAUSES:
                self._metrics.assignments_total.labels(decision.cause).inc()
            if decision.removed:
                self._forget(decision.service)
            else:
                self._show(decision, numbers)
        self._metrics.services.set(len(self._cohorts))
        self._metrics.cohorts.set(sum(self._cohorts.values()))

    def frozen(self, services: Collection[str]) -> None:
        """Show which services the engine cannot decide."""
        for service in self._frozen.difference(services):
            self._metrics.service_frozen.remove(service)
        for service in services:
            self._metrics.service_frozen.labels(service).set(1)
        self._frozen = set(services)

    def overrides(self, count: int) -> None:
        """Show how many overrides are in force."""
        self._metrics.overrides.set(count)

    def sources(self, sources: Iterable[SourceState]) -> None:
        """Show how the sources are."""
        for source in sources:
            self._metrics.source_up.labels(source.name).set(source.stale is None)
            if source.last_event_at is not None:
                self._metrics.source_last_event_timestamp_seconds.labels(source.name).set(source.last_event_at)

    def _show(self, decision: Decision, numbers: Tally) -> None:
        service = decision.service
        if service not in self._cohorts and len(self._cohorts) >= MOST_SERVICES:
            return
        self._cohorts[service] = numbers.cohorts
        for health in Health:
            self._metrics.endpoints.labels(service, health.value).set(numbers.healths.get(health, 0))
        self._metrics.assignment_revision.labels(service).set(decision.mark.revision)

    def _forget(self, service: str) -> None:
        if self._cohorts.pop(service, None) is None:
            return
        for health in Health:
            self._metrics.endpoints.remove(service, health.value)
        self._metrics.assignment_revision.remove(service)
