"""Routes (RDS): one virtual host with one default route.

The domain is ``*``, because the name a client asked for may be an alias. Envoy ends a call after 15 s unless told
otherwise, which would cut streams, so its timeout is off and only the longest stream duration counts, as for gRPC.
"""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from lbcontrol.frontends.xds.resources.common import duration, serialized
from lbcontrol.model.rendering import RouteForm

NOBODY = "lb310.nobody-serves.invalid"
"""Domain of a virtual host that no client can match (the top-level domain is reserved by RFC 2606), so that calls fail
at once instead of waiting for a name; its number is the error's page."""


def _action(form: RouteForm) -> Any:
    action = route_components_pb2.RouteAction(timeout=duration(0))
    if len(form.backends) > 1:
        split = route_components_pb2.WeightedCluster
        named = [split.ClusterWeight(name=name, weight=UInt32Value(value=weight)) for name, weight in form.backends]
        action.weighted_clusters.CopyFrom(split(clusters=named))
    else:
        action.cluster = form.backends[0][0] if form.backends else NOBODY
    if form.timeout is not None:
        action.max_stream_duration.max_stream_duration.CopyFrom(duration(form.timeout))
    if form.hash_header:
        action.hash_policy.add().header.header_name = form.hash_header
    return action


def encode_route(form: RouteForm) -> bytes:
    """Return the ``envoy.config.route.v3.RouteConfiguration`` of a form."""
    route = route_components_pb2.Route(match=route_components_pb2.RouteMatch(prefix=""), route=_action(form))
    host = route_components_pb2.VirtualHost(
        name=form.name, domains=["*"] if form.backends else [NOBODY], routes=[route]
    )
    return serialized(route_pb2.RouteConfiguration(name=form.name, virtual_hosts=[host]))
