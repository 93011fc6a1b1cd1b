"""xDS resources as clients read them, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3 import (
    client_side_weighted_round_robin_pb2,
)
from envoy.extensions.load_balancing_policies.pick_first.v3 import pick_first_pb2
from envoy.extensions.load_balancing_policies.ring_hash.v3 import ring_hash_pb2
from envoy.extensions.load_balancing_policies.wrr_locality.v3 import wrr_locality_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from lbcontrol.frontends.xds.encode import encode
from lbcontrol.frontends.xds.resources.clusters import ENUMS, HTTP_OPTIONS, OFFERS
from lbcontrol.frontends.xds.resources.endpoints import EncodedLocalities, encode_locality
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import (
    AssignmentForm,
    Balancer,
    ClusterForm,
    EndpointForm,
    EndpointsForm,
    ListenerForm,
    LocalityForm,
    RouteForm,
)
from lbcontrol.model.services import Drop


def cluster(*balancers: Balancer, **fields: Any) -> Any:
    """Return a cluster form as a client decodes it."""
    return cluster_pb2.Cluster.FromString(encode(ClusterForm("greeter", balancers, **fields)))


def route(form: RouteForm) -> Any:
    """Return a route form as a client decodes it."""
    return route_pb2.RouteConfiguration.FromString(encode(form))


def unpacked(offer: Any, message: Any) -> Any:
    """Return the configuration of a policy on offer."""
    assert offer.typed_extension_config.typed_config.Unpack(message)
    return message


def test_cluster_of_round_robin_is_the_least_there_is() -> None:
    """Name, EDS, over this stream, as v3: nothing that an old client could not know."""
    read = cluster(Balancer.ROUND_ROBIN_ENUM)
    assert [one.name for one, _ in read.ListFields()] == ["name", "type", "eds_cluster_config"]
    assert read.eds_cluster_config.eds_config.HasField("ads")
    assert read.eds_cluster_config.eds_config.resource_api_version == 2


def test_every_balancer_can_be_encoded() -> None:
    """What the compiler can list, the encoder can write."""
    assert set(OFFERS) | set(ENUMS) == set(Balancer)
    assert not set(OFFERS) & set(ENUMS)
    assert [one for one in ENUMS if not one.is_enum] == []
    for one in Balancer:
        assert cluster(one).HasField("load_balancing_policy") == (not one.is_enum)


def test_client_weighted_waits_100_ms_and_falls_back() -> None:
    """A blackout of 0 would mean 10 s to Go; who lacks the policy takes the second entry."""
    read = cluster(Balancer.WRR_LOCALITY_CLIENT_WEIGHTED, Balancer.WRR_LOCALITY_ROUND_ROBIN)
    names = []
    for offer in read.load_balancing_policy.policies:
        inner = unpacked(offer, wrr_locality_pb2.WrrLocality()).endpoint_picking_policy.policies[0]
        names.append((offer.typed_extension_config.name, inner.typed_extension_config.name))
        if len(names) == 1:
            config = unpacked(inner, client_side_weighted_round_robin_pb2.ClientSideWeightedRoundRobin())
            assert config.blackout_period.ToMilliseconds() == 100
    begin = "envoy.load_balancing_policies."
    assert names == [
        (f"{begin}wrr_locality", f"{begin}client_side_weighted_round_robin"),
        (f"{begin}wrr_locality", f"{begin}round_robin"),
    ]


@pytest.mark.parametrize(("sizes", "least"), [(True, 4096), (False, None)])
def test_ring_says_its_hash_and_its_size_where_it_may(sizes: bool, least: int | None) -> None:
    """XX_HASH is said for Go; sizes are left out for Node; Envoy has the same in its own field."""
    offer = cluster(Balancer.RING_HASH, ring_sizes=sizes).load_balancing_policy.policies[0]
    ring = unpacked(offer, ring_hash_pb2.RingHash())
    proxy = cluster(Balancer.RING_HASH_ENUM, ring_sizes=sizes).ring_hash_lb_config
    assert ring.hash_function == ring_hash_pb2.RingHash.XX_HASH
    assert proxy.hash_function == cluster_pb2.Cluster.RingHashLbConfig.XX_HASH
    for one in (ring, proxy):
        assert one.HasField("minimum_ring_size") == (least is not None)
        assert one.minimum_ring_size.value == (least or 0)
        assert not one.HasField("maximum_ring_size")


def test_pick_first_shuffles() -> None:
    """Otherwise every client would take the same first endpoint."""
    offer = cluster(Balancer.PICK_FIRST).load_balancing_policy.policies[0]
    assert unpacked(offer, pick_first_pb2.PickFirst()).shuffle_address_list


def test_limits_of_a_cluster_are_said_only_when_asked() -> None:
    """Connect time and requests at once; none of it changes the bytes when it is not asked for."""
    read = cluster(Balancer.ROUND_ROBIN_ENUM, connect_timeout=2.5, max_requests=7, lrs=True)
    assert read.connect_timeout.ToMilliseconds() == 2500
    assert [one.max_requests.value for one in read.circuit_breakers.thresholds] == [7]
    assert read.lrs_server.HasField("self")


def test_envoy_is_told_http2_no_panic_and_locality_weights() -> None:
    """Each in the field Envoy reads."""
    read = cluster(Balancer.ROUND_ROBIN_ENUM, http2=True, no_panic=True, locality_weighted=True)
    options = http_protocol_options_pb2.HttpProtocolOptions()
    assert read.typed_extension_protocol_options[HTTP_OPTIONS].Unpack(options)
    assert options.explicit_http_config.HasField("http2_protocol_options")
    assert read.common_lb_config.HasField("healthy_panic_threshold")
    assert read.common_lb_config.healthy_panic_threshold.value == 0
    assert read.common_lb_config.HasField("locality_weighted_lb_config")


def test_route_leads_every_name_to_one_service() -> None:
    """Any domain, any path; Envoy's 15 s are off; nothing else is said."""
    (host,) = route(RouteForm("greeter", (("greeter", 1),))).virtual_hosts
    assert (host.name, list(host.domains)) == ("greeter", ["*"])
    (only,) = host.routes
    assert (only.match.prefix, only.route.cluster) == ("", "greeter")
    assert only.route.HasField("timeout")
    assert only.route.timeout.ToNanoseconds() == 0
    assert not only.route.HasField("max_stream_duration")
    assert not only.route.hash_policy


def test_route_splits_limits_and_hashes() -> None:
    """Weights of the backends, the longest stream, the header of a ring."""
    form = RouteForm("greeter", (("a", 90), ("b", 10)), timeout=1.25, hash_header="x-user")
    action = route(form).virtual_hosts[0].routes[0].route
    assert [(one.name, one.weight.value) for one in action.weighted_clusters.clusters] == [("a", 90), ("b", 10)]
    assert action.max_stream_duration.max_stream_duration.ToMilliseconds() == 1250
    assert [one.header.header_name for one in action.hash_policy] == ["x-user"]


def test_route_without_backends_fails_every_call() -> None:
    """Any name finds the host and no call a route: every client then fails at once, Node too."""
    (host,) = route(RouteForm("greeter", ())).virtual_hosts
    assert (list(host.domains), list(host.routes)) == (["*"], [])


def test_listener_takes_its_routes_over_this_stream() -> None:
    """The alias is the listener's name, the service that of its routes; the router filter is there."""
    read = listener_pb2.Listener.FromString(encode(ListenerForm("alias", "greeter")))
    connection = http_connection_manager_pb2.HttpConnectionManager()
    assert read.name == "alias"
    assert read.api_listener.api_listener.Unpack(connection)
    assert connection.rds.route_config_name == "greeter"
    assert connection.rds.config_source.HasField("ads")
    assert [one.name for one in connection.http_filters] == ["envoy.filters.http.router"]


def test_endpoints_carry_drops_and_overprovisioning() -> None:
    """Drops in millionths; Envoy is told to stay in a priority."""
    form = EndpointsForm("greeter", (), (Drop("shed", 12.5), Drop("test", 0.01)), no_spill=True)
    policy = endpoint_pb2.ClusterLoadAssignment.FromString(encode(form)).policy
    found = [
        (one.category, one.drop_percentage.numerator, one.drop_percentage.denominator) for one in policy.drop_overloads
    ]
    assert found == [("shed", 125_000, 2), ("test", 100, 2)]
    assert policy.overprovisioning_factor.value == 10_000


def test_native_forms_are_not_encoded_here() -> None:
    """The native API encodes its own; taking its form for an xDS resource is our mistake and says so."""
    with pytest.raises(TypeError, match="AssignmentForm is not an xDS resource"):
        encode(AssignmentForm("a", "a", 1, 1, EndpointsForm("a", ())))


def locality(number: int) -> LocalityForm:
    """Return a locality of one endpoint."""
    one = EndpointForm(Address("10.0.0.1", number), Health.SERVING)
    return LocalityForm(Locality("r", "z", str(number)), 0, 1, (one,))


def test_a_locality_is_encoded_once_and_its_bytes_go_when_it_goes() -> None:
    """Weights change all day: what was sent yesterday must not stay in memory because it was encoded."""
    kept, forms = EncodedLocalities(), [locality(number) for number in range(200, 300)]
    bodies = [kept.encoded(form) for form in forms]
    assert bodies == [encode_locality(form) for form in forms]
    assert all(kept.encoded(form) is body for form, body in zip(forms, bodies, strict=True))
    assert kept.encoded(locality(200)) is not bodies[0], "equal, but another object, which nobody holds now"
    assert len(kept) == 100
    del forms[10:]
    assert len(kept) == 10
    assert kept.encoded(forms[0]) is bodies[0]
