"""From files to an ``ssl.SSLContext``: what is handed out has held a handshake with itself, or is refused with words.

RELIABILITY section 7: TLS 1.2 at least, ALPN h2, no compression, no renegotiation, ``CERT_REQUIRED`` with a client CA.
TLS 1.3 tickets are not issued: a control stream lives for half an hour, stock clients keep no tickets, and each would
cost a signature's share of every handshake. TLS 1.2 ones stay on, because without them OpenSSL keeps 20,480 sessions.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lbcontrol.model.errors import ConfigError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.transport.tls.files import TlsFiles, look, read, unreadable

ALPN = "h2"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and AEAD, which is all that RFC 9113 section 9.2.2 leaves. TLS 1.3 has no others."""
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
NO_CHECK_TIME = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME``: our own certificate's dates are judged by us, so that they can be told."""
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
SOON = 7 * 86_400.0
"""Seconds before its end at which a certificate is a finding."""
TURNS = 6
"""Flights of a handshake, and some to spare."""


class MovedError(Exception):
    """A file changed while it was read: look again."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a listener serves with. Connections keep the one they began with."""

    context: ssl.SSLContext
    cert: bytes
    key: bytes
    client_ca: bytes
    """As read; empty without."""
    not_before: float
    """Unix seconds; of the listener's own certificate."""
    not_after: float
    anchors: Mapping[bytes, float]
    """Digest of each authority of clients, and the Unix seconds of its end."""
    vouched: dict[bytes, bytes] = field(default_factory=dict, compare=False, repr=False)
    """Digest of a client's certificate to that of its authority; grows while this is in force, to a limit."""

    def is_current(self, wall: float) -> bool:
        """True when a client whose clock is right can accept the certificate."""
        return self.not_before <= wall < self.not_after


def digest(der: bytes) -> bytes:
    """Return what stands for a certificate."""
    return hashlib.sha256(der).digest()


def read_material(files: TlsFiles) -> Material:
    """Read, check and try what the files hold. Blocking, some milliseconds.

    Raises:
        ConfigError: something is wrong with it (LB511, LB512, LB513).
        MovedError: a file changed meanwhile; nothing is known.
    """
    before = look(files)
    content = {name: read(files, name) for name in files.paths()}
    context = _context(files)
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise _moved_or(files, before, _pair(files, error)) from error
    anchors = _trusted(files, context, content.get("client_ca"))
    try:
        own = _own(content["cert"], context)
    except (ssl.SSLError, ValueError) as error:
        raise _moved_or(files, before, _pair(files, error)) from error
    if look(files) != before:
        raise MovedError
    return Material(
        context,
        content["cert"],
        content["key"],
        content.get("client_ca", b""),
        ssl.cert_time_to_seconds(str(own["notBefore"])),
        ssl.cert_time_to_seconds(str(own["notAfter"])),
        anchors,
    )


def tried(files: TlsFiles, *, wall: float) -> list[Finding]:
    """Return what is wrong with files that some server shall use; those that are not here are a warning. Blocking."""
    missing = [name for name, path in files.paths().items() if not path.exists()]
    if missing:
        absent = (unreadable(files, name, why="it is not on this machine") for name in missing)
        return [replace(each, severity=Severity.WARNING) for each in absent]
    try:
        return dated(files, read_material(files), wall=wall)
    except ConfigError as error:
        return list(error.findings)
    except MovedError:
        return []


def dated(files: TlsFiles, material: Material, *, wall: float) -> list[Finding]:
    """Return what is wrong with the dates: a certificate that has ended, has not begun, or ends soon."""
    found = []
    if material.not_after <= wall:
        found.append(_date(files, "cert", "has expired", effect="clients refuse it"))
    elif material.not_before > wall:
        found.append(_date(files, "cert", "is not valid yet", effect="clients refuse it"))
    elif material.not_after - wall < SOON:
        what = f"expires in {(material.not_after - wall) / 3_600.0:.0f} h"
        found.append(_date(files, "cert", what, effect="then clients refuse it", severity=Severity.WARNING))
    ended = sum(end <= wall for end in material.anchors.values())
    if ended:
        what = f"has {ended} of {len(material.anchors)} authorities that have expired"
        severity = Severity.WARNING if ended < len(material.anchors) else Severity.ERROR
        found.append(_date(files, "client_ca", what, effect="whom they vouch for is refused", severity=severity))
    return found


def _date(files: TlsFiles, name: str, what: str, *, effect: str, severity: Severity = Severity.ERROR) -> Finding:
    code = "LB515" if severity is Severity.ERROR else "LB514"
    return Finding(
        code,
        f"{files.paths()[name]} {what}",
        files.at(name),
        effect=effect,
        do="put a new one in its place: it is taken while the server runs",
        severity=severity,
    )


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[files.min_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols([ALPN])
    context.num_tickets = 0
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED if files.require_client_cert else ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # The bundle says whom we believe.
    return context


def _no_password() -> str:
    """Keep OpenSSL from asking the terminal."""
    raise ValueError("the key is encrypted, and nobody is there to type its password")


def _trusted(files: TlsFiles, context: ssl.SSLContext, bundle: bytes | None) -> Mapping[bytes, float]:
    """Load the authorities of clients; returns them."""
    if bundle is None:
        return {}
    blocks = CERTIFICATE.findall(bundle)
    if not blocks or len(blocks) != bundle.count(b"-----BEGIN "):
        why = "it has no certificate" if not blocks else "it has something that is no whole certificate"
        raise ConfigError(_bundle(files, why))
    try:
        context.load_verify_locations(cadata=b"\n".join(blocks).decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_bundle(files, _words(error))) from error
    ders, told = context.get_ca_certs(binary_form=True), context.get_ca_certs()
    if not ders:
        raise ConfigError(_bundle(files, "none of its certificates may vouch for others (basicConstraints)"))
    ends = (ssl.cert_time_to_seconds(str(each["notAfter"])) for each in told)
    return dict(zip(map(digest, ders), ends, strict=True))


def _own(cert: bytes, server: ssl.SSLContext) -> Mapping[str, Any]:
    """Return what the first certificate says, having held a handshake with it as a client would.

    Raises:
        SSLError: no client would accept it, however much it believes the issuer.
        ValueError: there is no certificate.
    """
    first = CERTIFICATE.search(cert)
    if first is None:
        raise ValueError("it has no certificate")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.set_alpn_protocols([ALPN])
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(NO_CHECK_TIME)
    client.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(first[0].decode("ascii")))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for _ in range(TURNS):
        if _step(theirs):
            break
        _step(ours)
    return dict(theirs.getpeercert() or {})


def _step(side: ssl.SSLObject) -> bool:
    """Go on with a handshake as far as it goes; True when this side is done."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _words(error: Exception) -> str:
    """Return what OpenSSL complains of, without its file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)


def _pair(files: TlsFiles, error: Exception) -> Finding:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        why = "the key does not belong to the certificate"
    else:
        why = "it is not PEM, or is cut off" if "PEM lib" in str(error) else _words(error)
    what = f"cannot use {files.cert} with {files.key}"
    return Finding("LB512", what, files.at("cert"), why, do="put a certificate and its key in their places")


def _bundle(files: TlsFiles, why: str) -> Finding:
    what = f"cannot use {files.client_ca} as authorities of clients"
    return Finding("LB513", what, files.at("client_ca"), why, do="put PEM certificates of authorities in it")


def _moved_or(files: TlsFiles, before: Mapping[str, object], finding: Finding) -> Exception:
    """Return what to raise: a file that changed meanwhile is looked at again."""
    return ConfigError(finding) if look(files) == before else MovedError()
