"""The product with certificates of its own: every client needs one, and all files can be exchanged while it runs."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.support.control_plane import ControlPlane, run_cli
from tests.support.pki import Pair, Pki


class TlsPlane(ControlPlane):
    """A control plane whose two listeners want a client's certificate."""

    def __init__(self, home: Path, pki: Pki, *, asks: bool = True, transport: str = "") -> None:
        """Copy what it proves itself with; nothing is started yet. ``asks``: clients need a certificate."""
        super().__init__(home, transport=transport)
        self.pki, self.home = pki, home
        self.pair = pki.server.copied(home)
        self.client_ca = home / "clients.crt"
        self.client_ca.write_bytes(pki.authority.cert.read_bytes())
        self.flags += ("--tls-cert", str(self.pair.cert), "--tls-key", str(self.pair.key))
        if asks:
            self.flags += ("--tls-client-ca", str(self.client_ca))
        own: Pair = pki.client
        self.proof = ("--tls-ca", str(pki.authority.cert), "--tls-cert", str(own.cert), "--tls-key", str(own.key))

    def bootstrap(self, *args: str) -> str:
        """What ``lbcontrol bootstrap`` tells a stock client to use."""
        return super().bootstrap(*args, *self.proof)

    def cli(self, *args: str) -> str:
        """Run an operator's verb; AssertionError when it fails."""
        return run_cli(*args, "--admin", self.admin, "--server", self.grpc, *self.proof)


class ServicePlane(ControlPlane):
    """A control plane as in Kubernetes: TLS for clients by a name of its own, operators on plaintext loopback."""

    def __init__(self, home: Path, pair: Pair) -> None:
        """Write its configuration; nothing is started yet."""
        super().__init__(home)
        document = {
            "apiVersion": "lbcontrol.io/v1alpha1",
            "kind": "Server",
            "listen": {"grpc": self.grpc, "admin": self.admin, "probe": self.probe},
            "sources": {"local": {"type": "file", "path": str(self.files)}},
            "tls": {"grpc": {"cert": str(pair.cert), "key": str(pair.key)}},
        }
        self.config = home / "server.yaml"
        self.config.write_text(yaml.safe_dump(document))

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config), *self.flags]
