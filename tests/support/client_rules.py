"""What stock clients reject and what they make of weights, written from measurements and not from our compiler.

It reads the bytes of a resource by the official messages. Kinds are those of ``ClientProfile.kind``.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2

UINT32 = 2**32
INT32 = 2**31
"""C-core forgets an endpoint whose product of weights is not below it (measured 2026-11-24, grpcio 1.85.3)."""
PROXY = "envoy"
HAVE = {
    "grpc-cpp": {
        "wrr_locality[round_robin]",
        "wrr_locality[client_side_weighted_round_robin]",
        "ring_hash",
        "pick_first",
    },
    "grpc-node": {"wrr_locality[round_robin]", "ring_hash"},
    "envoy": {"wrr_locality[client_side_weighted_round_robin]"},
    "unknown": set[str](),
}
"""Policies in a list that a kind runs; the kinds left out run them all."""
ALL = {*HAVE["grpc-cpp"], "least_request"}


def decoded(message: Any, body: bytes) -> Any:
    """Return ``body`` as a message, and fail unless its bytes are the official ones."""
    read = message.FromString(body)
    assert read.SerializeToString(deterministic=True) == body
    return read


def endpoints_rejected(kind: str, body: bytes) -> Iterator[str]:
    """Yield why a client rejects an endpoint list."""
    read = decoded(endpoint_pb2.ClusterLoadAssignment, body)
    every = [one for group in read.endpoints for one in group.lb_endpoints]
    addresses = [one.endpoint.address.socket_address for one in every]
    if len({(one.address, one.port_value) for one in addresses}) != len(addresses):
        yield "duplicate endpoint address"
    for one in addresses:
        ipaddress.ip_address(one.address)
    yield from _priorities(read)
    if kind == PROXY and len(read.policy.drop_overloads) > 1:
        yield "more than one drop_overload"
    for group in read.endpoints:
        weights = [
            one.load_balancing_weight.value for one in group.lb_endpoints if one.HasField("load_balancing_weight")
        ]
        if not group.lb_endpoints or 0 in weights or sum(weights) >= UINT32:
            yield f"empty locality, weight 0 or sum in {group.locality}"


def _priorities(read: Any) -> Iterator[str]:
    sums: Counter[int] = Counter()
    seen: set[tuple[int, str]] = set()
    for group in read.endpoints:
        if not group.load_balancing_weight.value:
            yield f"locality without weight: {group.locality}"
        sums[group.priority] += group.load_balancing_weight.value
        key = (group.priority, str(group.locality))
        if key in seen:
            yield f"duplicate locality {key}"
        seen.add(key)
    if sorted(sums) != list(range(len(sums))):
        yield f"priorities {sorted(sums)}"
    if any(weight >= UINT32 for weight in sums.values()):
        yield "sum of locality weights"


def _name(offer: Any) -> str:
    extension = offer.typed_extension_config
    name: str = extension.name.rpartition(".")[2]
    if name != "wrr_locality":
        return name
    inner = wrr_locality_pb2.WrrLocality.FromString(extension.typed_config.value)
    return f"{name}[{_name(inner.endpoint_picking_policy.policies[0])}]"


def cluster_rejected(kind: str, body: bytes) -> Iterator[str]:
    """Yield why a client rejects a cluster."""
    read = decoded(cluster_pb2.Cluster, body)
    if read.type != cluster_pb2.Cluster.EDS or not read.eds_cluster_config.eds_config.HasField("ads"):
        yield "not EDS over ADS"
    offers = [_name(offer) for offer in read.load_balancing_policy.policies]
    if read.HasField("load_balancing_policy") and not set(offers) & HAVE.get(kind, ALL):
        yield f"no supported policy in {offers}"
    if kind == PROXY:
        yield from _proxy_rejects(read, offers)
        return
    if read.lb_policy not in (cluster_pb2.Cluster.ROUND_ROBIN, cluster_pb2.Cluster.RING_HASH):
        yield f"lb_policy {read.lb_policy}"
    for offer in read.load_balancing_policy.policies:
        if _name(offer) == "ring_hash":
            yield from _ring_rejected(kind, offer.typed_extension_config.typed_config.value)


def _ring_rejected(kind: str, body: bytes) -> Iterator[str]:
    ring = ring_hash_pb2.RingHash.FromString(body)
    if ring.hash_function != ring_hash_pb2.RingHash.XX_HASH:
        yield "hash function not said"
    if kind == "grpc-node" and (ring.HasField("minimum_ring_size") or ring.HasField("maximum_ring_size")):
        yield "min_ring_size must be a number"


def _proxy_rejects(read: Any, offers: list[str]) -> Iterator[str]:
    if "wrr_locality[round_robin]" in offers:
        yield "only supports ClientSideWeightedRoundRobin"
    if offers and read.common_lb_config.HasField("locality_weighted_lb_config"):
        yield "load_balancing_policy cannot be combined with partial fields of common_lb_config"
    if not read.typed_extension_protocol_options:
        yield "would speak HTTP/1.1"


def listener_rejected(body: bytes) -> Iterator[str]:
    """Yield why a gRPC client rejects a listener."""
    read = decoded(listener_pb2.Listener, body)
    connection = http_connection_manager_pb2.HttpConnectionManager.FromString(read.api_listener.api_listener.value)
    if [one.typed_config.type_url.rpartition(".")[2] for one in connection.http_filters] != ["Router"]:
        yield "expected at least one HTTP filter"
    if not connection.rds.config_source.HasField("ads") or not connection.rds.route_config_name:
        yield "no routes over ADS"


def route_rejected(body: bytes) -> Iterator[str]:
    """Yield why a client rejects a route configuration."""
    read = decoded(route_pb2.RouteConfiguration, body)
    for host in read.virtual_hosts:
        if not host.domains:
            yield "virtual host without domain"
        for route in host.routes:
            weights = [one.weight.value for one in route.route.weighted_clusters.clusters]
            if not route.HasField("route"):
                yield "Cannot read properties of undefined (reading 'cluster_specifier')"
            if not route.match.HasField("prefix") or not (route.route.cluster or weights):
                yield "route without match or target"
            if 0 in weights or sum(weights) >= UINT32:
                yield f"weights {weights}"


def shares(body: bytes, rule: str) -> dict[str, tuple[int, Fraction]]:
    """Return priority and share within it of each address (``ip:port``) a client would send new calls to.

    Args:
        body: an endpoint list.
        rule: ``locality`` (wrr_locality[round_robin]), ``endpoint`` (Envoy: endpoint weights, localities forgotten),
            ``product`` (gRFC A42) or ``normalized`` (gRFC A113), both for ring_hash.
    """
    read = endpoint_pb2.ClusterLoadAssignment.FromString(body)
    found: dict[str, tuple[int, int | Fraction]] = {}
    for group in read.endpoints:
        serving = [one for one in group.lb_endpoints if one.health_status in (0, 1)]
        total = sum(one.load_balancing_weight.value or 1 for one in serving)
        for one in serving:
            weight = one.load_balancing_weight.value or 1
            known: dict[str, int | Fraction] = {
                "locality": Fraction(group.load_balancing_weight.value, len(serving)),
                "endpoint": weight,
                "product": min(group.load_balancing_weight.value * weight, INT32) % INT32,
                "normalized": Fraction(group.load_balancing_weight.value * weight, total),
            }
            address = one.endpoint.address.socket_address
            found[f"{address.address}:{address.port_value}"] = (group.priority, known[rule])
    sums: defaultdict[int, Fraction] = defaultdict(Fraction)
    for priority, part in found.values():
        sums[priority] += part
    return {address: (priority, Fraction(part) / sums[priority]) for address, (priority, part) in found.items()}
