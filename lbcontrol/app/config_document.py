"""The document ``kind: Server`` as people write it: keys, meanings, units, defaults; what has no effect is refused."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, GetPydanticSchema, PlainValidator, Strict, WithJsonSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from lbcontrol.app.config_rights import AuthenticationDocument, AuthorizationDocument
from lbcontrol.sources.documents.refusals import RefusalError, quoted, shown
from lbcontrol.sources.documents.vocabulary import Duration, NotYet, Part
from lbcontrol.transport.listening import Listen

KIND = "Server"
_SIZE = re.compile(r"([1-9][0-9]{0,11})(Ki|Mi|Gi)")
_SHIFT = {"Ki": 10, "Mi": 20, "Gi": 30}
LATER_SOURCES = ("consul", "dns")
"""Types of sources of the vocabulary that this version cannot watch."""
LATER_BUSES = ("nats", "unix")
"""Types of buses of the vocabulary that this version cannot use."""


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise RefusalError("LB106", f"{what} is {shown(value)}", why="wanted: text", do="put it in quotes")
    return value


def listen_of(value: object) -> Listen:
    """Read where to listen.

    Raises:
        RefusalError: it is no such place (LB115).
    """
    try:
        return Listen.parse(_text(value, "the address"))
    except RefusalError:
        raise
    except ValueError as error:
        what, _, do = str(error).partition("; ")
        raise RefusalError("LB115", what, do=do) from error


def probe_of(value: object) -> Listen:
    """Read where to listen for HTTP.

    Raises:
        RefusalError: it is no such place, or a Unix socket (LB115).
    """
    listen = listen_of(value)
    if listen.path is not None:
        raise RefusalError("LB115", "the probe listener is a Unix socket", do="write it as IP:PORT: it speaks HTTP")
    return listen


def _path(value: object) -> Path:
    text = _text(value, "the path")
    if "\0" in text:
        raise RefusalError("LB120", f"{quoted(text)} is no path", do="correct it")
    return Path(text)


def _network(value: object) -> str:
    text = _text(value, "the network")
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        why = str(error).replace(repr(text), quoted(text))
        raise RefusalError(
            "LB115", f"{quoted(text)} is not a network", why=why, do="write it like 10.0.0.0/8"
        ) from error


def _bytes(value: object) -> int:
    text = _text(value, "the size")
    found = _SIZE.fullmatch(text)
    if found is None:
        raise RefusalError(
            "LB106", f"{quoted(text)} is no size", why="wanted: a number with Ki, Mi or Gi", do="write 512Mi"
        )
    return int(found[1]) << _SHIFT[found[2]]


def _read_by(read: Callable[[object], Listen]) -> GetPydanticSchema:
    """Let ``read`` make the value; pydantic need not look into ``Listen``, and with it into TLS."""
    return GetPydanticSchema(lambda _type, _handler: no_info_plain_validator_function(read))


ListenText = Annotated[Listen, _read_by(listen_of), WithJsonSchema({"type": "string"})]
"""``IP:PORT``, ``[IPv6]:PORT`` or ``unix:PATH``."""
ProbeText = Annotated[Listen, _read_by(probe_of), WithJsonSchema({"type": "string"})]
"""``IP:PORT`` or ``[IPv6]:PORT``."""
PathText = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
"""A path; a relative one begins at the configuration file's directory."""
NetworkText = Annotated[str, PlainValidator(_network), WithJsonSchema({"type": "string"})]
"""A network in CIDR notation."""
BytesText = Annotated[int, PlainValidator(_bytes), WithJsonSchema({"type": "string"})]
"""A number of bytes, like ``512Mi`` or ``1Gi``."""
Count = Annotated[int, Strict(), Field(ge=1, le=10_000_000)]
"""A limit of at least 1."""
Window = Annotated[int, Strict(), Field(ge=65_535, le=16_777_216)]
"""A receive window in bytes; 65,535 is what a peer may count on before it has read our SETTINGS."""
Rate = Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)]
"""So many a second."""


class ListenDocument(Part):
    """Where the server listens."""

    grpc: ListenText | None = None
    """Clients: xDS, the native API, health, reflection. Default 127.0.0.1:18000."""
    admin: ListenText | None = None
    """Operators. Default the Unix socket admin.sock in stateDir, or 127.0.0.1:18001 without one."""
    probe: ProbeText | None = None
    """/livez, /readyz and /metrics over HTTP; not a Unix socket. Default 127.0.0.1:18002."""
    web: NotYet = None
    """The dashboard."""


class LimitsDocument(Part):
    """Limits of what others may ask of this process."""

    streams: Count = 20_000
    """Calls of clients at a time; more are refused with RESOURCE_EXHAUSTED."""
    streams_per_connection: Count = 100
    """Concurrent streams of one connection; a client waits with more."""
    connections: Count = 20_000
    """Connections of clients at a time, at most 256 fewer than the process may open files; with transport http2."""
    connections_per_address: Count = 4_096
    """Connections of one IP address at a time, where clients need no certificate; with transport http2."""
    logins_per_address: Count = 128
    """Connections of one IP address whose client has not shown its certificate yet; with transport http2."""
    connections_per_identity: Count = 10_000
    """Connections of one identity, by certificate, at a time; with transport http2."""
    connections_per_identity_and_address: Count = 256
    """Connections of one identity from one IP address at a time; with transport http2."""
    accepts_per_turn: Count = 32
    """Connections accepted in one turn of the loop; the others wait in the backlog; with transport http2."""
    stream_max_age: Duration = 1_800.0
    """Age at which a stream is ended, give or take a fifth. Default 30m."""
    preface_timeout: Duration = 10.0
    """Time from accept to preface and SETTINGS; with transport http2, as all limits down to glitches. Default 10s."""
    connection_idle: Duration = 60.0
    """Time that a connection may be without a stream. Default 1m."""
    keepalive_interval: Duration = 30.0
    """Silence after which a peer is asked whether it is there. Default 30s."""
    keepalive_timeout: Duration = 10.0
    """Time it has to answer. Default 10s."""
    message_timeout: Duration = 10.0
    """Time from the first byte of a message to its last. Default 10s."""
    stall_timeout: Duration = 60.0
    """Time that a message may be under way to a client that does not read. Default 1m."""
    unsent_bytes: Count = 262_144
    """Bytes of messages under way on one connection; a stream with more to say keeps its newest only."""
    header_block_timeout: Duration = 5.0
    """Time from HEADERS to the end of its block. Default 5s."""
    header_block_bytes: Count = 16_384
    """Encoded header block, over all its frames."""
    header_list_bytes: Count = 16_384
    """Decoded header fields, with 32 bytes for each."""
    header_fields: Count = 64
    """Header fields of one block."""
    header_value_bytes: Count = 8_192
    """One header field's value."""
    continuations: Count = 4
    """CONTINUATION frames of one block, of which one may be empty."""
    stream_window_bytes: Window = 65_535
    """Receive window of a stream."""
    connection_window_bytes: Window = 1_048_576
    """Receive window of a connection."""
    unfinished_bytes: Count = 1_310_720
    """Bytes kept of unfinished messages of one connection."""
    resets_burst: Count = 200
    """Streams that a peer may reset, or make us reset, at once."""
    resets_per_second: Rate = 20.0
    """So many more each second."""
    settings_burst: Count = 10
    """SETTINGS frames at once; one more each 10 s."""
    settings_entries: Count = 32
    """Entries of one SETTINGS frame."""
    pings_burst: Count = 10
    """PING frames at once; one more each 10 s, and with each DATA or HEADERS frame that was sent."""
    priorities: Count = 1_000
    """PRIORITY frames of one connection."""
    window_updates: Count = 100
    """WINDOW_UPDATE frames of one connection; ten more with each DATA frame that was sent."""
    empty_data: Count = 10
    """Empty DATA frames in a row."""
    small_data_burst: Count = 100
    """DATA frames of less than 256 bytes that end no message, at once; 20 more each second."""
    glitches: Count = 100
    """Unknown frames and other oddities of one connection."""
    ads_message_bytes: Count = 1_048_576
    """Message of an xDS client."""
    native_message_bytes: Count = 262_144
    """Message of the native API."""
    admin_message_bytes: Count = 262_144
    """Message of an operator."""
    admin_streams: Count = 1_000
    """Calls of operators at a time."""
    names_per_stream: Count = 10_000
    """Names one stream may follow, of each type."""
    types_per_stream: Count = 16
    """Types one xDS stream may ask for."""
    node_id_bytes: Count = 256
    """A client's name for itself, and its program's."""
    node_metadata_bytes: Count = 65_536
    """Metadata of an xDS node."""
    requests_burst: Count = 200
    """Requests of one stream at once; then it is read no faster than it may ask."""
    requests_per_second: Rate = 50.0
    """So many more each second."""
    nacks_per_minute: Count = 10
    """NACKs of one resource on one stream that count for other clients."""
    registrations_per_peer_address: Count = 16
    """Self-registrations one peer address may hold."""
    lease_min: Duration = 10.0
    """Shortest lease of a registration. Default 10s."""
    lease_max: Duration = 600.0
    """Longest lease of a registration. Default 10m."""
    reports_per_message: Count = 64
    """Services in one load report."""
    samples_per_report: Count = 5_000
    """Endpoints in one load report of a service."""
    report_spacing: Duration = 0.5
    """Least time between two load reports of a service on one stream. Default 500ms."""
    named_metrics: Count = 32
    """Named metrics of one load sample."""
    named_metric_bytes: Count = 64
    """Length of such a name."""


class MemoryDocument(Part):
    """Memory of the process."""

    limit: BytesText | None = None
    """At 85 % of it nothing more is accepted, until it is below 80 %. Default what its control group allows."""


class TlsListenerDocument(Part):
    """TLS of one listener: what it has of its own; the rest is that of ``tls``."""

    cert: PathText | None = None
    """Certificate and those between it and its authority, PEM; read again when it changes."""
    key: PathText | None = None
    """Private key, PEM, not encrypted; read again when it changes."""
    client_ca: PathText | None = None
    """Authorities of clients, PEM; read again when it changes. Default none: clients need no certificate."""
    require_client_cert: Annotated[bool, Strict()] | None = None
    """False: a client without a certificate is anonymous instead of turned away. Default true, with clientCa."""
    min_version: Literal["TLSv1.2", "TLSv1.3"] | None = None
    """Oldest version of TLS. Default TLSv1.2."""


class TlsDocument(TlsListenerDocument):
    """TLS of the listeners grpc and admin; a Unix socket is always plaintext."""

    grpc: TlsListenerDocument | None = None
    """What is different at the clients' listener."""
    admin: TlsListenerDocument | None = None
    """What is different at the operators' listener."""


class BusDocument(Part):
    """What carries decisions between processes."""

    type: Literal["memory"]
    """memory: one process serves all clients."""


class RegistrationDocument(Part):
    """Self-registration of backends."""

    allow: Annotated[tuple[NetworkText, ...], Field(max_length=1_000)] = ()
    """Networks whose addresses a peer may register besides its own."""


class ServerDocument(Part):
    """The configuration of one server."""

    api_version: Literal["lbcontrol.io/v1alpha1"] = "lbcontrol.io/v1alpha1"
    """Version of the vocabulary."""
    kind: Literal["Server"] = "Server"
    """What the document is."""
    listen: ListenDocument = ListenDocument()
    """Where the server listens."""
    sources: dict[str, object] | None = None
    """Registries by name: type, and the options of that type. Default a file source on lbcontrol.d, if present."""
    state_dir: PathText | None = None
    """Directory: overrides, marks, last-good and registrations survive a restart. Default none: they are lost."""
    take_over: Annotated[bool, Strict()] = False
    """True: while another process has stateDir, serve beside it and refuse writes, then take over. Needs stateDir."""
    insecure: Annotated[bool, Strict()] = False
    """True: listen in plaintext without authentication where strangers may reach it."""
    registration: RegistrationDocument = RegistrationDocument()
    """Self-registration of backends."""
    limits: LimitsDocument = LimitsDocument()
    """Limits."""
    startup_grace: Duration = 10.0
    """How long the first decisions wait for sources that have not synced. Default 10s."""
    shutdown_grace: Duration = 10.0
    """Time over which streams are ended at shutdown. Default 10s."""
    control_interval: Duration = 1.0
    """Least time between two updates that move only weights. Default 1s."""
    bus: BusDocument = BusDocument(type="memory")
    """What carries decisions between processes."""
    transport: Literal["http2", "grpcio"] = "http2"
    """What speaks HTTP/2 with clients and operators: http2, our own server, or grpcio, gRPC's. Default http2."""
    tls: TlsDocument | None = None
    """Certificates of the listeners grpc and admin, where they are no Unix socket. Default none: plaintext."""
    authentication: AuthenticationDocument | None = None
    """How callers prove who they are, besides certificates. Default none."""
    authorization: AuthorizationDocument | None = None
    """Who may do what. Default without authentication: everyone may do all; with it: the own namespace is read."""
    memory: MemoryDocument = MemoryDocument()
    """Memory of the process."""
    dial: NotYet = None
    """Addresses that may be probed."""
    admin: NotYet = None
    """What the dashboard may change."""
