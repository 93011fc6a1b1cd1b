"""Clusters (CDS): endpoints by EDS over the same stream, and the client policies on offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import config_source_pb2, extension_pb2, protocol_pb2
from envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3 import (
    client_side_weighted_round_robin_pb2 as weighted_pb2,
)
from envoy.extensions.load_balancing_policies.least_request.v3 import least_request_pb2
from envoy.extensions.load_balancing_policies.pick_first.v3 import pick_first_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.round_robin.v3 import round_robin_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.wrappers_pb2 import UInt32Value, UInt64Value

from lbcontrol.frontends.xds.resources.common import duration, packed, same_stream, serialized
from lbcontrol.model.rendering import Balancer, ClusterForm

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""Key under which Envoy looks for the protocol of the backends."""
RING_SIZE = 4096
"""Least size of a ring: the most that gRPC clients allow by default, because a bigger ring is more exact."""
BLACKOUT = 0.1
"""Seconds before a backend's own report counts; grpc-go takes 0 for its default of 10 s."""


def _offer(name: str, config: Any) -> Any:
    extension = extension_pb2.TypedExtensionConfig(
        name=f"envoy.load_balancing_policies.{name}", typed_config=packed(config)
    )
    return cluster_pb2.LoadBalancingPolicy.Policy(typed_extension_config=extension)


def _listed(*offers: Any) -> Any:
    return cluster_pb2.LoadBalancingPolicy(policies=offers)


def _round_robin(_: ClusterForm) -> Any:
    return _offer("round_robin", round_robin_pb2.RoundRobin())


def _client_weighted(_: ClusterForm) -> Any:
    config = weighted_pb2.ClientSideWeightedRoundRobin(blackout_period=duration(BLACKOUT))
    return _offer("client_side_weighted_round_robin", config)


def _within_locality(child: Callable[[ClusterForm], Any]) -> Callable[[ClusterForm], Any]:
    def offer(form: ClusterForm) -> Any:
        config = wrr_locality_pb2.WrrLocality(endpoint_picking_policy=_listed(child(form)))
        return _offer("wrr_locality", config)

    return offer


def _least_request(_: ClusterForm) -> Any:
    return _offer("least_request", least_request_pb2.LeastRequest())


def _pick_first(_: ClusterForm) -> Any:
    return _offer("pick_first", pick_first_pb2.PickFirst(shuffle_address_list=True))


def _ring_hash(form: ClusterForm) -> Any:
    config = ring_hash_pb2.RingHash(hash_function=ring_hash_pb2.RingHash.XX_HASH)
    if form.ring_sizes:
        config.minimum_ring_size.CopyFrom(UInt64Value(value=RING_SIZE))
    return _offer("ring_hash", config)


OFFERS: dict[Balancer, Callable[[ClusterForm], Any]] = {
    Balancer.WRR_LOCALITY_ROUND_ROBIN: _within_locality(_round_robin),
    Balancer.WRR_LOCALITY_CLIENT_WEIGHTED: _within_locality(_client_weighted),
    Balancer.CLIENT_WEIGHTED: _client_weighted,
    Balancer.LEAST_REQUEST: _least_request,
    Balancer.PICK_FIRST: _pick_first,
    Balancer.RING_HASH: _ring_hash,
}
"""Policies that can stand in a list."""

ENUMS: dict[Balancer, Any] = {
    Balancer.ROUND_ROBIN_ENUM: cluster_pb2.Cluster.ROUND_ROBIN,
    Balancer.LEAST_REQUEST_ENUM: cluster_pb2.Cluster.LEAST_REQUEST,
    Balancer.RING_HASH_ENUM: cluster_pb2.Cluster.RING_HASH,
}
"""Values of ``lb_policy``."""


def _balance(cluster: Any, form: ClusterForm) -> None:
    if not form.balancers[0].is_enum:
        cluster.load_balancing_policy.CopyFrom(_listed(*(OFFERS[one](form) for one in form.balancers)))
        return
    cluster.lb_policy = ENUMS[form.balancers[0]]
    if cluster.lb_policy == cluster_pb2.Cluster.RING_HASH:
        cluster.ring_hash_lb_config.hash_function = cluster_pb2.Cluster.RingHashLbConfig.XX_HASH
        if form.ring_sizes:
            cluster.ring_hash_lb_config.minimum_ring_size.CopyFrom(UInt64Value(value=RING_SIZE))


def _speak_http2(cluster: Any) -> None:
    explicit = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions()
    )
    options = http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=explicit)
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(packed(options))


def _limit(cluster: Any, form: ClusterForm) -> None:
    if form.connect_timeout is not None:
        cluster.connect_timeout.CopyFrom(duration(form.connect_timeout))
    if form.max_requests is not None:
        most = UInt32Value(value=form.max_requests)
        cluster.circuit_breakers.CopyFrom(
            circuit_breaker_pb2.CircuitBreakers(
                thresholds=[circuit_breaker_pb2.CircuitBreakers.Thresholds(max_requests=most)]
            )
        )


def encode_cluster(form: ClusterForm) -> bytes:
    """Return the ``envoy.config.cluster.v3.Cluster`` of a form."""
    cluster = cluster_pb2.Cluster(
        name=form.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=same_stream()),
    )
    _balance(cluster, form)
    _limit(cluster, form)
    if form.locality_weighted:
        cluster.common_lb_config.locality_weighted_lb_config.SetInParent()
    if form.no_panic:
        cluster.common_lb_config.healthy_panic_threshold.CopyFrom(percent_pb2.Percent(value=0))
    if form.http2:
        _speak_http2(cluster)
    if form.lrs:
        cluster.lrs_server.CopyFrom(config_source_pb2.ConfigSource(self=config_source_pb2.SelfConfigSource()))
    return serialized(cluster)
