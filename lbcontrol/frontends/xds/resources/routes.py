"""Routes (RDS): one virtual host with one default route.

The domain is ``*``, because the name a client asked for may be an alias. Envoy ends a call after 15 s unless told
otherwise, which would cut streams, so its timeout is off and only the longest stream duration counts, as for gRPC.

Where nobody is to get calls the host has no routes: calls fail at once in every client (measured 2026-11-24, grpcio
1.85.3 and grpc-go 1.85.0 in 0.01 s, grpc-js-xds 1.14.1 in 0.1 s). A host whose domain does not match does for grpcio,
grpc-go and grpc-java, but calls of grpc-js then hang until their deadline; a route without a cluster makes it crash.
"""

from __future__ import annotations

from typing import Any

from envoy.config.route.v3 import route_components_pb2, route_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from lbcontrol.frontends.xds.resources.common import duration, serialized
from lbcontrol.model.rendering import RouteForm

NOBODY = "LB310: nobody serves this name"
"""Name of the virtual host without routes, for who reads a client's configuration dump."""


def _action(form: RouteForm) -> Any:
    action = route_components_pb2.RouteAction(timeout=duration(0))
    if len(form.backends) > 1:
        split = route_components_pb2.WeightedCluster
        named = [split.ClusterWeight(name=name, weight=UInt32Value(value=weight)) for name, weight in form.backends]
        action.weighted_clusters.CopyFrom(split(clusters=named))
    else:
        action.cluster = form.backends[0][0]
    if form.timeout is not None:
        action.max_stream_duration.max_stream_duration.CopyFrom(duration(form.timeout))
    if form.hash_header:
        action.hash_policy.add().header.header_name = form.hash_header
    return action


def encode_route(form: RouteForm) -> bytes:
    """Return the ``envoy.config.route.v3.RouteConfiguration`` of a form."""
    host = route_components_pb2.VirtualHost(name=form.name if form.backends else NOBODY, domains=[form.domain])
    if form.backends:
        host.routes.add(match=route_components_pb2.RouteMatch(prefix=""), route=_action(form))
    return serialized(route_pb2.RouteConfiguration(name=form.name, virtual_hosts=[host]))
