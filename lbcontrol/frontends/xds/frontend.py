"""xDS v3 on the clients' listener: aggregated discovery, State of the World and Delta."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from envoy.service.discovery.v3 import ads_pb2, discovery_pb2
from google.protobuf.message import Message

from lbcontrol.frontends.admin_ports import ClientView, Told
from lbcontrol.frontends.xds import delta, shown, sotw
from lbcontrol.frontends.xds.broadcast import Broadcast
from lbcontrol.frontends.xds.introductions import Introductions
from lbcontrol.frontends.xds.limits import XdsLimits, check_request
from lbcontrol.frontends.xds.meter import Meter
from lbcontrol.frontends.xds.node import profile_of
from lbcontrol.frontends.xds.nonces import Nonces
from lbcontrol.frontends.xds.requests import Reader, Request, read_delta, read_sotw
from lbcontrol.frontends.xds.responses import Responses, encode_delta, encode_sotw
from lbcontrol.frontends.xds.stream import AdsStream, Shared
from lbcontrol.frontends.xds.ticks import SharedTick
from lbcontrol.frontends.xds.variant import Variant
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Authorizer, Method, Scheduler
from lbcontrol.runtime.views import Views

SERVICE = f"/{ads_pb2.DESCRIPTOR.services_by_name['AggregatedDiscoveryService'].full_name}/"
"""Prefix of the paths served here; taken from its descriptor, which reflection finds once it is imported."""


@dataclass(frozen=True, slots=True)
class XdsParts:
    """What xDS is built on."""

    views: Views
    authorizer: Authorizer
    scheduler: Scheduler
    metrics: Metrics
    kind_of: Callable[[str], str]
    """Client kind (``ClientProfile.kind``) of a ``node.user_agent_name``."""
    limits: XdsLimits = XdsLimits()
    chance: random.Random = field(default_factory=random.SystemRandom)
    """Spreads first answers after a restart; seeded in tests."""
    fast_path: bool = True
    """Whether one change is told to many quiet streams at once; off only to show that the long way says the same."""


class XdsFrontEnd:
    """The xDS protocol."""

    name = "xds"

    def __init__(self, parts: XdsParts) -> None:
        """Build on ``parts``; nothing runs until a transport calls a method."""
        self._parts = parts
        self._streams: dict[AdsStream, None] = {}
        self.responses = Responses(Nonces(), parts.scheduler)
        shared = Shared(
            views=parts.views,
            authorizer=parts.authorizer,
            scheduler=parts.scheduler,
            limits=parts.limits,
            responses=self.responses,
            meter=Meter(parts.metrics),
            ticks=SharedTick(parts.scheduler),
            chance=parts.chance,
            streams=self._streams,
            broadcast=Broadcast(self.responses, parts.scheduler, on=parts.fast_path),
        )
        states = Variant(
            *self._readers(read_sotw, discovery_pb2.DiscoveryRequest),
            sotw.verdict,
            sotw.subscribe,
            sotw.draft,
            encode_sotw,
            sotw.asks_nothing,
        )
        deltas = Variant(
            *self._readers(read_delta, discovery_pb2.DeltaDiscoveryRequest),
            delta.verdict,
            delta.subscribe,
            delta.draft,
            encode_delta,
            delta.asks_nothing,
        )
        self._variants = {
            "StreamAggregatedResources": partial(AdsStream, shared, states),
            "DeltaAggregatedResources": partial(AdsStream, shared, deltas),
        }

    def _readers(self, read: Callable[[bytes], Request], kind: type[Message]) -> tuple[Reader, Introductions]:
        """Return what reads the requests of one variant: all of them, and the first ones of streams."""
        parts = self._parts
        reader = Reader(read, partial(check_request, limits=parts.limits))
        known = partial(profile_of, kind_of=parts.kind_of, limits=parts.limits)
        return reader, Introductions(reader, known, kind=kind, id_bytes=parts.limits.node_id_bytes)

    def methods(self) -> Sequence[Method]:
        """Return both methods of AggregatedDiscoveryService."""
        most = self._parts.limits.message_bytes
        return [Method(SERVICE + word, stream=make, max_message_bytes=most) for word, make in self._variants.items()]

    def client_views(self) -> Iterator[ClientView]:
        """Return every client that has introduced itself, oldest stream first, each seen when it is its turn."""
        now, streams = self._parts.scheduler.now(), tuple(self._streams)
        return (view for stream in streams if (view := shown.client_view(stream, now)) is not None)

    def told(self, view: ClientView, service: str) -> Told:
        """Return exactly what a client was sent of a service.

        Raises:
            NotFoundError: the client is gone, or never asked for the service (LB338).
        """
        now = self._parts.scheduler.now()
        return shown.told(shown.stream_of(self._streams, view, now=now), view, service=service, now=now)
