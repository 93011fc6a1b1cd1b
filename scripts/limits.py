"""The page of limits: every one with its default, its key, what a breach leads to, and the reason it is counted by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import PlainValidator
from pydantic.alias_generators import to_camel

from lbcontrol.app.config_document import LimitsDocument
from lbcontrol.frontends.lrs.reading import LrsLimits
from lbcontrol.frontends.native_ports import NativeLimits
from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.runtime.rejections import FAULTS, REASONS
from lbcontrol.sources.documents import services, tree
from lbcontrol.sources.registry import RegistryOptions
from lbcontrol.transport.http2.accepting import USER_TIMEOUT_MS
from lbcontrol.transport.http2.handshakes import MOST as HANDSHAKES
from lbcontrol.transport.http2.handshakes import SECONDS
from lbcontrol.transport.http2.seats import SPARE_DESCRIPTORS
from lbcontrol.transport.http2.secure import HANDSHAKE_BYTES
from lbcontrol.transport.http2.server import BACKLOG

CALM = "GOAWAY ENHANCE_YOUR_CALM, close"
CLOSE = "close"
ARGUMENT = "stream ends with INVALID_ARGUMENT"
FILE = "file refused, the old one serves"
_NATIVE, _XDS, _LRS, _REGISTRY = NativeLimits(), XdsLimits(), LrsLimits(), RegistryOptions()


@dataclass(frozen=True, slots=True)
class Row:
    """One limit."""

    what: str
    keys: tuple[str, ...] = ()
    """Fields of ``LimitsDocument``; empty for one that cannot be set."""
    breach: str = CALM
    layer: str = "transport"
    reasons: tuple[str, ...] = ()
    fixed: str = ""
    """Default of a limit, or of a part of it, that has no key under ``limits``."""
    where: str = ""
    """Key elsewhere in the configuration."""


CONNECTIONS = (
    Row("connections", ("connections",), CLOSE, reasons=("connections",)),
    Row("descriptors left for everything else", (), CLOSE, reasons=("connections",), fixed=str(SPARE_DESCRIPTORS)),
    Row("no descriptor left", (), "one caller is told by a close, accepting rests 0.1 s", reasons=("descriptors",)),
    Row("connections of one address", ("connections_per_address",), CLOSE, reasons=("connections_per_address",)),
    Row(
        "connections of one address, not logged in yet (TLS)",
        ("logins_per_address",),
        CLOSE,
        reasons=("logins_per_address",),
    ),
    Row("connections of one identity", ("connections_per_identity",), CLOSE, reasons=("connections_per_identity",)),
    Row(
        "connections of one identity from one address",
        ("connections_per_identity_and_address",),
        CLOSE,
        reasons=("connections_per_identity_and_address",),
    ),
    Row("handshakes in progress (TLS)", (), "wait in the backlog", fixed=str(HANDSHAKES)),
    Row("TCP accept to the end of the handshake (TLS)", (), CLOSE, reasons=("tls_seconds",), fixed=f"{SECONDS:.0f}s"),
    Row("bytes of a handshake (TLS)", (), CLOSE, reasons=("tls_bytes",), fixed=f"{HANDSHAKE_BYTES:,}"),
    Row("records without content (TLS)", (), CLOSE, reasons=("tls_empty",), fixed="many times what there is in others"),
    Row(
        "a handshake that fails (TLS)",
        (),
        CLOSE,
        reasons=(
            "tls_alpn",
            "tls_by_peer",
            "tls_certificate",
            "tls_handshake",
            "tls_identity",
            "tls_plaintext",
            "tls_record",
        ),
        fixed="any",
    ),
    Row(
        "certificate, or its authority, counts no longer (TLS)",
        (),
        "UNAVAILABLE, close",
        reasons=("certificate",),
        fixed="within 10s",
    ),
    Row("accepts in a turn of the loop", ("accepts_per_turn",), "wait in the backlog", fixed=f"backlog {BACKLOG:,}"),
    Row("TCP accept to preface and SETTINGS", ("preface_timeout",), "GOAWAY, close", reasons=("preface",)),
    Row("connection without a stream", ("connection_idle",), "GOAWAY, close", reasons=("idle",)),
    Row(
        "silence until our PING / its answer",
        ("keepalive_interval", "keepalive_timeout"),
        "GOAWAY, close",
        reasons=("keepalive",),
        fixed=f"TCP_USER_TIMEOUT {USER_TIMEOUT_MS // 1_000}s",
    ),
    Row("streams", ("streams",), "RESOURCE_EXHAUSTED, with when to come again", reasons=("streams",)),
    Row("streams of operators", ("admin_streams",), "RESOURCE_EXHAUSTED", reasons=("streams",)),
    Row("age of a stream", ("stream_max_age",), "UNAVAILABLE, GOAWAY for its connection", fixed="± 20 %"),
    Row("memory", (), "no new connection or stream", reasons=("memory",), fixed="85 %", where="memory.limit"),
)
WIRE = (
    Row(
        "streams of one connection", ("streams_per_connection",), "REFUSED_STREAM", reasons=("streams_per_connection",)
    ),
    Row("frame", (), "FRAME_SIZE_ERROR", reasons=("frame_size",), fixed="16,384 bytes"),
    Row(
        "receive window of a stream / of a connection",
        ("stream_window_bytes", "connection_window_bytes"),
        "FLOW_CONTROL_ERROR",
        reasons=("stream_window", "connection_window"),
    ),
    Row("header block, encoded", ("header_block_bytes",), reasons=("header_block_size",)),
    Row("header block, decoded", ("header_list_bytes",), reasons=("header_list",)),
    Row("header fields", ("header_fields",), reasons=("header_fields",)),
    Row("value of a header field", ("header_value_bytes",), reasons=("header_value",)),
    Row("HPACK table; integers", (), "COMPRESSION_ERROR", reasons=("hpack",), fixed="4,096 bytes; below 2^31"),
    Row("CONTINUATION frames of a block", ("continuations",), reasons=("continuations",), fixed="of these empty 1"),
    Row("time for a header block", ("header_block_timeout",), reasons=("header_block",)),
    Row("resets, theirs and those they provoke", ("resets_burst", "resets_per_second"), reasons=("resets",)),
    Row("SETTINGS", ("settings_burst",), reasons=("settings",), fixed="1 more each 10s"),
    Row("entries of one SETTINGS", ("settings_entries",), reasons=("settings_entries",)),
    Row(
        "PING", ("pings_burst",), "GOAWAY too_many_pings", reasons=("too_many_pings",), fixed="1 more each 10s, or sent"
    ),
    Row("PRIORITY of one connection", ("priorities",), reasons=("priorities",)),
    Row("WINDOW_UPDATE", ("window_updates",), reasons=("window_updates",), fixed="10 more with each DATA sent"),
    Row("empty DATA in a row", ("empty_data",), reasons=("empty_data",)),
    Row(
        "DATA of less than 256 bytes in a message",
        ("small_data_burst",),
        reasons=("small_data",),
        fixed="20 more each 1s",
    ),
    Row("unknown frames and other oddities", ("glitches",), reasons=("glitches",)),
    Row("unfinished messages of a connection", ("unfinished_bytes",), "reset of the stream", reasons=("unfinished",)),
    Row("time for a message", ("message_timeout",), "DEADLINE_EXCEEDED", reasons=("message_seconds",)),
    Row("message of xDS", ("ads_message_bytes",), "RESOURCE_EXHAUSTED", reasons=("message_bytes",)),
    Row("message of the native API", ("native_message_bytes",), "RESOURCE_EXHAUSTED", reasons=("message_bytes",)),
    Row("message of operators", ("admin_message_bytes",), "RESOURCE_EXHAUSTED", reasons=("message_bytes",)),
    Row("compressed message", (), "UNIMPLEMENTED", reasons=("compressed",), fixed="none"),
    Row(
        "control frames waiting to be written",
        (),
        "reading stops while 64 KiB of anything wait; the budgets above bound them before",
        fixed="220 frames",
    ),
    Row("messages under way on a connection", ("unsent_bytes",), "the newest of each stream waits"),
    Row("message under way, or socket full", ("stall_timeout",), "reset or close", reasons=("stalled",)),
)
XDS_ROWS = (
    Row("names of a type on a stream", ("names_per_stream",), ARGUMENT, "xds", ("names",)),
    Row("name", (), ARGUMENT, "xds", ("name_length",), fixed=f"{_XDS.name_bytes} bytes"),
    Row("types on a stream", ("types_per_stream",), ARGUMENT, "xds", ("types",)),
    Row("node id", ("node_id_bytes",), ARGUMENT, "xds", ("node_id",)),
    Row("node metadata", ("node_metadata_bytes",), ARGUMENT, "xds", ("node_metadata",), fixed="32 levels"),
    Row("words of a NACK", (), "cut", "xds", fixed="1,024 bytes"),
    Row("requests of a stream", ("requests_burst", "requests_per_second"), "reading pauses", "xds", ("requests",)),
    Row("NACKs of a resource on a stream", ("nacks_per_minute",), "count for that stream only", "xds", ("nacks",)),
    Row("no message, no type", (), ARGUMENT, "xds", ("malformed", "type_missing")),
)
LRS_ROWS = (
    Row("localities of a report", ("samples_per_report",), ARGUMENT, "lrs", ("report_size",)),
    Row("clusters of a report", ("names_per_stream",), ARGUMENT, "lrs", ("report_size",)),
    Row("endpoints of a report", (), ARGUMENT, "lrs", ("report_size",), fixed=f"{_LRS.endpoints:,}"),
    Row("named metrics of a report", (), ARGUMENT, "lrs", ("report_size",), fixed=f"{_LRS.metrics:,}"),
    Row("time between reports of a stream", ("report_spacing",), "dropped unread", "lrs", ("too_soon",)),
    Row("node id, metadata", ("node_id_bytes", "node_metadata_bytes"), ARGUMENT, "lrs", ("node_id", "node_metadata")),
    Row("no message", (), ARGUMENT, "lrs", ("malformed",)),
)
NATIVE_ROWS = (
    Row("names on a stream", ("names_per_stream",), ARGUMENT, "native", ("names",)),
    Row("name", (), ARGUMENT, "native", ("name",), fixed=f"{_NATIVE.name_bytes} bytes"),
    Row("node id, user agent", ("node_id_bytes",), ARGUMENT, "native", ("profile",)),
    Row("features", (), ARGUMENT, "native", ("profile",), fixed=f"{_NATIVE.features} of {_NATIVE.feature_bytes} bytes"),
    Row("requests of a stream", ("requests_burst", "requests_per_second"), "reading pauses", "native", ("requests",)),
    Row("services in a report", ("reports_per_message",), ARGUMENT, "native", ("report",)),
    Row("endpoints in a report", ("samples_per_report",), ARGUMENT, "native", ("report",)),
    Row("time between reports of a service", ("report_spacing",), "dropped, `load_samples_rejected_total`", "native"),
    Row(
        "utilization / rates",
        (),
        "dropped, `load_samples_rejected_total`",
        "native",
        fixed=f"{_NATIVE.utilization:g} / {_NATIVE.rate:,.0f}",
    ),
    Row(
        "named metrics / a name",
        ("named_metrics", "named_metric_bytes"),
        "dropped, `load_samples_rejected_total`",
        "native",
    ),
    Row(
        "registrations of a peer address",
        ("registrations_per_peer_address",),
        "RESOURCE_EXHAUSTED",
        "native",
        ("registrations",),
    ),
    Row(
        "registrations: services, of one service, of one identity",
        (),
        "RESOURCE_EXHAUSTED",
        "native",
        ("full",),
        f"{_REGISTRY.services:,}, {_REGISTRY.endpoints_per_service:,}, {_REGISTRY.registrations_per_identity:,}",
        "sources.*.services, .endpointsPerService, .registrationsPerIdentity",
    ),
    Row("lease", ("lease_min", "lease_max"), "INVALID_ARGUMENT", "native", ("lease",)),
    Row("page of ListServices", (), "INVALID_ARGUMENT", "native", ("page_size",), fixed="1,000"),
    Row(
        "address that is not the peer's own",
        (),
        "PERMISSION_DENIED",
        "native",
        ("address_range",),
        where="registration.allow",
    ),
    Row("address that somebody else holds", (), "PERMISSION_DENIED", "native", ("taken",)),
    Row("role", (), "PERMISSION_DENIED", "native", ("forbidden",)),
    Row("no message, address or health", (), "INVALID_ARGUMENT", "native", ("malformed", "address", "health")),
)
OTHER_ROWS = (
    Row("reason of a write", (), "INVALID_ARGUMENT", "admin", ("reason",), fixed="512 bytes"),
    Row("writes that wait", (), "RESOURCE_EXHAUSTED", "admin", ("full",), fixed="1,000"),
    Row("role", (), "PERMISSION_DENIED", "admin", ("forbidden",)),
    Row(
        "no message, name, address, weight or expiry",
        (),
        "INVALID_ARGUMENT",
        "admin",
        ("malformed", "name", "address", "weight", "expiry"),
    ),
    Row("line and header of a request", (), "400", "probe", ("malformed",), fixed="4,096 bytes"),
    Row("other pages and methods", (), "404, 405", "probe", ("path", "method")),
    Row("file", (), FILE, "file", ("file_bytes",), fixed=f"{tree.MAX_BYTES:,} bytes"),
    Row("depth", (), FILE, "file", ("depth",), fixed=f"{tree.MAX_DEPTH} levels"),
    Row("anchors, aliases, tags", (), FILE, "file", ("references",), fixed="none"),
    Row(
        "services of a source, endpoints of a service, files",
        (),
        FILE,
        "file",
        ("services",),
        fixed=f"{services.MAX_SERVICES:,}, {services.MAX_ENDPOINTS:,}, 10,000",
    ),
    Row("anything else wrong in a file", (), FILE, "file", ("invalid",)),
    Row("file or directory that cannot be read", (), "source stale, or the file as before", "file", ("unreadable",)),
)
SECTIONS = (
    ("Connections and streams", CONNECTIONS),
    ("On the wire (transport http2)", WIRE),
    ("xDS", XDS_ROWS),
    ("Load reports over xDS (LRS)", LRS_ROWS),
    ("Native API", NATIVE_ROWS),
    ("Operators, probes, files", OTHER_ROWS),
)


def _default(key: str) -> str:
    """Return the default of a key as people write it."""
    field = LimitsDocument.model_fields[key]
    if any(isinstance(each, PlainValidator) for each in field.metadata):
        return f"{field.default:g}s"
    unit = " bytes" if key.endswith("_bytes") else " a second" if key.endswith("_per_second") else ""
    return f"{field.default:,g}{unit}" if isinstance(field.default, float) else f"{field.default:,}{unit}"


def _cells(row: Row) -> Iterator[str]:
    yield row.what
    yield ", ".join([*(_default(key) for key in row.keys), *([row.fixed] if row.fixed else [])])
    yield ", ".join([*(f"`limits.{to_camel(key)}`" for key in row.keys), *([f"`{row.where}`"] if row.where else [])])
    yield row.breach
    yield f"`{row.layer}`" if row.reasons else ""
    yield ", ".join(f"`{reason}`" for reason in row.reasons)


def page(made: str) -> str:
    """Return the page; ``made`` says what it is made from."""
    parts = [
        "# Limits\n",
        made,
        "Nothing that others send is without a bound. A limit without a key is fixed. Whatever is refused counts in",
        "`lbcontrol_rejected_total{layer,reason}`; what is refused because the process is full also in",
        "`lbcontrol_streams_shed_total{reason}`. A breach ends that stream or connection; nobody else notices.\n",
    ]
    heads = ("limit", "default", "key", "on breach", "layer", "reason")
    for title, rows in SECTIONS:
        parts += [f"## {title}\n", f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
        parts += [f"| {' | '.join(_cells(row))} |" for row in rows]
        parts.append("")
    parts += [
        "## Breaches of RFC 9113\n",
        "Further reasons of the layer `transport`, each a mistake that ends the stream or the connection by the RFC:",
        ", ".join(f"`{fault}`" for fault in FAULTS) + ".",
        "",
    ]
    return "\n".join(parts)


def told() -> dict[str, set[str]]:
    """Return the reasons of each layer that the page explains."""
    found: dict[str, set[str]] = {layer: set() for layer in REASONS}
    found["transport"].update(FAULTS)
    for _, rows in SECTIONS:
        for row in rows:
            found[row.layer].update(row.reasons)
    return found
