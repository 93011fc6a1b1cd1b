"""Why inputs are refused: the closed set of ``rejected_total{layer,reason}``, every series is there at the start.

A limit's reason is the word that GOAWAY and docs/reference/limits.md use for it. A test finds every reason that the
code can give here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FULL = ("connections", "descriptors", "memory", "streams")
"""Reasons of the transport for which this process took nothing more at all; ``streams_shed_total`` counts them too."""
LIMITS = (
    "compressed",
    "connections_per_address",
    "connections_per_identity",
    "connections_per_identity_and_address",
    "continuations",
    "empty_data",
    "glitches",
    "header_block",
    "header_block_size",
    "header_fields",
    "header_list",
    "header_value",
    "idle",
    "keepalive",
    "logins_per_address",
    "message_bytes",
    "message_seconds",
    "preface",
    "priorities",
    "resets",
    "settings",
    "settings_entries",
    "small_data",
    "stalled",
    "streams_per_connection",
    "tls_bytes",
    "tls_empty",
    "tls_seconds",
    "too_many_pings",
    "unfinished",
    "window_updates",
)
"""Limits of connections and streams."""
FAULTS = (
    "closed_stream",
    "connection_field",
    "connection_window",
    "content_length",
    "continuation",
    "enable_push",
    "field_name",
    "field_value",
    "first_frame",
    "frame_size",
    "goaway_size",
    "goaway_stream",
    "half_closed",
    "headers_twice",
    "hpack",
    "idle_stream",
    "initial_window",
    "max_frame_size",
    "padding",
    "ping_size",
    "ping_stream",
    "priority_size",
    "pseudo_field",
    "push_promise",
    "rst_size",
    "self_dependency",
    "settings_size",
    "settings_stream",
    "stream_0",
    "stream_id",
    "stream_window",
    "window_update_0",
    "window_update_size",
)
"""Breaches of RFC 9113 and RFC 7541; those that the peer cannot commit often end the connection."""
TLS = (
    "certificate",
    "tls_alpn",
    "tls_by_peer",
    "tls_certificate",
    "tls_handshake",
    "tls_identity",
    "tls_plaintext",
    "tls_record",
)
"""Handshakes that failed, and certificates that count no longer."""
REASONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "transport": tuple(sorted((*FULL, *LIMITS, *FAULTS, *TLS))),
        "xds": (
            "malformed",
            "nacks",
            "name_length",
            "names",
            "node_id",
            "node_metadata",
            "requests",
            "type_missing",
            "types",
        ),
        "native": (
            "address",
            "address_range",
            "forbidden",
            "full",
            "health",
            "lease",
            "malformed",
            "name",
            "names",
            "page_size",
            "profile",
            "registrations",
            "report",
            "requests",
            "taken",
        ),
        "lrs": ("malformed", "node_id", "node_metadata", "report_size", "too_soon"),
        "admin": ("address", "expiry", "forbidden", "full", "malformed", "name", "reason", "weight"),
        "probe": ("malformed", "method", "path"),
        "file": ("depth", "file_bytes", "invalid", "references", "services", "unreadable"),
    }
)
"""By layer."""
