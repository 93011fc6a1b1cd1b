"""Forms to bytes: the encoder that the publisher is given."""

from __future__ import annotations

from lbcontrol.frontends.xds.resources.clusters import encode_cluster
from lbcontrol.frontends.xds.resources.endpoints import encode_endpoints
from lbcontrol.frontends.xds.resources.listeners import encode_listener
from lbcontrol.frontends.xds.resources.routes import encode_route
from lbcontrol.model.rendering import ClusterForm, EndpointsForm, Form, ListenerForm, RouteForm


def encode(form: Form) -> bytes:
    """Return the serialized xDS resource of a form; equal forms give equal bytes, in every process.

    May be called from any thread.

    Raises:
        TypeError: the form is not one of xDS (the native API encodes its own).
    """
    if isinstance(form, EndpointsForm):
        return encode_endpoints(form)
    if isinstance(form, ClusterForm):
        return encode_cluster(form)
    if isinstance(form, RouteForm):
        return encode_route(form)
    if isinstance(form, ListenerForm):
        return encode_listener(form)
    raise TypeError(f"{type(form).__name__} is not an xDS resource; the native API encodes it")
