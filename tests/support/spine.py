"""The serving path whole and in one process: engine, compiler, publisher and xDS front end, on virtual time.

What a source says is applied as the hub applies it; clients are bytes in and bytes out, with an outlet that a test
can close. Nothing here knows what the right answer is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.service.discovery.v3 import discovery_pb2

from lbcontrol.engine import compile as compiler
from lbcontrol.engine import events
from lbcontrol.engine.compile import kind_of
from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import Event
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Status
from lbcontrol.runtime.publisher import Publisher, PublisherOptions
from tests.conformance.wire import METHODS, TYPES, Response, parse
from tests.unit.frontends.fakes import Permits

AGENTS = {
    "grpc-cpp": "gRPC C-core linux Python",
    "grpc-go": "gRPC Go",
    "grpc-node": "gRPC Node Pure JS",
    "envoy": "envoy",
    "unknown": "somebody",
}
"""User agent by kind of client."""


class Spine:
    """Everything between a source and a stream."""

    def __init__(self, *sources: str, denied: Iterable[str] = (), options: PublisherOptions | None = None) -> None:
        """Add these sources (none: ``one``); nothing has synced."""
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.engine = Engine(epoch=1)
        self.settled = False
        self._listeners: list[Callable[[Decision], None]] = []
        self.publisher = Publisher(
            encode, self.clock, compiler=compiler, knowledge=self, metrics=self.metrics, options=options
        )
        self.permits = Permits(*((Role.READ, name) for name in denied))
        chance = random.Random(1)
        self.front = XdsFrontEnd(
            XdsParts(self.publisher, self.permits, self.clock, self.metrics, kind_of, chance=chance)
        )
        self._seen: object = None
        self.feed(*(events.SourceAdded(name) for name in sources or ("one",)))

    def is_unknown(self, name: str) -> bool:
        """Answer as the hub does."""
        return self.settled and self.engine.is_unknown(name)

    def feed(self, *happened: Event) -> None:
        """Apply events one after the other, and publish what they decide; streams hear of it as time goes on."""
        for event in happened:
            decided = self.engine.apply(event, now=self.clock.now(), wall=self.clock.wall())
            for decision in decided:
                for receive in (*self._listeners, self.publisher.receive):
                    receive(decision)
            self.settled = self.engine.settled
            states = [(each.name, each.synced, each.complete, each.stale) for each in self.engine.sources()]
            seen = (self.settled, self.engine.started, states)
            if seen != self._seen:
                self._seen = seen
                self.publisher.sources_changed()

    @property
    def synced(self) -> bool:
        """Answer as the hub does."""
        return all(each.synced for each in self.engine.sources())

    def listen(self, receive: Callable[[Decision], None]) -> None:
        """Subscribe a further part to decisions."""
        self._listeners.append(receive)

    def waiting_timers(self) -> int:
        """Return how many timers are set."""
        return sum(timer.callback is not None for _, _, timer in self.clock._timers)

    def rest(self) -> None:
        """Let every change go out."""
        self.clock.advance(6.0)

    def client(self, kind: str, *names: str, variant: str = "sotw", zone: str = "", **more: Any) -> XdsClient:
        """Connect a client that asks for these names; without any, for everything."""
        return XdsClient(self, kind, names, variant=variant, zone=zone, **more)


class XdsClient:
    """A client by the letter of the protocol: a gRPC client for its names, or one that follows wildcards."""

    def __init__(
        self,
        spine: Spine,
        kind: str,
        names: tuple[str, ...],
        *,
        variant: str,
        zone: str = "",
        peer: str = "192.0.2.7:40000",
        rejects: Callable[[str, str, bytes], bool] = lambda _kind, _name, _body: False,
        brought: Mapping[str, str] | None = None,
        namespace: str = "",
    ) -> None:
        """Connect.

        Args:
            spine: The server.
            kind: One of ``AGENTS``.
            names: Listeners asked for; none: everything by wildcard.
            variant: sotw or delta.
            zone: Of region r1.
            peer: Address.
            rejects: Says of a resource (type, name, body) whether this client refuses it.
            brought: Version by type that the client has from an earlier stream (SotW).
            namespace: What its node's metadata say.
        """
        self._kind, self._zone, self.variant, self._rejects = kind, zone, variant, rejects
        self._namespace = namespace
        self.handler: Any = next(m.stream for m in spine.front.methods() if m.path == METHODS[variant])()  # type: ignore[misc]  # streams
        self.asked: dict[str, frozenset[str]] = {}
        self.held: dict[str, dict[str, bytes]] = {kind: {} for kind in ("CDS", "EDS", "LDS", "RDS")}
        """What the client holds, by type and name."""
        self.log: list[Response] = []
        self.status: Status | None = None
        self.full = False
        self.paused = False
        self._inbox: list[bytes] = []
        self._busy = False
        self._nonces: dict[str, str] = {}
        self._versions: dict[str, str] = dict(brought or {})
        self.wild = not names
        self.gives_up = True
        """Unsubscribes from what nothing leads to any more, as gRPC clients do once they have moved."""
        self.handler.opened(Peer(peer), {}, self)
        if self.wild:
            self._ask("CDS", frozenset())
            if kind != "envoy":
                self._ask("LDS", frozenset())
        else:
            self._ask("LDS", frozenset(names))
        self._work()

    # The outlet.

    def offer(self, payload: Payload) -> bool:
        """Take a payload unless the client reads nothing."""
        if self.full or self.status is not None:
            return False
        self._inbox.append(payload.message)
        return True

    def end(self, status: Status) -> None:
        """Note the end."""
        self.status = status

    def pause_reading(self) -> None:
        """Note it."""
        self.paused = True

    def resume_reading(self) -> None:
        """Note it."""
        self.paused = False

    # The client.

    def close(self) -> None:
        """Break the stream off."""
        self.handler.closed("gone")

    def rejects_from_now_on(self) -> None:
        """Refuse every list that is sent."""
        self._rejects = lambda kind, _name, _body: kind == "EDS"

    def stall(self) -> None:
        """Read nothing more."""
        self.full = True

    def go_on(self) -> None:
        """Read again."""
        self.full = False
        self.handler.writable()
        self._work()

    def names(self, *names: str) -> None:
        """Ask for other listeners."""
        self._ask("LDS", frozenset(names))
        self._work()

    def read(self) -> list[Response]:
        """Take in everything that was sent, answer it, and return and forget all that was read."""
        self._work()
        log, self.log = self.log, []
        return log

    def _work(self) -> None:
        if self._busy:
            return
        self._busy = True
        while self._inbox:
            self._take(parse(self.variant, self._inbox.pop(0)))
        self._busy = False

    def _take(self, response: Response) -> None:
        self.log.append(response)
        kind = response.kind
        bad = [name for name, body in response.bodies.items() if self._rejects(kind, name, body)]
        held = self.held[kind]
        if self.variant == "sotw" and kind in ("LDS", "CDS"):
            for name in [name for name in held if name not in response.bodies]:
                del held[name]
        for name in response.removed:
            held.pop(name, None)
        held.update({name: body for name, body in response.bodies.items() if name not in bad})
        self._nonces[kind] = response.nonce
        if not bad:
            self._versions[kind] = response.version
        self._say(kind, error=f"bad: {', '.join(bad)}" if bad else "")
        self._follow()

    def _follow(self) -> None:
        """Ask for what the resources held name."""
        if not self.wild:
            self._ask("RDS", frozenset(filter(None, map(route_name, self.held["LDS"].values()))))
            self._ask("CDS", frozenset(name for body in self.held["RDS"].values() for name in clusters(body)))
        self._ask("EDS", frozenset(self.held["CDS"]))

    def let_go(self) -> None:
        """Give up what nothing leads to any more."""
        self.gives_up = True
        self._follow()

    def _ask(self, kind: str, names: frozenset[str]) -> None:
        before = self.asked.get(kind)
        if not self.gives_up and kind != "LDS":
            names |= before or frozenset()
        if before == names or (before is None and not names and not (self.wild and kind in ("LDS", "CDS"))):
            return
        self.asked[kind] = names
        gone = (before or frozenset()) - names
        for name in gone:
            self.held[kind].pop(name, None)
        self._say(kind, subscribe=names - (before or frozenset()), unsubscribe=gone, first=before is None)
        self._work()

    def _say(
        self,
        kind: str,
        *,
        error: str = "",
        subscribe: Iterable[str] = (),
        unsubscribe: Iterable[str] = (),
        first: bool = False,
    ) -> None:
        request: Any
        if self.variant == "sotw":
            names = sorted(self.asked.get(kind, ()))
            request = discovery_pb2.DiscoveryRequest(
                version_info=self._versions.get(kind, ""),
                resource_names=names,
                response_nonce=self._nonces.get(kind, ""),
            )
        else:
            request = discovery_pb2.DeltaDiscoveryRequest(
                resource_names_subscribe=sorted(subscribe), resource_names_unsubscribe=sorted(unsubscribe)
            )
            if not (first or subscribe or unsubscribe):
                request.response_nonce = self._nonces.get(kind, "")
        request.type_url = TYPES[kind]
        if error:
            request.error_detail.message = error
        request.node.id = "spine"
        request.node.user_agent_name = AGENTS[self._kind]
        request.node.user_agent_version = "1.85.0"
        if self._namespace:
            request.node.metadata["lbcontrol.namespace"] = self._namespace
        if self._zone:
            request.node.locality.region, request.node.locality.zone = "r1", self._zone
        self.handler.received(request.SerializeToString())


def route_name(body: bytes) -> str:
    """Return the route configuration that a listener names."""
    listener = listener_pb2.Listener.FromString(body)
    manager = http_connection_manager_pb2.HttpConnectionManager()
    listener.api_listener.api_listener.Unpack(manager)
    return str(manager.rds.route_config_name)


def clusters(body: bytes) -> Mapping[str, int]:
    """Return the clusters that a route configuration leads to, with their weights."""
    read = route_pb2.RouteConfiguration.FromString(body)
    found: dict[str, int] = {}
    for route in [route for host in read.virtual_hosts for route in host.routes]:
        if route.route.cluster:
            found[route.route.cluster] = 1
        found.update({each.name: each.weight.value for each in route.route.weighted_clusters.clusters})
    return found


def hosts(body: bytes) -> set[str]:
    """Return the addresses in an endpoint list that take new calls."""
    read = endpoint_pb2.ClusterLoadAssignment.FromString(body)
    return {
        each.endpoint.address.socket_address.address
        for group in read.endpoints
        for each in group.lb_endpoints
        if each.health_status in (0, 1)
    }
