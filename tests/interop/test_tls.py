"""Real clients over mutual TLS, configured by what ``lbcontrol bootstrap`` prints (gRFC A65)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conftest import WEIGHTS
from tests.support.backends import Backends
from tests.support.clients import GO, GRPCIO, JAVA, Client, Language
from tests.support.control_plane import services_yaml
from tests.support.envoy import Envoy
from tests.support.pki import Pki, jvm_trust, make_pki
from tests.support.procs import free_port
from tests.support.require import component, need
from tests.support.stats import assert_split
from tests.support.tls_plane import TlsPlane

pytestmark = pytest.mark.timeout(180)
CALLS = 800


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for all tests here."""
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=["http2", "grpcio"])
def plane(request: pytest.FixtureRequest, tmp_path: Path, pki: Pki, backends: Backends) -> Iterator[TlsPlane]:
    """A control plane that serves the backends as greeter, on each transport."""
    started = TlsPlane(tmp_path / "plane", pki, transport=request.param)
    try:
        weights = dict(zip(backends.addresses, WEIGHTS, strict=True))
        started.start({"greeter.yaml": services_yaml("greeter", weights)})
        yield started
    finally:
        started.kill9()


@pytest.mark.parametrize("language", [GRPCIO, GO], ids=str)
def test_xds_client_with_a_certificate_calls_by_weight(
    language: Language, plane: TlsPlane, backends: Backends, tmp_path: Path
) -> None:
    """The printed channel credentials of type tls are all that the library needs; grpc-js-xds 1.14 knows none."""
    env = {"GRPC_XDS_BOOTSTRAP_CONFIG": plane.bootstrap()}
    log = tmp_path / "client.log"
    with Client(language, "xds:///greeter", server="", log=log, env=env) as client:
        answer = client.call(CALLS)
    assert (answer.ok, answer.failed) == (CALLS, 0), answer.errors
    assert_split(answer.backends, dict(zip(backends.addresses, WEIGHTS, strict=True)))


@pytest.mark.parametrize("trusts", [True, False])
def test_java_believes_what_its_jvm_does(trusts: bool, pki: Pki, backends: Backends, tmp_path: Path) -> None:
    """grpc-java knows the type tls and reads nothing of it: neither authority nor certificate."""
    plane = TlsPlane(tmp_path / "plane", pki, asks=False)
    weights = dict(zip(backends.addresses, WEIGHTS, strict=True))
    trust = jvm_trust(pki.authority.cert, tmp_path) if trusts else {}
    log = tmp_path / "client.log"
    try:
        plane.start({"greeter.yaml": services_yaml("greeter", weights)})
        env = {"GRPC_XDS_BOOTSTRAP_CONFIG": plane.bootstrap(), **trust}
        with Client(JAVA, "xds:///greeter", server="", log=log, env=env) as client:
            if trusts:
                client.reach(backends.addresses)
            answer = client.call(CALLS if trusts else 2)
    finally:
        plane.kill9()
    assert (answer.failed == 0) is trusts, answer.errors
    if trusts:
        assert_split(answer.backends, weights)


def test_envoy_with_a_certificate_takes_the_printed_bootstrap(
    plane: TlsPlane, backends: Backends, tmp_path: Path
) -> None:
    """Names are checked both ways; nothing that was sent is rejected."""
    listen = f"127.0.0.1:{free_port()}"
    document = json.loads(plane.bootstrap("greeter", "--language", "envoy", "--listen", listen))
    with Envoy(component("envoy"), document, home=tmp_path) as envoy:
        with Client(GRPCIO, listen, server="", log=tmp_path / "caller.log") as caller:
            answer = caller.call(80)
        assert (answer.failed, set(answer.backends)) == (0, set(backends.addresses)), answer.errors
        assert set(envoy.rejected().values()) == {0}


def test_grpcurl_with_a_certificate_lists_and_without_is_refused(plane: TlsPlane) -> None:
    """Reflection over mutual TLS."""
    own = plane.pki.client
    line = [str(component("grpcurl")), "-cacert", str(plane.pki.authority.cert)]
    proof = ["-cert", str(own.cert), "-key", str(own.key)]
    done = subprocess.run(
        [*line, *proof, plane.grpc, "list"], capture_output=True, text=True, timeout=120.0, check=True
    )
    assert "lbcontrol.v1.LookasideService" in done.stdout
    refused = subprocess.run([*line, plane.grpc, "list"], capture_output=True, text=True, timeout=120.0, check=False)
    assert refused.returncode != 0


def test_curl_agrees_on_h2_by_alpn(plane: TlsPlane) -> None:
    """With ``--http2`` and a certificate."""
    own = plane.pki.client
    line = [need("curl"), "-sS", "--http2", "--cacert", str(plane.pki.authority.cert)]
    line += ["--cert", str(own.cert), "--key", str(own.key), "-v"]
    done = subprocess.run([*line, f"https://{plane.grpc}/"], capture_output=True, text=True, timeout=120.0, check=False)
    assert "server accepted h2" in done.stderr


def test_grpc_js_with_a_certificate_is_answered(plane: TlsPlane) -> None:
    """Node's own TLS and HTTP/2."""
    own, program = plane.pki.client, Path(__file__).with_name("node") / "health.js"
    line = [need("node"), str(program), plane.grpc, str(plane.pki.authority.cert), str(own.cert), str(own.key)]
    env = {**os.environ, "NODE_PATH": str(component("node-client"))}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=120.0, check=True)
    assert done.stdout.strip() == "0801", done.stderr
