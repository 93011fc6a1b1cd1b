"""One ADS stream as a state machine: requests and changes in, responses out; no socket, no task, no timer of its own.

There is no queue. A change only marks names; what is sent is what is newest when the outlet can take it, cluster first,
then endpoints, listener and route, so that nothing is named before it was sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lbcontrol.frontends.pace import Bucket
from lbcontrol.frontends.status import OK, status_of
from lbcontrol.frontends.xds.broadcast import Broadcast, is_plain, is_quiet
from lbcontrol.frontends.xds.departures import Departures, wanted_by
from lbcontrol.frontends.xds.limits import (
    XdsLimits,
    check_count,
    check_types,
    reason_of,
)
from lbcontrol.frontends.xds.meter import Meter
from lbcontrol.frontends.xds.nonces import NONE
from lbcontrol.frontends.xds.parts import all_published
from lbcontrol.frontends.xds.requests import Request
from lbcontrol.frontends.xds.responses import Content, Responses
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.subscription import (
    MADE_FOR_THE_NEW,
    Draft,
    Hold,
    Subscription,
    Verdict,
    at_once,
    with_names,
)
from lbcontrol.frontends.xds.ticks import SharedTick
from lbcontrol.frontends.xds.types import TYPE_URLS, TYPES
from lbcontrol.frontends.xds.variant import Variant
from lbcontrol.model.clients import ClientProfile, Peer
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.ports import Authorizer, Metadata, Outlet, Scheduler, Status
from lbcontrol.runtime.rights import namespace_of
from lbcontrol.runtime.views import ALL, Change, Views

_LATER = (ResourceType.LISTENER, ResourceType.ROUTE)
"""What may still lead to a cluster that is to be removed."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all streams share."""

    views: Views
    authorizer: Authorizer
    scheduler: Scheduler
    limits: XdsLimits
    responses: Responses
    meter: Meter
    ticks: SharedTick
    chance: random.Random
    streams: dict[AdsStream, None]
    """Open streams, oldest first; the transport limits their number."""
    broadcast: Broadcast


class AdsStream:
    """The server's side of one StreamAggregatedResources or DeltaAggregatedResources call."""

    __slots__ = (
        "_blocked",
        "_bucket",
        "_departures",
        "_ending",
        "_flushing",
        "_outlet",
        "_parked",
        "_quiet",
        "_shared",
        "_subs",
        "_unknown",
        "_variant",
        "opened_at",
        "peer",
        "profile",
        "scope",
    )

    def __init__(self, shared: Shared, variant: Variant) -> None:
        """Wait for ``opened``."""
        self._shared = shared
        self._variant = variant
        self._outlet: Outlet | None = None
        self._subs: dict[ResourceType, Subscription] = {}  # In make-before-break order.
        self._unknown: frozenset[str] = frozenset()
        """Type URLs asked for that are not served; counted against the types of a stream."""
        self._bucket = Bucket(shared.scheduler.now())
        self._blocked = False
        self._flushing = False
        self._quiet = False
        """Nothing waits to be sent and nothing is being looked at: what comes may take a short way."""
        self._ending = False
        self._departures: Departures | None = None
        """Made when needed: few clients are ever on the way."""
        self._parked = 0
        """Names withheld from this client, as counted."""
        self.peer = Peer("")
        self.profile: ClientProfile | None = None
        """Known from the first request on."""
        self.scope: Scope | None = None
        """What the client may be told; known from the first request on."""
        self.opened_at = 0.0
        """Monotonic seconds."""

    @property
    def subscriptions(self) -> Mapping[ResourceType, Subscription]:
        """What the client asked for, by type; for operators."""
        return self._subs

    # --- the transport's side

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        del metadata
        self.peer = peer
        self._outlet = outlet
        self.opened_at = self._shared.scheduler.now()
        self._quiet = self._shared.broadcast.on
        self._shared.streams[self] = None
        self._shared.meter.stream(1)

    def received(self, message: bytes) -> None:
        """Take one request; a breach of a limit ends the stream."""
        if self._outlet is None:
            return
        self._count_request()
        try:
            request = self._read(message)
            if self._quiet and self._take_shortly(request):
                return
            self._take(request)
        except LbControlError as error:
            self._shared.meter.rejected(reason_of(error))
            self._end(status_of(error))
        else:
            self._flush()
            self._count_parked()

    def half_closed(self) -> None:
        """The client asks for nothing more: end in peace once it has its answers."""
        self._ending = True
        self._flush()

    def writable(self) -> None:
        """Send what changed meanwhile."""
        self._blocked = False
        self._flush()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        self._release()
        self._count_parked()
        self._shared.broadcast.forget()
        if self in self._shared.streams:
            del self._shared.streams[self]
            self._shared.meter.stream(-1)
            if self.scope is not None:
                self._shared.meter.client(self.scope.view.kind, -1)
        self.scope = None  # It knows this stream: a cycle that would wait minutes for the collector.

    # --- the publisher's side

    def changed(self, changes: Sequence[Change]) -> None:
        """Mark what may be new, and send it if the outlet takes it."""
        if self.scope is None or (self._quiet and is_plain(changes) and self._send_news(changes, self.scope)):
            return
        for type_, name in changes:
            sub = self._subs.get(type_)
            if sub is None:
                continue
            sub.delayed = False  # News do not wait for the turn of a first answer.
            if name == ALL:
                sub.stir_all()
            elif sub.stir(name, self.scope):
                self._shared.meter.replaced.inc()
        self._flush()
        self._count_parked()

    def _send_news(self, changes: Sequence[Change], scope: Scope) -> bool:
        """Send what one change came to for streams like this one; False: take the long way."""
        shared, outlet, sub = self._shared, self._outlet, self._subs.get(ResourceType.ENDPOINTS)
        news = shared.broadcast.news(changes, scope, encode=self._variant.encode)
        if news is None or sub is None or outlet is None:
            return False
        entry, response = sub.awaits(news.resource), news.response
        if entry is None:
            return False
        payload = response.payload(sub.nonce, shared.responses.nonces)
        if not outlet.offer(payload):
            return False
        sub.tell(entry, news.told, nonce=response.nonce, mark=news.mark, now=news.at)
        shared.meter.pushed(ResourceType.ENDPOINTS, payload.size)
        return True

    # --- requests

    def _read(self, message: bytes) -> Request:
        """Read a request; the first says who the client is, later nodes do not count (xds_protocol)."""
        if self.scope is not None:
            return self._variant.read(message)
        request, profile = self._variant.introduced(message)
        self._introduce(profile)
        return request

    def _take_shortly(self, request: Request) -> bool:
        """Take what nearly all requests are, an ACK or a first one of its type; False: the long way."""
        type_, scope = TYPES.get(request.type_url), self.scope
        if type_ is None or scope is None:
            return False
        sub = self._subs.get(type_)
        if sub is None:
            return self._answer(type_, request, scope=scope)
        return self._confirm(sub, request, scope=scope)

    def _confirm(self, sub: Subscription, request: Request, *, scope: Scope) -> bool:
        """Note what is nothing but the ACK of the newest response; False: the long way."""
        if request.rejection is not None or not self._variant.asks_nothing(sub, request):
            return False
        fresh = sub.confirm(request.nonce)
        if fresh is None:
            return False
        self._shared.meter.judged(Verdict.ACK.value)
        for resource in fresh:
            scope.view.acknowledged(resource)
        return True

    def _answer(self, type_: ResourceType, request: Request, *, scope: Scope) -> bool:
        """Subscribe to names of one more type, and send what they all stand for; False: the long way."""
        outlet, shared = self._outlet, self._shared
        if outlet is None or not request.only_names:
            return False
        found = all_published(request.names, scope, type_=type_)
        if found is None or len(self._subs) + len(self._unknown) >= shared.limits.types_per_stream:
            return False
        told = tuple([resource for resource, _ in found])
        payload, nonce = shared.responses.payload(self._variant.encode, Content(type_, told), after=NONE)
        if not outlet.offer(payload):
            return False
        sub = self._subscription(type_)
        sub.begin(request.names, found, told=told, nonce=nonce, now=shared.scheduler.now())
        for name in request.names:
            scope.follow(type_, name)
        shared.meter.pushed(type_, payload.size)
        if type_ is ResourceType.CLUSTER:
            self._rewarm(told)
        return True

    def _count_request(self) -> None:
        wait = self._bucket.take(self._shared.limits, self._shared.scheduler.now())
        if wait and self._outlet is not None:
            self._shared.meter.rejected("requests")
            self._outlet.pause_reading()
            self._shared.ticks.call((self, "read"), wait, callback=self._resume)

    def _resume(self) -> None:
        if self._outlet is not None:
            self._outlet.resume_reading()

    def _take(self, request: Request) -> None:
        scope, type_ = self.scope, TYPES.get(request.type_url)
        if scope is None:
            return
        if type_ is None:
            self._shared.meter.unknown_types.inc()
            self._unknown |= {request.type_url}
            check_types(len(self._subs) + len(self._unknown), self._shared.limits)
            return
        sub = self._subs.get(type_)
        first = sub is None
        if sub is None:
            sub = self._subscription(type_)
            check_types(len(self._subs) + len(self._unknown), self._shared.limits)
        said = self._variant.verdict(sub, request, first=first)
        self._judge(sub, request, said)
        self._variant.subscribe(sub, request, scope=scope, said=said)
        check_count(len(sub.names), request.type_url, limits=self._shared.limits)
        if first and type_ is ResourceType.ENDPOINTS and request.brings_state and scope.view.jitter > 0:
            self._delay(sub, scope.view.jitter)

    def _subscription(self, type_: ResourceType) -> Subscription:
        """Return a new subscription, in its place in make-before-break order."""
        sub = self._subs[type_] = Subscription(type_)
        if len(self._subs) > 1:
            self._subs = {each: self._subs[each] for each in TYPE_URLS if each in self._subs}
        return sub

    def _introduce(self, said: ClientProfile) -> None:
        """Note who the client is."""
        shared = self._shared
        proved = namespace_of(self.peer.identity)
        self.profile = replace(said, namespace=proved) if proved else said
        view = shared.views.view(self.profile)
        self.scope = Scope(view, shared.authorizer, identity=self.peer.identity, follower=self)
        shared.meter.client(view.kind, 1)

    def _judge(self, sub: Subscription, request: Request, said: Verdict) -> None:
        """Note what the client says of a response; a late verdict counts for what it is about, and for nothing else."""
        if said in (Verdict.ACK, Verdict.NACK, Verdict.STALE):
            self._shared.meter.judged(said.value)
        if said is Verdict.ACK:
            sub.acknowledged = request.nonce
        resources = sub.take_pending(request.nonce)
        if not resources or self.scope is None:
            return
        if request.rejection is None:
            for resource in sub.accept(resources, request.nonce):
                self.scope.view.acknowledged(resource)
        else:
            self._park(sub, request, resources=resources)

    def _park(self, sub: Subscription, request: Request, *, resources: tuple[Resource, ...]) -> None:
        if self.scope is None:
            return
        self._parked = self._parked or -1  # Count anew.
        for resource, refusal in sub.refuse(resources, request, now=self._shared.scheduler.now()):
            if refusal.count > self._shared.limits.nacks_per_minute:
                self._shared.meter.rejected("nacks")
            else:
                peer = self.peer.host or self.peer.address
                self.scope.view.rejected(resource, peer=peer, reason=refusal.cause)

    def _delay(self, sub: Subscription, jitter: float) -> None:
        """Spread the first answers of clients that come back all at once (after a restart of ours)."""
        sub.delayed = True
        self._shared.ticks.call((self, "answer"), self._shared.chance.uniform(0.0, jitter), callback=self._undelay)

    def _undelay(self) -> None:
        sub = self._subs.get(ResourceType.ENDPOINTS)
        if sub is not None:
            sub.delayed = False
            self._flush()

    # --- responses

    def _flush(self) -> None:
        """Send what is new, one response after the other, until the outlet refuses or there is nothing."""
        if self._flushing:
            return  # An outlet may call ``writable`` from within ``offer``: the loop below goes on anyway.
        self._flushing, self._quiet = True, False
        try:
            while self._next():
                pass
        finally:
            self._flushing = False
        if self._ending and not self._blocked:
            self._end(OK)
        goes = self._outlet is not None and not self._blocked
        self._quiet = goes and self._shared.broadcast.on and is_quiet(self._subs)

    def _next(self) -> bool:
        """Send one response; True when another look is worth it."""
        scope = self.scope
        if self._blocked or self._outlet is None or scope is None:
            return False
        for sub in self._subs.values():
            if not sub.touched or sub.delayed:
                continue
            moves = self._moves()
            draft = self._variant.draft(sub, scope, hold=self._hold(sub))
            self._count_unknown(sub)
            if draft is not None:
                return self._send(sub, draft, scope=scope)
            sub.touched = moves and bool(sub.held)  # Another look once listeners and routes were told.
        return any(sub.touched and not sub.delayed for sub in self._subs.values()) and not self._moves()

    def _moves(self) -> bool:
        """True when a listener or route may be about to change, and may still lead to a removed cluster."""
        return any(sub is not None and sub.touched for sub in map(self._subs.get, _LATER))

    def _hold(self, sub: Subscription) -> Hold:
        """Say which removals of a type wait: all while routes move, then those that the client itself will see to."""
        if sub.type not in MADE_FOR_THE_NEW:
            return at_once
        if self._moves():
            return lambda _: True
        leaving = self._departures or Departures(self._shared.ticks)
        if not leaving.wait(self._subs):
            return at_once
        self._departures = leaving
        wanted = wanted_by(self._subs)
        return lambda name: name in sub.names and name not in wanted and leaving.begin(self._lose_patience)

    def _lose_patience(self) -> None:
        """Tell of what the client has not given up in all the time."""
        for sub in map(self._subs.get, MADE_FOR_THE_NEW):
            if sub is not None:
                sub.touched = sub.touched or bool(sub.held)
        self._flush()

    def _send(self, sub: Subscription, draft: Draft, *, scope: Scope) -> bool:
        if self._outlet is None:
            return False
        content = Content(sub.type, draft.resources, draft.removed, draft.unknown)
        payload, nonce = self._shared.responses.payload(self._variant.encode, content, after=sub.nonce)
        if not self._outlet.offer(payload):
            self._blocked = True
            return False
        sub.sent(draft, nonce, scope=scope, now=self._shared.scheduler.now())
        self._count_unknown(sub)
        self._shared.meter.pushed(sub.type, payload.size)
        if sub.type is ResourceType.CLUSTER:
            self._rewarm(draft.resources)
        return True

    def _rewarm(self, clusters: Iterable[Resource]) -> None:
        """Remember whose endpoints went out before their cluster did: a client that warms it asks for them again."""
        endpoints = self._subs.get(ResourceType.ENDPOINTS)
        if endpoints is not None:
            again = [resource.name for resource in clusters if resource.name in endpoints.entries]
            endpoints.rewarmed = with_names(endpoints.rewarmed, again)

    def _count_parked(self) -> None:
        """Count what is withheld from this client; most clients never reject anything."""
        if not self._parked or self.scope is None:
            return
        now = sum(sub.parked() for sub in self._subs.values())
        self._shared.meter.parked(self.scope.view.kind, now - max(0, self._parked))
        self._parked = now

    def _count_unknown(self, sub: Subscription) -> None:
        if sub.unknowns:
            self._shared.meter.unknown_names.inc(sub.unknowns)
            sub.unknowns = 0

    # --- the end

    def _end(self, status: Status) -> None:
        if self._outlet is not None:
            self._outlet.end(status)
        self._release()

    def _release(self) -> None:
        self._outlet, self._quiet = None, False
        for key in ("read", "answer"):
            self._shared.ticks.drop((self, key))
        if self._departures is not None:
            self._departures.drop()
        if self.scope is not None:
            for sub in self._subs.values():
                sub.release(self.scope)
