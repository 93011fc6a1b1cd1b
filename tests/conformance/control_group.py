"""go-control-plane as the control group: state is compiled here, plainly, and served by it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from tests.conformance.subject import Document, GrpcWire

HEALTH = {"Serving": 1, "Draining": 3, "NotServing": 2, "Unknown": 0}
"""envoy.config.core.v3.HealthStatus by the word of a service file."""


def _endpoints(service: Document) -> endpoint_pb2.ClusterLoadAssignment:
    made = endpoint_pb2.ClusterLoadAssignment(cluster_name=service["name"])
    for number, item in enumerate(service["endpoints"]):
        group = made.endpoints.add()
        group.locality.sub_zone = item.get("key", str(number))
        group.load_balancing_weight.value = item["weight"]
        group.priority = item.get("priority", 0)
        member = group.lb_endpoints.add(health_status=HEALTH[item["health"]])
        host, _, port = item["address"].rpartition(":")
        member.endpoint.address.socket_address.address = host
        member.endpoint.address.socket_address.port_value = int(port)
    return made


def _cluster(service: Document) -> cluster_pb2.Cluster:
    made = cluster_pb2.Cluster(name=service["name"], type=cluster_pb2.Cluster.EDS)
    made.eds_cluster_config.eds_config.ads.SetInParent()
    return made


def _route(service: Document) -> route_pb2.RouteConfiguration:
    made = route_pb2.RouteConfiguration(name=service["name"])
    rule = made.virtual_hosts.add(name="all", domains=["*"]).routes.add()
    rule.match.prefix = ""
    rule.route.cluster = service["name"]
    timeout = service.get("policy", {}).get("timeout", "0s")
    rule.route.max_stream_duration.max_stream_duration.seconds = int(timeout.removesuffix("s"))
    return made


def _listener(service: Document) -> listener_pb2.Listener:
    manager = http_connection_manager_pb2.HttpConnectionManager()
    manager.rds.route_config_name = service["name"]
    manager.rds.config_source.ads.SetInParent()
    manager.http_filters.add(name="router").typed_config.Pack(router_pb2.Router())
    made = listener_pb2.Listener(name=service["name"])
    made.api_listener.api_listener.Pack(manager)
    return made


MAKERS: dict[str, Any] = {"LDS": _listener, "RDS": _route, "CDS": _cluster, "EDS": _endpoints}


def _state(services: Sequence[Document]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for kind, maker in MAKERS.items():
        raws = [maker(service).SerializeToString(deterministic=True) for service in services]
        digest = hashlib.sha256(b"\0".join(sorted(raws))).hexdigest()[:16]
        state[kind] = {"version": digest, "resources": [base64.b64encode(raw).decode() for raw in raws]}
    return state


class ControlGroup:
    """go-control-plane's snapshot cache in a process of its own."""

    name = "control group"
    patience = 1.5

    def __init__(self, binary: Path) -> None:
        """Start the process and connect."""
        self._process = subprocess.Popen([str(binary)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self._control = f"http://{ports['control']}/state"
        self.ads: str = ports["ads"]
        self._channel: grpc.aio.Channel | None = None

    def _ask(self, method: str, body: bytes | None = None) -> None:
        request = urllib.request.Request(self._control, body, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            answer.read()

    async def reset(self) -> None:
        """Clear the cache and open a fresh channel (grpc.aio channels belong to one event loop)."""
        if self._channel is not None:
            await self._channel.close(None)
        self._channel = grpc.aio.insecure_channel(self.ads, [("grpc.use_local_subchannel_pool", 1)])
        self._ask("DELETE")

    async def publish(self, services: Sequence[Document], *, complete: bool) -> None:
        """Set the snapshot; it knows no sources, so that ``complete`` makes no difference to it."""
        del complete
        self._ask("POST", json.dumps(_state(services)).encode())

    def open(self, variant: str) -> GrpcWire:
        """Open one stream."""
        assert self._channel is not None
        return GrpcWire(self._channel, variant)

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
