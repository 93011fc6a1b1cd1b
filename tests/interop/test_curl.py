"""curl on our listeners: what HTTP shows of a gRPC call, and what those read who came to the wrong port.

One call each: curl 7.88 cannot use a connection of prior knowledge again, whatever the server is (nor with C-core).
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from lbcontrol.runtime.ports import StatusCode
from tests.conformance.wire import METHODS, TYPES
from tests.support.control_plane import ControlPlane, on_every_transport
from tests.support.require import component

CHECK = "/grpc.health.v1.Health/Check"
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
H2 = "--http2-prior-knowledge"
SERVING = health_pb2.HealthCheckResponse.SERVING
PREFIX_BYTES = 5
WRONG_PORT = 505
WRONG_TYPE = 415


@dataclass(frozen=True, slots=True)
class Seen:
    """What curl was told."""

    code: int
    version: str
    fields: dict[str, str]
    """Header and trailer fields, in lower case."""
    body: bytes

    def message(self) -> bytes:
        """Return the one gRPC message of the body."""
        assert self.body[:PREFIX_BYTES] == b"\0" + (len(self.body) - PREFIX_BYTES).to_bytes(4)
        return self.body[PREFIX_BYTES:]


def program() -> list[str]:
    """Return how curl is called, whatever the machine's proxies are."""
    return [str(component("curl")), "-sS", "--max-time", "30", "--noproxy", "*"]


def framed(message: Message) -> bytes:
    """Return a message with gRPC's prefix: not compressed, then its length."""
    raw = message.SerializeToString()
    return b"\0" + len(raw).to_bytes(4) + raw


def curl(home: Path, url: str, *words: str, body: bytes | None = None) -> Seen:
    """Run curl once; AssertionError when it fails."""
    headers, answer, request = home / "headers", home / "answer", home / "request"
    data: tuple[str, ...] = ()
    if body is not None:
        request.write_bytes(body)
        data = ("--data-binary", f"@{request}")
    answer.write_bytes(b"")
    asked = [
        *program(),
        "-D",
        str(headers),
        "-o",
        str(answer),
        "-w",
        "%{http_code} %{http_version}",
        *data,
        *words,
        url,
    ]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, (done.returncode, done.stderr)
    code, _, version = done.stdout.partition(" ")
    pairs = (line.partition(": ") for line in headers.read_text().splitlines() if ": " in line)
    return Seen(int(code), version, {name.lower(): value for name, _, value in pairs}, answer.read_bytes())


@on_every_transport
def test_unary_call_shows_its_answer_and_its_trailers(plane: ControlPlane, tmp_path: Path) -> None:
    """HTTP 200, one framed message, and grpc-status after it."""
    url = f"http://{plane.grpc}{CHECK}"
    seen = curl(tmp_path, url, H2, *GRPC, body=framed(health_pb2.HealthCheckRequest(service="greeter")))
    assert (seen.code, seen.version) == (200, "2")
    assert seen.fields["content-type"] == "application/grpc"
    assert seen.fields["grpc-status"] == "0"
    assert health_pb2.HealthCheckResponse.FromString(seen.message()).status == SERVING


@on_every_transport
@pytest.mark.parametrize(
    ("path", "code"), [(CHECK, StatusCode.NOT_FOUND), ("/no.Such/Method", StatusCode.UNIMPLEMENTED)]
)
def test_refused_call_is_http_200_with_a_status(
    path: str, code: StatusCode, plane: ControlPlane, tmp_path: Path
) -> None:
    """Headers and trailers are one block, and there is no body."""
    body = framed(health_pb2.HealthCheckRequest(service="nobody"))
    seen = curl(tmp_path, f"http://{plane.grpc}{path}", H2, *GRPC, body=body)
    assert (seen.code, seen.body) == (200, b"")
    assert int(seen.fields["grpc-status"]) == code
    assert seen.fields["grpc-message"]


@on_every_transport
def test_one_request_of_a_stream_is_answered_before_it_ends(plane: ControlPlane, tmp_path: Path) -> None:
    """A client that half closes at once still gets what it asked for, and then OK."""
    request = discovery_pb2.DiscoveryRequest(type_url=TYPES["EDS"], resource_names=["greeter"])
    request.node.id = "curl"
    seen = curl(tmp_path, f"http://{plane.grpc}{METHODS['sotw']}", H2, *GRPC, body=framed(request))
    answer = discovery_pb2.DiscoveryResponse.FromString(seen.message())
    assert (answer.type_url, len(answer.resources), seen.fields["grpc-status"]) == (TYPES["EDS"], 1, "0")


def test_request_that_is_no_grpc_is_told_so(plane: ControlPlane, tmp_path: Path) -> None:
    """HTTP 415 in plain words."""
    seen = curl(tmp_path, f"http://{plane.grpc}{CHECK}", H2, "-H", "content-type: application/json", body=b"{}")
    assert seen.code == WRONG_TYPE
    assert "application/grpc" in seen.body.decode()


def test_browser_that_speaks_http2_is_told_so(plane: ControlPlane, tmp_path: Path) -> None:
    """A GET is no call."""
    seen = curl(tmp_path, f"http://{plane.grpc}/", H2)
    assert seen.code == WRONG_TYPE
    assert "application/grpc" in seen.body.decode()


@pytest.mark.parametrize("way", ["--http1.1", "--http1.0", "--http2"])
def test_client_of_http1_is_told_what_this_port_is(way: str, plane: ControlPlane, tmp_path: Path) -> None:
    """An answer in HTTP/1.1, with words for whoever typed it; an upgrade is not offered (RFC 9113 section 3.1)."""
    seen = curl(tmp_path, f"http://{plane.grpc}/", way)
    assert (seen.code, seen.version) == (WRONG_PORT, "1.1")
    assert "gRPC" in seen.body.decode()


def test_probe_speaks_http1_and_survives_http2(plane: ControlPlane, tmp_path: Path) -> None:
    """The pages are there for HTTP/1.1; a client that insists on HTTP/2 gets none, and nobody is the worse for it."""
    url = f"http://{plane.probe}/readyz"
    argv = [*program(), "-o", str(tmp_path / "answer"), H2, url]
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
    seen = curl(tmp_path, url)
    assert (seen.code, seen.version, seen.body) == (200, "1.1", b"ready\n")
