"""What operators can do and see, over the running parts of this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from lbcontrol.app.problems import problems_of
from lbcontrol.app.running import Findings, RunningSource, source_views
from lbcontrol.engine.case import Case
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event, OverrideCleared, OverrideSet
from lbcontrol.engine.explain import explain, preview
from lbcontrol.frontends.admin_ports import (
    Change,
    ClientView,
    Documents,
    ProblemView,
    ServerInfo,
    SourceView,
    Told,
)
from lbcontrol.frontends.native_shown import shares_of
from lbcontrol.model.assignment import EVERYONE, Decision, Explanation
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.runtime.ports import Clock
from lbcontrol.runtime.slices import in_slices
from lbcontrol.runtime.worker import Aside, Inline
from lbcontrol.sources.documents.expand import expanded_yaml


class Submit(Protocol):
    """The hub, as operators' writes need it."""

    async def submit(self, event: Event) -> tuple[Decision, ...]:
        """Apply an event; on return its decisions are durable and published."""
        ...


class Shows(Protocol):
    """A front end that shows its clients."""

    name: str

    def client_views(self) -> Iterable[ClientView]:
        """Return its connected clients, each seen when it is its turn."""
        ...

    def told(self, view: ClientView, service: str) -> Told:
        """Return what one of them was told of a service."""
        ...


@dataclass(frozen=True, slots=True)
class OperationsParts:
    """The running parts."""

    engine: Engine
    hub: Submit
    clock: Clock
    sources: Sequence[RunningSource]
    front_ends: Sequence[Shows]
    findings: Sequence[Findings]
    """Whoever can say what is wrong: publisher, persistence, store."""
    durable: bool
    """Whether overrides survive a restart."""
    server: ServerInfo
    aside: Aside = field(default_factory=Inline)
    """Does what would hold up the loop for a big service."""


class ServerOperations:
    """Implements ``frontends.admin_ports.Operations``."""

    def __init__(self, parts: OperationsParts) -> None:
        """Build on the running parts."""
        self._parts = parts

    @property
    def durable(self) -> bool:
        """Whether overrides survive a restart."""
        return self._parts.durable

    async def apply(self, override: Override, *, dry_run: bool) -> Change:
        """Put an override in force.

        Raises:
            NotFoundError: no source names the endpoint (LB311), or the service is gone (LB310).
            StateStoreError: it could not be written, so it is not in force.
        """
        case = self._case(override.service)
        if override.address not in case.events:  # It holds every address that a source names.
            do = f"lbcontrol get {override.service}"
            raise NotFoundError(Finding("LB311", f'"{override.service}" has no endpoint {override.address}', do=do))
        return await self._change(case, override, OverrideSet(override), dry_run=dry_run)

    async def clear(self, override: Override, *, dry_run: bool) -> Change:
        """Take back the override with this one's key.

        Raises:
            NotFoundError: there is none (LB313), or the service is gone (LB310).
            StateStoreError: it could not be written, so the override stays.
        """
        case = self._case(override.service)
        if self.find(override.service, override.address, kind=override.kind) is None:
            what = f'no {override.kind} of {override.address} of "{override.service}" is in force'
            raise NotFoundError(Finding("LB313", what, do=f"lbcontrol get {override.service}"))
        cleared = OverrideCleared(override.service, override.address, override.kind)
        return await self._change(case, override, cleared, dry_run=dry_run)

    def find(self, service: str, address: Address, *, kind: OverrideKind) -> Override | None:
        """Return an override in force."""
        return next((each for each in self.overrides() if each.key == (service, address, kind)), None)

    def overrides(self) -> Sequence[Override]:
        """Return every override in force."""
        return self._parts.engine.overrides()

    def explain(self, service: str, cohort: str, *, only: Address | None) -> Iterator[Explanation]:
        """Return an explanation for each endpoint any source names, or the one asked for."""
        return explain(self._case(service), cohort, only=only)

    def clients(self) -> Iterator[ClientView]:
        """Return the connected clients of all front ends."""
        return (view for front_end in self._parts.front_ends for view in front_end.client_views())

    def told(self, client: ClientView, service: str) -> Told:
        """Return what a client was told of a service.

        Raises:
            NotFoundError: it is gone, or was told nothing (LB312, LB338).
        """
        front_end = next(each for each in self._parts.front_ends if each.name == client.protocol)
        return front_end.told(client, service)

    def sources(self) -> Sequence[SourceView]:
        """Return the sources."""
        return source_views(self._parts.engine.sources(), self._parts.sources, wall=self._parts.clock.wall())

    def documents(self, service: str) -> Documents:
        """Return a service's documents."""
        snapshots = self._case(service).snapshots
        return Documents(expanded_yaml(snapshots), tuple(dict.fromkeys(each.source for each in snapshots)))

    async def problems(self) -> Sequence[ProblemView]:
        """Return everything that needs a hand."""
        parts = self._parts
        clients = await in_slices(self.clients(), clock=parts.clock)
        return problems_of(parts.engine, sources=self.sources(), clients=clients, tellers=parts.findings)

    def server(self) -> ServerInfo:
        """Return what is running."""
        return self._parts.server

    def _case(self, service: str) -> Case:
        case = self._parts.engine.case(service)
        if case is None:
            raise NotFoundError(
                Finding("LB310", f'nobody serves "{service}"', do="lbcontrol services lists what there is")
            )
        return case

    async def _change(
        self, case: Case, override: Override, event: OverrideSet | OverrideCleared, *, dry_run: bool
    ) -> Change:
        before = case.decision
        if dry_run:
            clear = isinstance(event, OverrideCleared)
            wall = self._parts.clock.wall()
            after = await self._parts.aside.run(partial(preview, case, override, clear=clear, wall=wall))
        else:
            await self._parts.hub.submit(event)
            after = self._case(override.service).decision
        service, address = override.service, override.address
        follow = (any(each.service == service for each in client.subscriptions) for client in self.clients())
        return Change(
            clients=sum(await in_slices(follow, clock=self._parts.clock)),
            share_before=await self._parts.aside.run(partial(_share, before, address)),
            share_after=await self._parts.aside.run(partial(_share, after, address)),
            mark=None if dry_run else after.mark,
            warnings=tuple(each for each in after.findings if each not in before.findings),
        )


def _share(decision: Decision, address: Address) -> float:
    """Return the share of everyone's new calls that an endpoint gets, 0 to 1."""
    assignment = decision.assignments.get(EVERYONE)
    if assignment is None:
        return 0.0
    shares = zip(assignment.endpoints, shares_of(assignment), strict=True)
    return next((share for endpoint, share in shares if endpoint.address == address), 0.0)
