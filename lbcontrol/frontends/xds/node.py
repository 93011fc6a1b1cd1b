"""What a client says of itself (envoy.config.core.v3.Node), as a profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbcontrol.frontends.xds.limits import XdsLimits, check_node
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Locality
from lbcontrol.model.namespaces import KEY, is_namespace
from lbcontrol.model.text import printable

OURS = "lbcontrol."
"""Metadata keys that concern us begin like this."""
_MOST_FEATURES = 64
_MOST_CHARACTERS = 64
_MOST_PLACE = 128
_NONE: frozenset[str] = frozenset()
"""No features: one object for all clients that name none."""


def profile_of(node: Any, kind_of: Callable[[str], str], *, limits: XdsLimits) -> ClientProfile:
    """Return the profile of a node; one that says nothing (None or empty) is of kind *unknown*.

    Raises:
        InvalidRequestError: the node is too large (LB336, LB337).
    """
    if node is None:
        return ClientProfile()
    check_node(node, limits)
    place = node.locality
    metadata = {key: value.string_value for key, value in node.metadata.fields.items() if _is_ours(key, value)}
    namespace = metadata.get(KEY, "")
    return ClientProfile(
        id=printable(node.id),
        kind=kind_of(node.user_agent_name) if node.user_agent_name else "unknown",
        version=printable(_version(node)[:_MOST_CHARACTERS]),
        locality=Locality(*(printable(each[:_MOST_PLACE]) for each in (place.region, place.zone, place.sub_zone))),
        features=frozenset(feature[:_MOST_CHARACTERS] for feature in node.client_features[:_MOST_FEATURES]) or _NONE,
        metadata=metadata,
        namespace=namespace if is_namespace(namespace) else "",
    )


def _version(node: Any) -> str:
    """Return the version: gRPC gives a text, Envoy three numbers."""
    if node.HasField("user_agent_build_version"):
        numbers = node.user_agent_build_version.version
        return f"{numbers.major_number}.{numbers.minor_number}.{numbers.patch}"
    return str(node.user_agent_version)


def _is_ours(key: str, value: Any) -> bool:
    return key.startswith(OURS) and value.WhichOneof("kind") == "string_value"
