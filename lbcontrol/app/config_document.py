"""The document ``kind: Server`` as people write it: keys, meanings, units, defaults; what has no effect is refused."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, Strict, WithJsonSchema

from lbcontrol.sources.documents.refusals import RefusalError, quoted, shown
from lbcontrol.sources.documents.vocabulary import Duration, NotYet, Part
from lbcontrol.transport.listening import Listen

KIND = "Server"
LATER_SOURCES = ("kubernetes", "consul", "dns")
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


ListenText = Annotated[Listen, PlainValidator(listen_of), WithJsonSchema({"type": "string"})]
"""``IP:PORT``, ``[IPv6]:PORT`` or ``unix:PATH``."""
ProbeText = Annotated[Listen, PlainValidator(probe_of), WithJsonSchema({"type": "string"})]
"""``IP:PORT`` or ``[IPv6]:PORT``."""
PathText = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
"""A path; a relative one begins at the configuration file's directory."""
NetworkText = Annotated[str, PlainValidator(_network), WithJsonSchema({"type": "string"})]
"""A network in CIDR notation."""
Count = Annotated[int, Strict(), Field(ge=1, le=10_000_000)]
"""A limit of at least 1."""


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
    stream_max_age: Duration = 1_800.0
    """Age at which a stream is ended, give or take a fifth. Default 30m."""
    names_per_stream: Count = 10_000
    """Names one stream may follow, of each type."""
    registrations_per_peer_address: Count = 16
    """Self-registrations one peer address may hold."""


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
    authorization: NotYet = None
    """Who may do what."""
    memory: NotYet = None
    """Memory at which load is shed."""
    dial: NotYet = None
    """Addresses that may be probed."""
    admin: NotYet = None
    """What the dashboard may change."""
