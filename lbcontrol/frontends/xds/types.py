"""Which xDS types are served, and how each is grouped into responses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lbcontrol.model.rendering import ResourceType

TYPE_URLS: Mapping[ResourceType, str] = MappingProxyType(
    {
        ResourceType.CLUSTER: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        ResourceType.ENDPOINTS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        ResourceType.LISTENER: "type.googleapis.com/envoy.config.listener.v3.Listener",
        ResourceType.ROUTE: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    }
)
"""Type URL of each type, in the order in which a stream is told: a thing comes before what names it."""

TYPES: Mapping[str, ResourceType] = MappingProxyType({url: type_ for type_, url in TYPE_URLS.items()})
"""Type by URL; a URL that is not here is unknown."""

WHOLE = frozenset({ResourceType.LISTENER, ResourceType.CLUSTER})
"""Types with wildcards, whose State-of-the-World responses hold the full set (xds_protocol, "Grouping Resources")."""
