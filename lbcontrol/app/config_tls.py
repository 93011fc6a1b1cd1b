"""The ``tls`` of the server's configuration: what both listeners inherit, what each has of its own, whether it fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from lbcontrol.app.config_document import ServerDocument, TlsDocument, TlsListenerDocument
from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.documents.tree import Fields, line_of
from lbcontrol.transport.listening import Listen
from lbcontrol.transport.tls.files import MIN_VERSIONS, TlsFiles

FLAGS = {"tls.cert": "--tls-cert", "tls.key": "--tls-key", "tls.clientCa": "--tls-client-ca"}
"""Key to the flag of ``serve`` that overrules it."""
KEYS = {
    "cert": "cert",
    "key": "key",
    "client_ca": "clientCa",
    "require_client_cert": "requireClientCert",
    "min_version": "minVersion",
}
"""Field to the key people write."""


@dataclasses.dataclass(frozen=True, slots=True)
class TlsConfig:
    """TLS of both listeners; None for plaintext."""

    grpc: TlsFiles | None = None
    admin: TlsFiles | None = None

    def every(self) -> list[TlsFiles]:
        """Return each once."""
        found = [each for each in (self.grpc, self.admin) if each is not None]
        return found[:1] if len(found) == 2 and found[0] == found[1] else found


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """Where the configuration comes from."""

    document: ServerDocument
    root: Fields | None
    """The document as it was read, for lines; None without a file."""
    file: Path | None
    overrides: Mapping[str, str]
    """From the command line, by dotted key."""

    def place(self, key: str) -> str:
        """Return where a key was written."""
        if key in FLAGS and self.overrides.get(key):
            return FLAGS[key]
        line = line_of(self.root, tuple(key.split("."))) if self.root is not None else 1
        return f"{self.file}:{line}, {key}"


def read_tls(written: Written, *, grpc: Listen, admin: Listen, transport: str) -> TlsConfig:
    """Return the TLS of both listeners.

    Raises:
        ConfigError: something of it is missing, has no effect (LB510), or is more than the transport can (LB516).
    """
    base = written.file.parent if written.file is not None else Path()
    block = written.document.tls or TlsDocument()
    findings: list[Finding] = []
    made: dict[str, TlsFiles | None] = {}
    for name, listen in (("grpc", grpc), ("admin", admin)):
        own: TlsListenerDocument | None = getattr(block, name)
        if listen.path is not None:
            made[name] = None
            if own is not None:
                findings.append(_idle(written, f"tls.{name}", f"{name} listens on a Unix socket"))
            continue
        values, places = _merged(written, name, block, own)
        wrong = [*_incomplete(values, places), *(_beyond_grpcio(values, places) if transport == "grpcio" else ())]
        findings += [each for each in wrong if each not in findings]
        made[name] = _files(values, places, base) if values and not wrong else None
    if written.document.tls is not None and grpc.path is not None and admin.path is not None and not findings:
        findings.append(_idle(written, "tls", "both listeners are Unix sockets"))
    if findings:
        raise ConfigError(*findings)
    return TlsConfig(**made)


def _merged(
    written: Written, name: str, block: TlsDocument, own: TlsListenerDocument | None
) -> tuple[dict[str, object], dict[str, str]]:
    """Return what holds at a listener, and where each of it was written."""
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for field, key in KEYS.items():
        told = written.overrides.get(f"tls.{key}", "")
        inherited = Path(told).absolute() if told else getattr(block, field)
        mine = getattr(own, field) if own is not None else None
        value = inherited if mine is None else mine
        if value is not None:
            values[field] = value
            places[field] = written.place(f"tls.{key}" if mine is None else f"tls.{name}.{key}")
    return values, places


def _files(values: Mapping[str, object], places: Mapping[str, str], base: Path) -> TlsFiles:
    paths = {field: base / str(values[field]) for field in ("cert", "key", "client_ca") if field in values}
    return TlsFiles(
        paths["cert"].absolute(),
        paths["key"].absolute(),
        paths["client_ca"].absolute() if "client_ca" in paths else None,
        bool(values.get("require_client_cert", True)),
        str(values.get("min_version", MIN_VERSIONS[0])),
        places,
    )


def _incomplete(values: Mapping[str, object], places: Mapping[str, str]) -> Iterator[Finding]:
    """Say what is missing beside what is there."""
    if not values:
        return
    present = next(iter(places.values()))
    for field in ("cert", "key"):
        if field not in values:
            what = f"tls has no {field}"
            yield Finding("LB510", what, present, "a listener proves itself with both", do=f"write {field}: FILE")
    if "require_client_cert" in values and "client_ca" not in values:
        why = "without it no client's certificate can be believed"
        at = places["require_client_cert"]
        yield Finding("LB510", "requireClientCert without clientCa", at, why, do="write clientCa: FILE")


def _beyond_grpcio(values: Mapping[str, object], places: Mapping[str, str]) -> Iterator[Finding]:
    """Say what gRPC's own server cannot do."""
    why = "grpcio has no such setting"
    do = "take it out, or use transport: http2"
    if values.get("min_version", MIN_VERSIONS[0]) != MIN_VERSIONS[0]:
        yield Finding("LB516", "minVersion TLSv1.3 with transport grpcio", places["min_version"], why, do=do)
    if values.get("require_client_cert") is False:
        at = places["require_client_cert"]
        yield Finding("LB516", "requireClientCert false with transport grpcio", at, why, do=do)


def _idle(written: Written, key: str, why: str) -> Finding:
    do = "take it out, or listen on IP:PORT"
    return Finding("LB510", f"{key} has no effect", written.place(key), why, do=do)
