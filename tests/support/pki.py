"""Authorities and certificates for tests, made by the ``openssl`` command in some tens of milliseconds each."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.require import need

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(*arguments: str) -> None:
    """Run ``openssl``; AssertionError with its words when it fails."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30.0, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    cert: Path
    key: Path

    def copied(self, home: Path, name: str = "tls") -> Pair:
        """Put copies in a directory, each by an atomic rename: the certificate first, then the key."""
        there = Pair(home / f"{name}.crt", home / f"{name}.key")
        for source, target in ((self.cert, there.cert), (self.key, there.key)):
            fresh = target.with_suffix(".new")
            fresh.write_bytes(source.read_bytes())
            fresh.rename(target)
        return there


class Authority:
    """One certificate authority; its files are made with it."""

    def __init__(self, home: Path, name: str = "ca") -> None:
        """Make it; ``home`` holds all that it issues."""
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.name = home, name
        self.pair = Pair(home / f"{name}.crt", home / f"{name}.key")
        place = ("-keyout", str(self.pair.key), "-out", str(self.pair.cert))
        openssl("req", "-x509", *EC, *place, "-days", "30", "-subj", f"/CN={name}")

    @property
    def cert(self) -> Path:
        """What believers are given."""
        return self.pair.cert

    def issue(self, name: str, *names: str, usage: str = "serverAuth,clientAuth", days: int = 20) -> Pair:
        """Issue a certificate with these alternative names (``DNS:a``, ``IP:…``, ``URI:…``); none: without any."""
        made = Pair(self.home / f"{name}.crt", self.home / f"{name}.key")
        request, extensions = self.home / f"{name}.csr", self.home / f"{name}.ext"
        openssl("req", *EC, "-keyout", str(made.key), "-out", str(request), "-subj", f"/CN={name}")
        lines = [f"extendedKeyUsage={usage}", "basicConstraints=CA:FALSE"]
        extensions.write_text("\n".join([*lines, *([f"subjectAltName={','.join(names)}"] if names else [])]) + "\n")
        signer = ("-CA", str(self.cert), "-CAkey", str(self.pair.key), "-CAcreateserial", "-days", str(days))
        openssl("x509", "-req", "-in", str(request), *signer, "-extfile", str(extensions), "-out", str(made.cert))
        return made


def jvm_trust(authority: Path, home: Path) -> dict[str, str]:
    """Return the environment of a JVM that believes this authority alone; the store is a file in ``home``."""
    store, word = home / "trust.p12", "changeit"
    place = ("-keystore", str(store), "-storetype", "PKCS12", "-storepass", word)
    line = [need("keytool"), "-importcert", "-noprompt", "-alias", "ca", "-file", str(authority), *place]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60.0, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"JDK_JAVA_OPTIONS": f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword={word}"}


@dataclass(frozen=True)
class Pki:
    """What most tests need."""

    authority: Authority
    server: Pair
    """For localhost and 127.0.0.1."""
    client: Pair
    """``SPIFFE_ID`` and a DNS name."""
    other: Authority
    """Nobody believes it."""
    stranger: Pair
    """A client of the other authority."""


SPIFFE_ID = "spiffe://shop.example/ns/shop/sa/cart"


def make_pki(home: Path) -> Pki:
    """Make two authorities and their certificates."""
    authority, other = Authority(home, "ca"), Authority(home, "other")
    return Pki(
        authority,
        authority.issue("server", "DNS:localhost", "IP:127.0.0.1"),
        authority.issue("client", f"URI:{SPIFFE_ID}", "DNS:cart.shop.example"),
        other,
        other.issue("stranger", "URI:spiffe://elsewhere.example/x"),
    )
