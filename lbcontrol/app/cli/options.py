"""Flags and arguments of each verb: a field is one of them, with its meaning in the help.

A class here is turned into the signature that typer reads, and an instance of it is what the verb gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from lbcontrol.app.cli import completion
from lbcontrol.app.cli.choices import Color, Document, Format, Language, Report, Transport, Until
from lbcontrol.app.cli.words import duration


def _duration(text: str | float) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Service = Annotated[
    str, typer.Argument(metavar="SERVICE", help="Service or alias.", autocompletion=completion.services)
]
Endpoint = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help='"IP:PORT" or "[IPv6]:PORT".', autocompletion=completion.endpoints)
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the data.")]
Reporting = Annotated[Report, typer.Option("--output", "-o", help="Form; short leaves out what is well.")]
Repeat = Annotated[bool, typer.Option("--watch", "-w", help="Go on and print changes; JSON: one object a line.")]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every verb takes."""

    color: Annotated[Color, typer.Option("--color", help="Colour; auto heeds NO_COLOR and pipes.")] = Color.AUTO
    debug: Annotated[bool, typer.Option("--debug", help="Add the stack to an error.")] = False


@dataclass(frozen=True, kw_only=True)
class Proved(Common):
    """How a client proves itself to a listener with TLS, and whom it believes."""

    tls_ca: Annotated[
        str,
        typer.Option(
            "--tls-ca",
            envvar="LBCONTROL_TLS_CA",
            metavar="FILE",
            help="Authority of the server's certificate, PEM.",
            show_default="plaintext; with --tls-cert those of the system",
        ),
    ] = ""
    tls_cert: Annotated[
        str, typer.Option("--tls-cert", envvar="LBCONTROL_TLS_CERT", metavar="FILE", help="Own certificate, PEM.")
    ] = ""
    tls_key: Annotated[
        str, typer.Option("--tls-key", envvar="LBCONTROL_TLS_KEY", metavar="FILE", help="Its key, PEM.")
    ] = ""
    tls_server_name: Annotated[
        str,
        typer.Option(
            "--tls-server-name",
            envvar="LBCONTROL_TLS_SERVER_NAME",
            metavar="NAME",
            help="Name the server's certificate must have.",
            show_default="the host that is dialled",
        ),
    ] = ""


@dataclass(frozen=True, kw_only=True)
class Remote(Proved):
    """What every verb that asks a running server takes."""

    server: Annotated[
        str, typer.Option("--server", envvar="LBCONTROL_SERVER", metavar="ADDRESS", help="Clients' listener.")
    ] = "127.0.0.1:18000"
    admin: Annotated[
        str,
        typer.Option(
            "--admin",
            envvar="LBCONTROL_ADMIN",
            metavar="ADDRESS",
            help="Operators' listener.",
            show_default="admin.sock of the state directory, else 127.0.0.1:18001",
        ),
    ] = ""
    admin_plaintext: Annotated[
        bool,
        typer.Option(
            "--admin-plaintext",
            envvar="LBCONTROL_ADMIN_PLAINTEXT",
            help="The operators' listener has no TLS, though the clients' has.",
        ),
    ] = False
    token_file: Annotated[
        str,
        typer.Option(
            "--token-file",
            envvar="LBCONTROL_TOKEN_FILE",
            metavar="FILE",
            help="Token to log in with, as a service account's.",
        ),
    ] = ""
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            parser=_duration,
            metavar="DURATION",
            help="Longest wait.",
            show_default="5s for an answer, 1m for --wait and --until",
        ),
    ] = 0.0


def remote_of(typed: Mapping[str, Any], *, timeout: float) -> Remote:
    """Return how a server is asked, of a line that is not whole yet."""
    known = {each.name: typed[each.name] for each in fields(Remote) if typed.get(each.name)}
    return Remote(**{**known, "timeout": timeout})


@dataclass(frozen=True, kw_only=True)
class Write(Remote):
    """What every verb that changes something takes."""

    reason: Annotated[str, typer.Option("--reason", help="Why; kept and shown.")] = ""
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, say what would happen.")] = False
    output: Output = Format.TABLE


@dataclass(frozen=True, kw_only=True)
class Expiring(Write):
    """What every change that may end by itself takes."""

    expires_after: Annotated[
        float,
        typer.Option(
            "--expires-after", parser=_duration, metavar="DURATION", help="End by itself.", show_default="never"
        ),
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class Serve(Common):
    """Flags of ``serve``."""

    path: Annotated[str, typer.Argument(metavar="[PATH]", help="File or directory with services.")] = ""
    config: Annotated[str, typer.Option("--config", metavar="FILE", help="Server file (kind: Server).")] = ""
    grpc: Annotated[str, typer.Option("--grpc", metavar="ADDRESS", help="Clients' listener.")] = ""
    admin: Annotated[str, typer.Option("--admin", metavar="ADDRESS", help="Operators' listener.")] = ""
    probe: Annotated[str, typer.Option("--probe", metavar="ADDRESS", help="/livez, /readyz, /metrics.")] = ""
    state_dir: Annotated[
        str,
        typer.Option(
            "--state-dir", envvar="LBCONTROL_STATE_DIR", metavar="DIR", help="What survives a restart lives here."
        ),
    ] = ""
    tls_cert: Annotated[str, typer.Option("--tls-cert", metavar="FILE", help="Certificate of the listeners, PEM.")] = ""
    tls_key: Annotated[str, typer.Option("--tls-key", metavar="FILE", help="Its key, PEM.")] = ""
    tls_client_ca: Annotated[
        str,
        typer.Option("--tls-client-ca", metavar="FILE", help="Authorities of clients, PEM: they need certificates."),
    ] = ""
    transport: Annotated[
        Transport | None,
        typer.Option("--transport", help="What speaks HTTP/2.", show_default="the server file's, else http2"),
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow plaintext without login beyond this machine.")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class Validate(Common):
    """Flags of ``validate``."""

    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files or directories.")]
    output: Reporting = Report.TABLE


@dataclass(frozen=True, kw_only=True)
class Schema(Common):
    """Flags of ``schema``."""

    output: Annotated[Document, typer.Option("--output", "-o", help="Form of the schema.")] = Document.JSON


@dataclass(frozen=True, kw_only=True)
class Services(Remote):
    """Flags of ``services``."""

    output: Output = Format.TABLE
    watch: Repeat = False


@dataclass(frozen=True, kw_only=True)
class Get(Remote):
    """Flags of ``get``."""

    service: Service
    as_: Annotated[str, typer.Option("--as", metavar="CLIENT|kind:KIND", help="What this client was told.")] = ""
    output: Output = Format.TABLE
    watch: Repeat = False


@dataclass(frozen=True, kw_only=True)
class Watch(Remote):
    """Flags of ``watch``."""

    service: Service
    endpoint: Annotated[
        str,
        typer.Argument(metavar="[ENDPOINT]", help="Only this endpoint.", autocompletion=completion.endpoints),
    ] = ""
    until: Annotated[Until | None, typer.Option("--until", help="End once this is true; 6 when late.")] = None
    output: Output = Format.TABLE


@dataclass(frozen=True, kw_only=True)
class Why(Remote):
    """Flags of ``why``."""

    service: Service
    endpoint: Annotated[
        str,
        typer.Argument(
            metavar="[ENDPOINT]", help="One endpoint; all when left out.", autocompletion=completion.endpoints
        ),
    ] = ""
    client: Annotated[str, typer.Option("--client", metavar="ID", help="For this client.")] = ""
    output: Output = Format.TABLE


@dataclass(frozen=True, kw_only=True)
class Drain(Expiring):
    """Flags of ``drain``."""

    service: Service
    endpoint: Endpoint
    wait: Annotated[bool, typer.Option("--wait", help="Return once every client has stopped.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask when nobody would be left.")] = False


@dataclass(frozen=True, kw_only=True)
class Undrain(Write):
    """Flags of ``undrain``."""

    service: Service
    endpoint: Endpoint


@dataclass(frozen=True, kw_only=True)
class Weight(Expiring):
    """Flags of ``weight``."""

    service: Service
    endpoint: Endpoint
    weight: Annotated[int | None, typer.Argument(metavar="[WEIGHT]", min=1, max=2**32 - 1, help="Relative share.")] = (
        None
    )
    clear: Annotated[bool, typer.Option("--clear", help="Take the weight back.")] = False


@dataclass(frozen=True, kw_only=True)
class Bootstrap(Proved):
    """Flags of ``bootstrap``."""

    service: Annotated[
        str,
        typer.Argument(metavar="[SERVICE]", help="Envoy: the service to route to.", autocompletion=completion.services),
    ] = ""
    language: Annotated[Language | None, typer.Option("--language", help="Shell lines instead of JSON.")] = None
    server: Annotated[
        str, typer.Option("--server", envvar="LBCONTROL_SERVER", metavar="ADDRESS", help="Clients' listener.")
    ] = "127.0.0.1:18000"
    region: Annotated[str, typer.Option("--region", help="Where the client runs.")] = ""
    zone: Annotated[str, typer.Option("--zone", help="Decides which endpoints are near.")] = ""
    sub_zone: Annotated[str, typer.Option("--sub-zone", help="Part of the zone.")] = ""
    namespace: Annotated[
        str, typer.Option("--namespace", help="Where the client's bare names are looked for first.")
    ] = ""
    token_file: Annotated[
        str, typer.Option("--token-file", metavar="FILE", help="The client's token for this server; needs TLS.")
    ] = ""
    node_id: Annotated[
        str, typer.Option("--node-id", help="Name of the client.", show_default="host name and a random end")
    ] = ""
    listen: Annotated[str, typer.Option("--listen", metavar="ADDRESS", help="Envoy: where it listens.")] = (
        "127.0.0.1:10000"
    )
    delta: Annotated[bool, typer.Option("--delta", help="Envoy: incremental xDS.")] = False


@dataclass(frozen=True, kw_only=True)
class Clients(Remote):
    """Flags of ``clients``."""

    service: Annotated[
        str,
        typer.Argument(metavar="[SERVICE]", help="Only its clients.", autocompletion=completion.services),
    ] = ""
    behind: Annotated[bool, typer.Option("--behind", help="Only who has not acknowledged everything.")] = False
    output: Output = Format.TABLE
    watch: Repeat = False


@dataclass(frozen=True, kw_only=True)
class Sources(Remote):
    """Flags of ``sources``."""

    output: Output = Format.TABLE
    watch: Repeat = False


@dataclass(frozen=True, kw_only=True)
class Check(Remote):
    """Flags of ``check``."""

    output: Reporting = Report.TABLE
    wait: Annotated[
        float,
        typer.Option(
            "--wait", parser=_duration, metavar="DURATION", help="Try until all is well.", show_default="once"
        ),
    ] = 0.0
    client_env: Annotated[bool, typer.Option("--client-env", help="Test this host as an xDS client.")] = False


@dataclass(frozen=True, kw_only=True)
class Demo(Common):
    """Flags of ``demo``."""

    scenario: Annotated[
        str,
        typer.Option(
            "--scenario", metavar="NAME,…", help="Break one after the other: kill, slow, drain, weight, add, plane."
        ),
    ] = ""
    exit_after: Annotated[
        float,
        typer.Option("--exit-after", parser=_duration, metavar="DURATION", help="End by itself.", show_default="never"),
    ] = 0.0
    output: Annotated[Report, typer.Option("--output", "-o", help="json: one report at the end.")] = Report.TABLE
    seed: Annotated[int, typer.Option("--seed", help="Chooses the backends that scenarios break.")] = 1
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no page (there is none yet).")] = False


@dataclass(frozen=True, kw_only=True)
class Help(Common):
    """Flags of ``help``."""

    topic: Annotated[str, typer.Argument(metavar="[LBnnn|VERB]", help="Error code or verb.")] = ""
