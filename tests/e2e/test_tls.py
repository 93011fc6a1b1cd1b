"""``lbcontrol serve`` with certificates, as users run it: who gets in, what is shown, and that renewal drops nobody."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as native

from benchmarks.tls import Crowd, resident_kb
from tests.support.control_plane import ControlPlane, lbcontrol, services_yaml
from tests.support.pki import SPIFFE_ID, Pair, Pki, make_pki
from tests.support.tls_peer import client_context
from tests.support.tls_plane import TlsPlane
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
"""Many runs of the command, each of which takes seconds on a machine that is busy."""
WATCH = "/lbcontrol.v1.LookasideService/WatchAssignments"
STREAMS = 40
ROTATIONS = 3
WARM, MEASURED, MOST_KB = 100, 500, 19.0


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for all tests here."""
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def plane(tmp_path: Path, pki: Pki) -> Iterator[TlsPlane]:
    """A control plane that serves greeter."""
    started = TlsPlane(tmp_path / "plane", pki, transport="http2")
    try:
        started.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        yield started
    finally:
        started.kill9()


def failed_cli(*arguments: str) -> str:
    """Run a verb that fails; return what it says."""
    done = subprocess.run([lbcontrol(), *arguments], capture_output=True, text=True, timeout=120.0, check=False)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def channel(plane: TlsPlane) -> grpc.aio.Channel:
    """A client with a connection of its own."""
    own = plane.pki.client
    root = plane.pki.authority.cert.read_bytes()
    proof = grpc.ssl_channel_credentials(root, own.key.read_bytes(), own.cert.read_bytes())
    return grpc.aio.secure_channel(plane.grpc, proof, options=[("grpc.use_local_subchannel_pool", 1)])


def watch(through: grpc.aio.Channel) -> Any:
    """Open a stream that follows greeter."""
    method: Any = through.stream_stream(WATCH, response_deserializer=native.WatchAssignmentsResponse.FromString)
    return method()


async def subscribe(call: Any) -> None:
    """Ask for greeter and wait for the first list."""
    await call.write(native.WatchAssignmentsRequest(subscribe=["greeter"]).SerializeToString())
    while not (await call.read()).HasField("assignment"):
        pass


def test_operators_and_clients_are_told_by_certificate(plane: TlsPlane) -> None:
    """Verbs work with ``--tls-*``, are refused without, and say who listens."""
    assert "greeter" in plane.cli("services")
    assert "127.0.0.1:50051" in plane.cli("get", "greeter")
    stranger, root = plane.pki.stranger, str(plane.pki.authority.cert)
    assert "LB910" in failed_cli("services", "--server", plane.grpc)
    assert "LB910" in failed_cli("services", "--server", plane.grpc, "--tls-ca", root)
    wrong = ("--tls-cert", str(stranger.cert), "--tls-key", str(stranger.key))
    assert "LB910" in failed_cli("services", "--server", plane.grpc, "--tls-ca", root, *wrong)
    assert "LB517" in failed_cli("services", "--tls-cert", str(stranger.cert))
    assert "LB517" in failed_cli("services", "--tls-ca", str(stranger.cert.with_name("none")))
    asyncio.run(_shown(plane))


async def _shown(plane: TlsPlane) -> None:
    async with channel(plane) as through:
        call = watch(through)
        await subscribe(call)
        listed = json.loads(await asyncio.to_thread(plane.cli, "clients", "-o", "json"))
        assert [each["identity"] for each in listed["items"]] == [SPIFFE_ID]
        call.cancel()


def test_certificates_are_renewed_under_load_and_nobody_is_dropped(plane: TlsPlane) -> None:
    """Streams go on over three renewals, see each change; a pair that does not fit is a finding and no more."""
    asyncio.run(_renewed(plane))


async def _renewed(plane: TlsPlane) -> None:
    seen: list[int] = [0] * STREAMS
    channels = [channel(plane) for _ in range(STREAMS)]
    calls = [watch(each) for each in channels]
    await asyncio.gather(*map(subscribe, calls))

    async def follow(number: int) -> None:
        while True:
            news = await calls[number].read()
            assert news is not grpc.aio.EOF
            if news.HasField("assignment"):
                seen[number] = len(news.assignment.endpoints)

    followers = [asyncio.create_task(follow(number)) for number in range(STREAMS)]
    for round_ in range(1, ROTATIONS + 1):
        await asyncio.to_thread(_renew, plane, round_)
        weights = {f"127.0.0.1:{50_051 + port}": 1 for port in range(round_ + 1)}
        plane.write({"greeter.yaml": services_yaml("greeter", weights)})
        await asyncio.to_thread(_all_told, seen, round_ + 1)
    assert not [each for each in followers if each.done()]
    for follower in followers:
        follower.cancel()
    for opened in channels:
        await opened.close()
    reaped = [value for name, value in plane.metrics().items() if name.startswith("lbcontrol_streams_reaped_total")]
    assert sum(reaped) == 0.0


def _all_told(seen: list[int], wanted: int) -> None:
    wait_until(lambda: set(seen) == {wanted}, "all told", seconds=90.0)


def _renew(plane: TlsPlane, round_: int) -> None:
    """Put a certificate beside the wrong key, see it refused, then its own key."""
    newer = plane.pki.authority.issue(f"newer{round_}", "DNS:localhost", "IP:127.0.0.1", days=25 + round_)
    Pair(newer.cert, plane.pki.client.key).copied(plane.home)
    wait_until(lambda: "LB512" in failed_check(plane), "wrong pair told", seconds=90.0)
    newer.copied(plane.home)
    wait_until(lambda: served_certificate(plane) == newer.cert.read_text().strip(), "renewed", seconds=90.0)


def failed_check(plane: TlsPlane) -> str:
    """What ``check`` prints, whatever its exit code."""
    line = [lbcontrol(), "check", "--server", plane.grpc, "--admin", plane.admin, *plane.proof]
    return subprocess.run(line, capture_output=True, text=True, timeout=120.0, check=False).stdout


def served_certificate(plane: TlsPlane) -> str:
    """The certificate that a new connection is shown, as PEM."""
    own = plane.pki.client
    line = ["openssl", "s_client", "-connect", plane.grpc, "-alpn", "h2", "-cert", str(own.cert), "-key", str(own.key)]
    done = subprocess.run(line, input=b"", capture_output=True, timeout=120.0, check=False)
    _, begin, rest = done.stdout.decode(errors="replace").partition("-----BEGIN CERTIFICATE-----")
    return (begin + rest.partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----").strip()


def test_authority_that_is_taken_out_loses_its_clients(plane: TlsPlane) -> None:
    """Its streams end with words; the others, and those that come with the new authority, are served."""
    asyncio.run(_distrusted(plane))
    assert plane.metrics()['lbcontrol_streams_reaped_total{reason="certificate"}'] == 1.0


async def _to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def _distrusted(plane: TlsPlane) -> None:
    async with channel(plane) as through:
        call = watch(through)
        await subscribe(call)
        fresh = plane.client_ca.with_suffix(".new")
        fresh.write_bytes(plane.pki.other.cert.read_bytes())
        fresh.rename(plane.client_ca)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(_to_the_end(call), 60.0)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert "LB518" in (caught.value.details() or "")


@pytest.mark.parametrize("transport", ["http2", "grpcio"])
def test_server_that_cannot_prove_itself_does_not_start(transport: str, pki: Pki, tmp_path: Path) -> None:
    """File, line and reason; ``validate`` says the same."""
    config = tmp_path / "server.yaml"
    head = f"apiVersion: lbcontrol.io/v1alpha1\nkind: Server\ntransport: {transport}\n"
    config.write_text(f"{head}tls:\n  cert: {pki.server.cert}\n  key: {pki.client.key}\n")
    for line in (["serve", "--config", str(config)], ["validate", str(config)]):
        said = failed_cli(*line)
        assert "error LB512" in said
        assert f"{config}:5, tls.cert" in said


def test_exposed_listeners_start_with_client_certificates_only(pki: Pki, tmp_path: Path) -> None:
    """Plaintext is refused beyond this machine; operators are refused without certificates of clients."""
    env = {**os.environ, "LBCONTROL_STATE_DIR": ""}
    pair = ("--tls-cert", str(pki.server.cert), "--tls-key", str(pki.server.key))
    for flags in (("--grpc", "0.0.0.0:0"), ("--admin", "0.0.0.0:0", *pair)):
        done = subprocess.run(
            [lbcontrol(), "serve", *flags],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120.0,
            check=False,
        )
        assert done.returncode == 1
        assert "LB505" in done.stderr


def test_memory_that_tls_adds_to_a_connection(pki: Pki, tmp_path: Path) -> None:
    """At most 19 KB, the 25 with TLS less the 6 without (RELIABILITY P7), with four subscriptions on each."""
    secured = TlsPlane(tmp_path / "tls", pki, asks=False, transport="http2")
    with_tls = memory_each(secured, client_context(pki.authority.cert))
    without = memory_each(ControlPlane(tmp_path / "plain", transport="http2"), None)
    print(f"KB per connection with four subscriptions: {with_tls:.1f} with TLS, {without:.1f} without")
    assert with_tls - without <= MOST_KB


def memory_each(plane: ControlPlane, context: ssl.SSLContext | None) -> float:
    """KB that a connection more costs the server."""
    try:
        plane.start({"greeter.yaml": services_yaml("greeter", {"127.0.0.1:50051": 1})})
        assert plane.proc is not None
        crowd = Crowd(plane.grpc, context)
        crowd.join(WARM)
        before = resident_kb(plane.proc.popen.pid)
        crowd.join(MEASURED)
        crowd_kb = resident_kb(plane.proc.popen.pid) - before
        crowd.close()
        return crowd_kb / MEASURED
    finally:
        plane.kill9()
