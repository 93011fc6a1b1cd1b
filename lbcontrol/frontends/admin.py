"""The operators' API on the admin listener: changes need the role "operate", questions the role "inspect"."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb

from lbcontrol.frontends import admin_encode as encode
from lbcontrol.frontends.admin_ports import Change, ClientView, Operations
from lbcontrol.frontends.native_check import checked_address, checked_name, unknown_error
from lbcontrol.frontends.native_encode import seconds
from lbcontrol.frontends.native_ports import Directory, NativeLimits
from lbcontrol.frontends.refusals import Refusals
from lbcontrol.frontends.status import require, unary
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.errors import InvalidRequestError, NotFoundError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.text import stray_in
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Authorizer, Clock, Method

PREFIX = "/lbcontrol.v1.AdminService/"
"""Prefix of the paths served here."""

REASON_BYTES = 512
"""Longest reason."""


class AdminFrontEnd:
    """The operators' protocol."""

    name = "admin"

    def __init__(
        self,
        operations: Operations,
        directory: Directory,
        authorizer: Authorizer,
        *,
        clock: Clock,
        limits: NativeLimits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Build on ``operations``; nothing runs until a transport calls a method."""
        self._refused = Refusals(metrics or Metrics(), self.name)
        self._operations = operations
        self._directory = directory
        self._authorizer = authorizer
        self._clock = clock
        self._limits = limits or NativeLimits()

    def methods(self) -> Sequence[Method]:
        """Return every method of AdminService."""
        unaries = {
            "Drain": unary(pb.DrainRequest, self._drain, refused=self._refused),
            "Undrain": unary(pb.UndrainRequest, self._undrain, refused=self._refused),
            "SetWeight": unary(pb.SetWeightRequest, self._set_weight, refused=self._refused),
            "ListOverrides": unary(pb.ListOverridesRequest, self._list_overrides, refused=self._refused),
            "Explain": unary(pb.ExplainRequest, self._explain, refused=self._refused),
            "ListClients": unary(pb.ListClientsRequest, self._list_clients, refused=self._refused),
            "GetClient": unary(pb.GetClientRequest, self._client, refused=self._refused),
            "ListSources": unary(pb.ListSourcesRequest, self._list_sources, refused=self._refused),
            "GetService": unary(pb.GetServiceRequest, self._service, refused=self._refused),
            "ListProblems": unary(pb.ListProblemsRequest, self._list_problems, refused=self._refused),
        }
        most = self._limits.message_bytes
        return [Method(PREFIX + word, unary=handler, max_message_bytes=most) for word, handler in unaries.items()]

    async def _drain(self, request: pb.DrainRequest, peer: Peer) -> pb.DrainResponse:
        override = self._override(request, peer, OverrideKind.DRAIN, expires=_expiry(request))
        change = await self._operations.apply(override, dry_run=request.dry_run)
        undo = f"lbcontrol undrain {override.service} {override.address}"
        effect = self._effect(change, dry_run=request.dry_run, undo=undo)
        return pb.DrainResponse(override=encode.override_message(override), effect=effect)

    async def _undrain(self, request: pb.UndrainRequest, peer: Peer) -> pb.UndrainResponse:
        override = self._override(request, peer, OverrideKind.DRAIN)
        change = await self._operations.clear(override, dry_run=request.dry_run)
        undo = f"lbcontrol drain {override.service} {override.address}"
        return pb.UndrainResponse(effect=self._effect(change, dry_run=request.dry_run, undo=undo))

    async def _set_weight(self, request: pb.SetWeightRequest, peer: Peer) -> pb.SetWeightResponse:
        weight = request.weight if request.HasField("weight") else None
        if weight == 0:
            finding = Finding("LB329", "weight 0", at="weight", why="weights are at least 1", do="lbcontrol drain")
            raise InvalidRequestError(finding)
        override = self._override(request, peer, OverrideKind.WEIGHT, weight=weight, expires=_expiry(request))
        before = self._operations.find(override.service, override.address, kind=OverrideKind.WEIGHT)
        act = self._operations.clear if weight is None else self._operations.apply
        change = await act(override, dry_run=request.dry_run)
        back = "--clear" if before is None else str(before.weight)
        undo = f"lbcontrol weight {override.service} {override.address} {back}"
        effect = self._effect(change, dry_run=request.dry_run, undo=undo)
        shown = None if weight is None else encode.override_message(override)
        return pb.SetWeightResponse(override=shown, effect=effect)

    async def _list_overrides(self, request: pb.ListOverridesRequest, peer: Peer) -> pb.ListOverridesResponse:
        kept = [each for each in self._operations.overrides() if request.service in ("", each.service)]
        shown = sorted((o for o in kept if self._may_inspect(peer, o.service)), key=lambda override: override.key)
        messages = [encode.override_message(each) for each in shown]
        return pb.ListOverridesResponse(overrides=messages, durable=self._operations.durable)

    async def _explain(self, request: pb.ExplainRequest, peer: Peer) -> pb.ExplainResponse:
        decision = self._inspected(request.service, peer)
        address = checked_address(request.address) if request.address else None
        cohort = EVERYONE
        if request.client_id:
            cohort = decision.cohort_for(self._client_named(request.client_id).profile.locality)
        explanations = self._operations.explain(decision.service, cohort)
        found = [each for each in explanations if address in (None, each.address)]
        if address is not None and not found:
            do = f"lbcontrol get {decision.service}"
            raise NotFoundError(Finding("LB311", f'"{decision.service}" has no endpoint {address}', do=do))
        found.sort(key=lambda each: each.address)
        return pb.ExplainResponse(explanations=[encode.explanation_message(each) for each in found])

    async def _list_clients(self, request: pb.ListClientsRequest, peer: Peer) -> pb.ListClientsResponse:
        require(self._authorizer, peer, Role.INSPECT, request.service)
        views = [self._shown(view, peer) for view in self._operations.clients()]
        if request.behind:
            views = [view for view in views if encode.is_behind(view)]
        if request.service:
            views = [view for view in views if any(s.service == request.service for s in view.subscriptions)]
        views.sort(key=lambda view: view.id)
        return pb.ListClientsResponse(clients=[encode.client_message(view) for view in views])

    async def _client(self, request: pb.GetClientRequest, peer: Peer) -> pb.GetClientResponse:
        require(self._authorizer, peer, Role.INSPECT, request.service)
        view = self._shown(self._client_named(request.client_id), peer)
        services = sorted({s.service for s in view.subscriptions if request.service in ("", s.service)})
        if request.service and not services:
            what = f'client "{view.id}" does not follow "{request.service}"'
            raise NotFoundError(Finding("LB312", what, do="lbcontrol clients"))
        told = [encode.told_message(self._operations.told(view, service)) for service in services]
        return pb.GetClientResponse(client=encode.client_message(view), services=told)

    async def _list_sources(self, request: pb.ListSourcesRequest, peer: Peer) -> pb.ListSourcesResponse:
        del request
        require(self._authorizer, peer, Role.INSPECT, "")
        views = sorted(self._operations.sources(), key=lambda view: view.name)
        return pb.ListSourcesResponse(sources=[encode.source_message(view) for view in views])

    async def _service(self, request: pb.GetServiceRequest, peer: Peer) -> pb.GetServiceResponse:
        documents = self._operations.documents(self._inspected(request.service, peer).service)
        return pb.GetServiceResponse(yaml=documents.yaml, sources=documents.sources)

    async def _list_problems(self, request: pb.ListProblemsRequest, peer: Peer) -> pb.ListProblemsResponse:
        del request
        require(self._authorizer, peer, Role.INSPECT, "")
        problems = sorted(
            self._operations.problems(), key=lambda each: (each.finding.severity != Severity.ERROR, each.subject)
        )
        server = self._operations.server()
        return pb.ListProblemsResponse(
            problems=[encode.problem_message(each) for each in problems],
            server_version=server.version,
            started_at=encode.timestamp(server.started_at),
        )

    def _may_inspect(self, peer: Peer, service: str) -> bool:
        return self._authorizer.allows(peer.identity, Role.INSPECT, service)

    def _shown(self, view: ClientView, peer: Peer) -> ClientView:
        """Return a client without its subscriptions to services the caller may not inspect."""
        seen = tuple(each for each in view.subscriptions if self._may_inspect(peer, each.service))
        return dataclasses.replace(view, subscriptions=seen)

    def _inspected(self, name: str, peer: Peer) -> Decision:
        """Return the decision of a service the caller may inspect; unknown and forbidden look alike."""
        decision = self._directory.decision(checked_name(name, self._limits))
        if decision is None or not self._may_inspect(peer, decision.service):
            raise unknown_error(name)
        return decision

    def _client_named(self, client_id: str) -> ClientView:
        """Return the client with this id, or for "kind:KIND" any client of that kind."""
        prefix, _, kind = client_id.partition(":")
        for view in self._operations.clients():
            if view.id == client_id or (prefix == "kind" and view.profile.kind == kind):
                return view
        raise NotFoundError(Finding("LB312", f'no client "{client_id}" is connected here', do="lbcontrol clients"))

    def _override(
        self,
        request: pb.DrainRequest | pb.UndrainRequest | pb.SetWeightRequest,
        peer: Peer,
        kind: OverrideKind,
        *,
        weight: int | None = None,
        expires: float | None = None,
    ) -> Override:
        """Check what an operator wrote and make an override of it."""
        name = checked_name(request.service, self._limits)
        require(self._authorizer, peer, Role.OPERATE, name)
        decision = self._directory.decision(name)
        if decision is None:
            raise unknown_error(name)
        require(self._authorizer, peer, Role.OPERATE, decision.service)
        _check_reason(request.reason)
        wall = self._clock.wall()
        return Override(
            decision.service,
            checked_address(request.address),
            kind,
            weight=weight,
            reason=request.reason,
            by=peer.identity.name,
            created_at=wall,
            expires_at=None if expires is None else wall + expires,
        )

    def _effect(self, change: Change, *, dry_run: bool, undo: str) -> pb.ChangeEffect:
        durable = self._operations.durable
        message = encode.effect_message(change, durable=durable, dry_run=dry_run, undo=undo)
        if not durable:
            lost = Finding("LB902", "lost on restart", why="there is no state directory", do="set stateDir")
            message.warnings.append(encode.warning(lost))
        return message


def _expiry(request: pb.DrainRequest | pb.SetWeightRequest) -> float | None:
    """Return the time to expiry in seconds, None for never."""
    if not request.HasField("expires_after"):
        return None
    length: Duration = request.expires_after
    if seconds(length) > 0:
        return seconds(length)
    raise InvalidRequestError(Finding("LB331", f"expires after {seconds(length):g} s", at="expires_after"))


def _check_reason(reason: str) -> None:
    """Refuse a reason that is too long, or does not stand on one line (LB330)."""
    size, stray = len(reason.encode()), stray_in(reason)
    if size > REASON_BYTES:
        why = f"the limit is {REASON_BYTES}"
        raise InvalidRequestError(Finding("LB330", f"the reason has {size} bytes", at="reason", why=why))
    if stray is not None:
        what, why = f"the reason contains the control character {stray}", "reasons stand in terminals and logs"
        raise InvalidRequestError(Finding("LB330", what, at="reason", why=why, do="write one line of plain text"))
