"""The native API on the clients' listener: WatchAssignments, GetAssignment, ListServices, ReportLoad, Register."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lookaside.api import METHODS
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.admin_ports import ClientView, Told
from lbcontrol.frontends.native_check import checked_name, checked_profile, unknown_error
from lbcontrol.frontends.native_encode import Encoder, duration, mark_message, profile_of
from lbcontrol.frontends.native_load import LoadStream
from lbcontrol.frontends.native_meter import NativeMeter
from lbcontrol.frontends.native_names import directory_for
from lbcontrol.frontends.native_ports import Directory, LoadSink, NativeClient, NativeLimits, Registrar
from lbcontrol.frontends.native_register import Registering
from lbcontrol.frontends.native_shown import client_view, told
from lbcontrol.frontends.native_watch import WatchContext, WatchStream
from lbcontrol.frontends.pace import Pace
from lbcontrol.frontends.status import unary
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.errors import InvalidRequestError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Authorizer, Method, Scheduler, StreamHandler
from lbcontrol.runtime.slices import in_slices
from lbcontrol.runtime.worker import Background

SERVICE = "/lbcontrol.v1.LookasideService/"
"""Prefix of the paths served here."""

PAGE_MAX = 1_000
"""Services in one answer of ListServices."""


@dataclass(frozen=True, slots=True)
class NativeParts:
    """What the native API is built on."""

    directory: Directory
    authorizer: Authorizer
    loads: LoadSink
    registrar: Registrar
    clock: Scheduler
    limits: NativeLimits = NativeLimits()
    registration_allow: tuple[str, ...] = ()
    """Networks (CIDR) whose addresses a peer may register beside its own."""
    metrics: Metrics = field(default_factory=Metrics)
    others: Callable[[], Iterable[ClientView]] = tuple
    """Clients of the other protocols, which ListServices counts too."""
    worker: Background | None = None
    """Encodes big assignments; without one everything is done on the loop's thread."""


class NativeFrontEnd:
    """The native protocol."""

    name = "native"

    def __init__(self, parts: NativeParts) -> None:
        """Build on ``parts``; nothing runs until a transport calls a method."""
        self._parts = parts
        self._streams: set[WatchStream] = set()
        meter = NativeMeter(parts.metrics)
        self._refused = meter.refused
        self.encoder = Encoder(meter.encoded, worker=parts.worker)
        self._watch = WatchContext(
            parts.directory,
            parts.authorizer,
            self.encoder,
            parts.clock,
            parts.limits,
            self._streams.add,
            self._streams.discard,
            meter,
        )
        self._registering = Registering(parts.registrar, parts.authorizer, parts.limits, parts.registration_allow)

    def methods(self) -> Sequence[Method]:
        """Return every method of LookasideService."""
        most = self._parts.limits.message_bytes
        unaries = {
            "GetAssignment": unary(pb.GetAssignmentRequest, self._assignment, refused=self._refused),
            "ListServices": unary(pb.ListServicesRequest, self._list, refused=self._refused),
            "Register": unary(pb.RegisterRequest, self._registering.register, refused=self._refused),
            "Withdraw": unary(pb.WithdrawRequest, self._registering.withdraw, refused=self._refused),
        }
        streams = {"WatchAssignments": self._watching, "ReportLoad": self._reporting}
        paths = [path for path in METHODS if path.startswith(SERVICE)]
        words = [(path, path.removeprefix(SERVICE)) for path in paths]
        return [
            Method(path, unary=unaries.get(word), stream=streams.get(word), max_message_bytes=most)
            for path, word in words
        ]

    def clients(self) -> Sequence[NativeClient]:
        """Return every open watch, for operators."""
        return [stream.view() for stream in self._streams]

    def client_views(self) -> Iterator[ClientView]:
        """Return the same as every front end shows it, each seen when it is its turn; who is gone by then is not."""
        now, streams = self._parts.clock.now(), tuple(self._streams)
        return (client_view(stream.view(), now) for stream in streams if stream in self._streams)

    def told(self, view: ClientView, service: str) -> Told:
        """Return exactly what a client was sent of a service.

        Raises:
            NotFoundError: the client is gone, or never asked for the service (LB312).
        """
        return told(self._streams, view, service=service)

    def _watching(self) -> StreamHandler:
        return WatchStream(self._watch)

    def _reporting(self) -> StreamHandler:
        parts = self._parts
        pace = Pace(parts.limits, parts.clock, refused=self._refused.requests)
        return LoadStream(parts, pace=pace, refused=self._refused)

    def _may_read(self, peer: Peer, decision: Decision) -> bool:
        return self._parts.authorizer.allows(peer.identity, Role.READ, decision.service)

    async def _assignment(self, request: pb.GetAssignmentRequest, peer: Peer) -> pb.GetAssignmentResponse:
        name = checked_name(request.service, self._parts.limits)
        profile = profile_of(checked_profile(request.client, self._parts.limits))
        decision = directory_for(peer.identity, self._parts.directory).decision(name)
        if decision is None or not self._may_read(peer, decision):
            raise unknown_error(name)
        cohort, ready = decision.cohort_for(profile.locality), asyncio.Event()
        while (encoded := self.encoder.encoded(decision, cohort, ready=ready.set)) is None:
            await ready.wait()
            ready.clear()
        return pb.GetAssignmentResponse(assignment=encoded.message)

    async def _list(self, request: pb.ListServicesRequest, peer: Peer) -> pb.ListServicesResponse:
        size = request.page_size or PAGE_MAX
        if size > PAGE_MAX:
            what = f"page_size is {size}"
            raise InvalidRequestError(Finding("LB325", what, at="page_size", why=f"the limit is {PAGE_MAX}"))
        decisions = sorted(self._parts.directory.decisions(), key=lambda decision: decision.service)
        after = [d for d in decisions if d.service > request.page_token and self._may_read(peer, d)]
        page = after[:size]
        more = page[-1].service if len(after) > size else ""
        views = itertools.chain(self.client_views(), self._parts.others())
        names = ({each.service for each in view.subscriptions} for view in views)
        following = Counter(itertools.chain.from_iterable(await in_slices(names, clock=self._parts.clock)))
        services = await in_slices((self._summary(each, following) for each in page), clock=self._parts.clock)
        return pb.ListServicesResponse(services=services, next_page_token=more)

    def _summary(self, decision: Decision, following: Counter[str]) -> pb.ServiceSummary:
        endpoints = decision.assignments[EVERYONE].endpoints  # Cohorts differ in priorities, not in who is listed.
        changed_at = self._parts.directory.changed_at(decision.service)
        return pb.ServiceSummary(
            name=decision.service,
            aliases=decision.aliases,
            mark=mark_message(decision.mark),
            serving=sum(endpoint.health.takes_new_work for endpoint in endpoints),
            endpoints=len(endpoints),
            clients=sum(following[name] for name in (decision.service, *decision.aliases)),
            stale_sources=decision.stale_sources,
            age=None if changed_at is None else duration(self._parts.clock.now() - changed_at),
        )
