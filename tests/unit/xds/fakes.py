"""The xDS front end on a world of dictionaries and virtual time, with streams that a test drives by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2

from lbcontrol.frontends.xds.frontend import XdsFrontEnd, XdsParts
from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.stream import AdsStream
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from tests.conformance.fake_world import FakeView, FakeWorld, kind_of
from tests.conformance.runner import KINDS, document
from tests.conformance.wire import METHODS, TYPES, Response, parse
from tests.unit.frontends.fakes import MemoryOutlet, Permits


class Stream:
    """One stream and the client at its other end."""

    def __init__(self, handler: AdsStream, variant: str, peer: Peer) -> None:
        """Open it."""
        self.handler = handler
        self.outlet = MemoryOutlet()
        self.variant = variant
        self.nonces: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self._first = True
        handler.opened(peer, {}, self.outlet)

    def ask(self, kind: str, names: Sequence[str] = (), **more: Any) -> None:
        """Send a request; nonce and version are those of the newest response that ``news`` returned."""
        self.handler.received(self.request(kind, names, **more))
        self._first = False

    def hold(self, kind: str, names: Sequence[str]) -> None:
        """Ask, take what comes, and accept it: the client now holds what is published."""
        self.ask(kind, names)
        self.news()
        self.ask(kind, names)

    def request(self, kind: str, names: Sequence[str] = (), **more: Any) -> bytes:
        """Return the bytes of a request."""
        node = more.pop("node", "grpc" if self._first else "none")
        error = more.pop("error", None)
        nonce = more.pop("nonce", self.nonces.get(kind, ""))
        if self.variant == "sotw":
            version = more.pop("version", self.versions.get(kind, ""))
            made: Any = discovery_pb2.DiscoveryRequest(version_info=version, resource_names=names, **more)
        else:
            made = discovery_pb2.DeltaDiscoveryRequest(resource_names_subscribe=names, **more)
        made.type_url = TYPES[kind]
        made.response_nonce = nonce
        if error is not None:
            made.error_detail.message = error
        if node != "none":
            made.node.id = "node-1"
            made.node.user_agent_name = KINDS.get(node, node)
            made.node.user_agent_version = "1.85.0"
        raw: bytes = made.SerializeToString()
        return raw

    def news(self) -> list[Response]:
        """Return and forget what was sent."""
        responses = [parse(self.variant, payload.message) for payload in self.outlet.sent]
        self.outlet.sent.clear()
        for response in responses:
            self.nonces[response.kind] = response.nonce
            self.versions[response.kind] = response.version
        return responses

    def payloads(self) -> list[Payload]:
        """Return and forget what was sent, as it was."""
        sent, self.outlet.sent = self.outlet.sent, []
        return sent

    def told(self) -> list[tuple[str, list[str]]]:
        """Return and forget what was sent: type and names of each response."""
        return [(response.kind, sorted(response.bodies)) for response in self.news()]


class Bench:
    """Everything a stream needs."""

    def __init__(
        self,
        *,
        denied: Sequence[str] = (),
        limits: XdsLimits | None = None,
        fast_path: bool = True,
        **services: Any,
    ) -> None:
        """Publish ``services``, by name and endpoint weights."""
        self.clock = FakeClock()
        self.world = FakeWorld(self.clock)
        self.metrics = Metrics()
        permits = Permits(*((Role.READ, name) for name in denied))
        chance = random.Random(1)
        self.front = XdsFrontEnd(
            XdsParts(self.world, permits, self.clock, self.metrics, kind_of, limits or XdsLimits(), chance, fast_path)
        )
        self.services: dict[str, list[Any]] = {}
        self.publish(**services)

    def refusing(self, error: str) -> Stream:
        """Return a stream that holds the endpoints of ``a`` and has then refused those of weight 2."""
        stream = self.open()
        stream.hold("EDS", ["a"])
        self.publish(a=[2])
        stream.news()
        stream.ask("EDS", ["a"], error=error)
        return stream

    def publish(self, *, without: str = "", complete: bool = True, timeout: str = "", **services: Any) -> None:
        """Change some services, and let the streams be told."""
        self.services.update(services)
        self.services.pop(without, None)
        made = [document(name, weights, 1, timeout or None) for name, weights in self.services.items()]
        self.world.publish(made, complete=complete)
        self.clock.advance()

    def open(self, variant: str = "sotw", peer: str = "192.0.2.7:40000") -> Stream:
        """Open a stream."""
        make: Callable[[], Any] | None = next(m.stream for m in self.front.methods() if m.path == METHODS[variant])
        assert make is not None
        return Stream(make(), variant, Peer(peer))

    def view(self, kind: str = "grpc-go") -> FakeView:
        """Return the view of a kind."""
        return self.world.views[kind]

    def count(self, name: str, **labels: str) -> float:
        """Return a metric's value."""
        return self.metrics.registry.get_sample_value(f"lbcontrol_{name}", labels) or 0.0


def versions(responses: Sequence[Response]) -> Mapping[str, str]:
    """Return version by body digest, for SotW responses of one resource each."""
    return {response.bodies[name].hex(): response.version for response in responses for name in response.bodies}
