"""Who a client's certificate says it is (RELIABILITY section 1): its URI SAN, a SPIFFE id, else its first DNS SAN."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbcontrol.model.clients import Identity
from lbcontrol.transport.tls.material import digest

MOST_BYTES = 2_048
"""Longest name: that of a SPIFFE id (SPIFFE-ID section 2.3)."""
MOST_VOUCHED = 20_480
"""Certificates kept in mind for TLS 1.2 sessions that are resumed; OpenSSL itself would keep as many sessions."""
KUBERNETES = "system:"
"""What names in Kubernetes' tokens begin with; a URI could, too, and would be taken for a service account."""
ANYBODY = Identity()


class NoIdentityError(Exception):
    """The certificate names nobody, or more than one; the words say what is wrong."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who is there, and until when."""

    identity: Identity = ANYBODY
    not_after: float = float("inf")
    """Unix seconds; end of the client's certificate."""
    anchor: bytes = b""
    """Digest of the authority that vouched; empty for nobody in particular."""


ANONYMOUS = Login()


def login_of(tls: ssl.SSLObject, vouched: dict[bytes, bytes]) -> Login:
    """Return who is at the other end of a connection whose handshake is done.

    Args:
        tls: The connection.
        vouched: Of ``Material``: who vouched for whom, for sessions that are resumed.

    Raises:
        NoIdentityError: there is a certificate, and it names nobody or nobody vouched for it.
    """
    told: Mapping[str, Any] | None = tls.getpeercert()
    if not told:
        return ANONYMOUS
    leaf = digest(tls.getpeercert(binary_form=True) or b"")
    last = _last_verified(tls)
    anchor = vouched.get(leaf) if last is None else digest(last)
    if anchor is None:
        raise NoIdentityError("the session was resumed, and it is forgotten who vouched for the certificate")
    if len(vouched) < MOST_VOUCHED:
        vouched[leaf] = anchor
    end = ssl.cert_time_to_seconds(str(told["notAfter"]))
    return Login(Identity(name_of(told.get("subjectAltName", ())), authenticated=True), end, anchor)


def name_of(names: Sequence[tuple[str, str]]) -> str:
    """Return the identity among alternative names of a subject.

    Raises:
        NoIdentityError: there is none, or it is not clear which one.
    """
    uris = [value for kind, value in names if kind == "URI"]
    if len(uris) > 1:
        raise NoIdentityError(f"the certificate has {len(uris)} URI names; one is wanted")
    found = [*uris, *(value for kind, value in names if kind == "DNS")]
    if not found:
        raise NoIdentityError("the certificate has neither a URI nor a DNS name (subjectAltName)")
    name = found[0]
    if not name or len(name.encode()) > MOST_BYTES or not name.isprintable() or " " in name:
        raise NoIdentityError("the name in the certificate is empty, too long or not printable")
    if name.lower().startswith(KUBERNETES):
        raise NoIdentityError(
            f"names that begin with {KUBERNETES} are proved by tokens of Kubernetes, not by certificates"
        )
    return name


def _last_verified(tls: ssl.SSLObject) -> bytes | None:
    """Return the certificate (DER) of the authority that vouched; None in a resumed session, which has no chain."""
    public = getattr(tls, "get_verified_chain", None)
    if public is not None:  # Python 3.13.
        return next(iter(public()[-1:]), None)
    chain = tls._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001  the same, before it had a public name
    return ssl.PEM_cert_to_DER_cert(chain[-1].public_bytes()) if chain else None
