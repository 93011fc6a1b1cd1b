"""Listeners (LDS): an API listener that takes its routes from a route configuration over the same stream."""

from __future__ import annotations

from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as manager_pb2

from lbcontrol.frontends.xds.resources.common import packed, same_stream, serialized
from lbcontrol.model.rendering import ListenerForm

ROUTER = "envoy.filters.http.router"
"""Name of the one filter; gRPC clients reject a listener without it."""


def encode_listener(form: ListenerForm) -> bytes:
    """Return the ``envoy.config.listener.v3.Listener`` of a form."""
    connection = manager_pb2.HttpConnectionManager(
        rds=manager_pb2.Rds(route_config_name=form.route_name, config_source=same_stream()),
        http_filters=[manager_pb2.HttpFilter(name=ROUTER, typed_config=packed(router_pb2.Router()))],
    )
    listener = listener_pb2.Listener(
        name=form.name, api_listener=api_listener_pb2.ApiListener(api_listener=packed(connection))
    )
    return serialized(listener)
