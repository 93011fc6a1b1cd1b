"""Real clients that log in with service account tokens of a real API server, by the printed bootstrap (gRFC A97)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lbcontrol.app.cli.verbs.bootstrap import TOKENS, VARIABLE
from tests.interop.conftest import WEIGHTS
from tests.support.backends import Backends
from tests.support.clients import GO, GRPCIO, JAVA, Client, Language
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.kube import Kube, namespace
from tests.support.pki import jvm_trust, make_pki
from tests.support.stats import assert_split

pytestmark = pytest.mark.timeout(180)
AUDIENCE = "lbcontrol.test"
CALLS = 800


class TokenPlane(ControlPlane):
    """A control plane with TLS whose clients prove themselves by token alone."""

    def __init__(self, home: Path, kubeconfig: Path, *, transport: str) -> None:
        """Write its configuration; nothing is started yet."""
        super().__init__(home, transport=transport)
        pki = make_pki(home)
        self.authority = pki.authority.cert
        rules = [
            {"roles": ["read"], "identities": ["system:serviceaccount:logins:web"], "services": ["greeter"]},
            {"roles": ["read"], "identities": ["anonymous"], "services": ["open"]},
        ]
        document = {
            "apiVersion": "lbcontrol.io/v1alpha1",
            "kind": "Server",
            "listen": {"grpc": self.grpc, "admin": self.admin, "probe": self.probe},
            "sources": {"local": {"type": "file", "path": str(self.files)}},
            "tls": {"grpc": {"cert": str(pki.server.cert), "key": str(pki.server.key)}},
            "authentication": {"kubernetes": {"audience": AUDIENCE, "kubeconfig": str(kubeconfig)}},
            "authorization": {"rules": rules},
        }
        self.config = home / "server.yaml"
        self.config.write_text(yaml.safe_dump(document))

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config), *self.flags]


@pytest.fixture(params=["http2", "grpcio"])
def plane(request: pytest.FixtureRequest, tmp_path: Path, kube: Kube, backends: Backends) -> Iterator[TokenPlane]:
    """It serves the backends as greeter, and to everybody as open, on each transport."""
    for name in ("web", "guest"):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "logins", "name": name}}
        kube.apply(namespace("logins"), account)
    started = TokenPlane(tmp_path / "plane", kube.kubeconfig(), transport=request.param)
    try:
        weights = dict(zip(backends.addresses, WEIGHTS, strict=True))
        started.start({f"{name}.yaml": services_yaml(name, weights) for name in ("greeter", "open")})
        yield started
    finally:
        started.kill9()


def environment(plane: TokenPlane, token: str, home: Path) -> dict[str, str]:
    """Return what the printed shell lines leave in the environment of a client with a token."""
    file = home / "token"
    file.write_text(token)
    flags = ["--language", "go", "--tls-ca", str(plane.authority), "--token-file", str(file)]
    script = f'eval "$1"; printf "%s\\n%s" "${TOKENS}" "${VARIABLE}"'
    line = ["sh", "-c", script, "sh", plane.bootstrap(*flags)]
    switch, document = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split("\n")
    return {TOKENS: switch, VARIABLE: document}


@pytest.mark.parametrize("language", [GRPCIO, GO], ids=str)
def test_xds_client_with_a_token_calls_by_weight(
    language: Language, plane: TokenPlane, kube: Kube, backends: Backends, tmp_path: Path
) -> None:
    """The printed lines are all that the library needs."""
    env = environment(plane, kube.account_token("logins", "web", AUDIENCE), tmp_path)
    with Client(language, "xds:///greeter", server="", log=tmp_path / "client.log", env=env) as client:
        answer = client.call(CALLS)
    assert (answer.ok, answer.failed) == (CALLS, 0), answer.errors
    assert_split(answer.backends, dict(zip(backends.addresses, WEIGHTS, strict=True)))


@pytest.mark.parametrize("language", [GRPCIO, GO], ids=str)
@pytest.mark.parametrize(
    ("account", "audience"), [("guest", AUDIENCE), ("web", "vault.example")], ids=["without-rights", "other-audience"]
)
def test_xds_client_with_a_token_that_is_good_for_nothing_reaches_nobody(
    language: Language, account: str, audience: str, *, plane: TokenPlane, kube: Kube, tmp_path: Path
) -> None:
    """Whether it may not read the service, or was made for another server."""
    env = environment(plane, kube.account_token("logins", account, audience), tmp_path)
    with Client(language, "xds:///greeter", server="", log=tmp_path / "client.log", env=env) as client:
        answer = client.call(2)
    assert (answer.ok, answer.failed) == (0, 2), answer.backends


def test_java_leaves_the_token_out(plane: TokenPlane, kube: Kube, tmp_path: Path) -> None:
    """grpc-java 1.85 reads no ``call_creds`` of a server: it is anonymous, and gets what that may read."""
    env = environment(plane, kube.account_token("logins", "web", AUDIENCE), tmp_path)
    env |= jvm_trust(plane.authority, tmp_path)
    for name, calls in (("open", (20, 0)), ("greeter", (0, 20))):
        with Client(JAVA, f"xds:///{name}", server="", log=tmp_path / f"{name}.log", env=env) as client:
            answer = client.call(20)
        assert (answer.ok, answer.failed) == calls, answer.errors
