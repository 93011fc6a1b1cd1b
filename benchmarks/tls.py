"""What TLS costs: memory per connection, CPU per handshake and per push; ``python -m benchmarks.tls`` prints tables.

First OpenSSL by itself, in a process of its own for each way of driving it; then ``lbcontrol serve`` as users run it,
with clients that hold four subscriptions (LDS, RDS, CDS, EDS of 100 endpoints) and acknowledge every list.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import platform
import selectors
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envoy.service.discovery.v3 import discovery_pb2
from hpack import Encoder

from lbcontrol.http2.frames import END_HEADERS, PREFACE, Kind, Setting, frame, long_frame, settings_frame
from lbcontrol.http2.grpc import prefixed
from tests.support.control_plane import ControlPlane, services_yaml
from tests.support.pki import Pair, Pki, make_pki
from tests.support.procs import Proc
from tests.support.tls_peer import client_context
from tests.support.tls_plane import TlsPlane

TYPES = tuple(
    f"type.googleapis.com/envoy.config.{kind}"
    for kind in (
        "listener.v3.Listener",
        "route.v3.RouteConfiguration",
        "cluster.v3.Cluster",
        "endpoint.v3.ClusterLoadAssignment",
    )
)
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
WIDE = 2**30
ENDPOINTS = 100
WAYS = ("asyncio", "own buffers", "shared buffers")
SAMPLE, SAMPLE_ASYNCIO = 2_000, 400
"""Connections of the first table: enough that what the heap had free before does not count."""


def resident_kb(pid: int | str = "self") -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def server_context(home: Path, *, asks: bool) -> ssl.SSLContext:
    """What a listener serves with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.crt", home / "server.key")
    context.num_tickets = 0
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(home / "ca.crt")
    return context


Bios = tuple[ssl.MemoryBIO, ssl.MemoryBIO]


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, bios: Bios) -> tuple[ssl.SSLObject, float]:
    """Do one handshake in memory; returns the server's side, and the CPU seconds it took."""
    incoming, outgoing = bios
    to_client, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, from_client, server_hostname="localhost")
    ours, took = server.wrap_bio(incoming, outgoing, server_side=True), 0.0
    for _ in range(3):
        with contextlib.suppress(ssl.SSLWantReadError):
            theirs.do_handshake()
        incoming.write(from_client.read())
        began = time.process_time()
        with contextlib.suppress(ssl.SSLWantReadError):
            ours.do_handshake()
        took += time.process_time() - began
        to_client.write(outgoing.read())
    return ours, took


def driven(way: str, home: Path, *, asks: bool) -> None:
    """Print KB per connection and µs of the server per handshake for one way of driving OpenSSL."""
    server, client = server_context(home, asks=asks), client_of(home)
    if way == "asyncio":
        asyncio.run(_asyncio_memory(server))
        return
    shared = ssl.MemoryBIO(), ssl.MemoryBIO()
    kept = [shaken(server, client, shared) for _ in range(20)]
    gc.collect()
    before = resident_kb()
    every = (shared if way == WAYS[2] else (ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(SAMPLE))
    kept += [shaken(server, client, bios) for bios in every]
    took = sum(seconds for _, seconds in kept[20:]) / SAMPLE
    print(f"{(resident_kb() - before) / SAMPLE:.1f} {took * 1e6:.0f}")


async def _asyncio_memory(context: ssl.SSLContext) -> None:
    """Serve with asyncio's own TLS; clients are in the parent, which writes a line once they are there."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(3_600), "127.0.0.1", 0, ssl=context, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    for _ in range(2):
        await asyncio.to_thread(sys.stdin.readline)
        gc.collect()
        print(resident_kb(), flush=True)
    os._exit(0)


def client_of(home: Path) -> ssl.SSLContext:
    """What a client with a certificate dials with."""
    return client_context(home / "ca.crt", Pair(home / "client.crt", home / "client.key"))


def measured(way: str, home: Path, *, asks: bool) -> str:
    """Return the row of one way."""
    line = [sys.executable, "-m", "benchmarks.tls", "--way", way, "--home", str(home), *(["--asks"] if asks else [])]
    child = Proc(line, log=home / "child.log")
    try:
        if way != "asyncio":
            return child.line(120.0)
        context, port = client_of(home), int(child.line(60.0))
        counts = []
        with_sockets: list[ssl.SSLSocket] = []
        for count in (20, SAMPLE_ASYNCIO + 20):
            while len(with_sockets) < count:
                plain = socket.create_connection(("127.0.0.1", port))
                with_sockets.append(context.wrap_socket(plain, server_hostname="localhost"))
            child.send({})
            counts.append(int(child.line(60.0)))
        return f"{(counts[1] - counts[0]) / SAMPLE_ASYNCIO:.1f} -"
    finally:
        child.kill9()


@dataclass
class Client:
    """One connection with one ADS stream of four types."""

    sock: socket.socket
    kept: bytes = b""
    message: bytes = b""

    def begin(self, block: bytes) -> None:
        """Say hello and ask for everything."""
        hello = PREFACE + settings_frame({Setting.INITIAL_WINDOW_SIZE: WIDE})
        hello += long_frame(Kind.WINDOW_UPDATE, 0, value=WIDE) + frame(Kind.SETTINGS, 1)
        hello += frame(Kind.HEADERS, END_HEADERS, stream=1, payload=block)
        for type_url in TYPES:
            request = discovery_pb2.DiscoveryRequest(type_url=type_url, resource_names=["greeter"])
            request.node.user_agent_name, request.node.user_agent_version = "gRPC Go", "1.85.0"
            hello += frame(Kind.DATA, 0, stream=1, payload=prefixed(request.SerializeToString()))
        self.sock.sendall(hello)

    def answers(self) -> Iterator[discovery_pb2.DiscoveryResponse]:
        """Read what is there; acknowledges and yields each list."""
        try:
            while data := self.sock.recv(65_536):
                self.kept += data
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        while len(self.kept) >= 9 + (size := int.from_bytes(self.kept[:3])):
            if self.kept[3] == Kind.DATA:
                self.message += self.kept[9 : 9 + size]
            self.kept = self.kept[9 + size :]
        while len(self.message) >= 5 + (size := int.from_bytes(self.message[1:5])):
            response = discovery_pb2.DiscoveryResponse.FromString(self.message[5 : 5 + size])
            self.message = self.message[5 + size :]
            ack = discovery_pb2.DiscoveryRequest(type_url=response.type_url, resource_names=["greeter"])
            ack.version_info, ack.response_nonce = response.version_info, response.nonce
            self.sock.sendall(frame(Kind.DATA, 0, stream=1, payload=prefixed(ack.SerializeToString())))
            yield response


class Crowd:
    """Many clients of one server."""

    def __init__(self, target: str, context: ssl.SSLContext | None) -> None:
        """None is there yet."""
        host, _, port = target.rpartition(":")
        self._place, self._context = (host, int(port)), context
        self._selector = selectors.EpollSelector()
        path = [(":method", "POST"), (":scheme", "http"), (":path", ADS)]
        self._block = Encoder().encode([*path, ("content-type", "application/grpc"), ("te", "trailers")])
        self.size = 0

    def join(self, count: int) -> None:
        """Connect so many more, and wait until each has its four lists."""
        for _ in range(count):
            sock: socket.socket = socket.create_connection(self._place)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_hostname="localhost")
            client = Client(sock)
            client.begin(self._block)
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ, client)
        self.size += count
        self.wait(count * len(TYPES))

    def close(self) -> None:
        """Hang up."""
        for key in list(self._selector.get_map().values()):
            key.data.sock.close()
        self._selector.close()

    def wait(self, lists: int) -> None:
        """Wait until so many lists have come in all."""
        deadline = time.monotonic() + 60.0
        while lists > 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{lists} lists are missing")
            for key, _ in self._selector.select(1.0):
                lists -= sum(1 for _ in key.data.answers())


def product(name: str, plane: ControlPlane, context: ssl.SSLContext | None, *, connections: int, changes: int) -> str:
    """Return the row of one kind of listener."""

    def services(weight: int) -> dict[str, str]:
        weights = {f"10.0.{port // 250}.{port % 250 + 1}:50051": weight for port in range(ENDPOINTS)}
        weights[next(iter(weights))] = weight + 1
        return {"greeter.yaml": services_yaml("greeter", weights)}

    plane.start(services(1))
    pid = plane.proc.popen.pid if plane.proc is not None else 0
    try:
        crowd = Crowd(plane.grpc, context)
        crowd.join(100)
        memory, cpu = resident_kb(pid), cpu_seconds(pid)
        crowd.join(connections)
        joined = (cpu_seconds(pid) - cpu) / connections
        each = (resident_kb(pid) - memory) / connections
        time.sleep(1.5)  # What follows the joins is over.
        cpu = cpu_seconds(pid)
        for change in range(changes):
            plane.write(services(change + 2))
            crowd.wait(crowd.size)
        pushed = (cpu_seconds(pid) - cpu) / changes / crowd.size
        return f"| {name} | {each:.1f} | {joined * 1e6:.0f} | {pushed * 1e6:.1f} |"
    finally:
        plane.kill9()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--only", choices=("openssl", "serve"))
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--asks", action="store_true")
    asked = parser.parse_args()
    home = asked.home or Path(tempfile.mkdtemp(prefix="lbcontrol-tls-"))
    if asked.way:
        driven(asked.way, home, asks=asked.asks)
        return
    pki = make_pki(home / "pki")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}")
    if asked.only != "serve":
        openssl_table(home / "pki")
    if asked.only != "openssl":
        serve_table(home, pki, connections=asked.connections, changes=asked.changes)


def openssl_table(home: Path) -> None:
    """Print what OpenSSL costs by itself."""
    print("\n| OpenSSL driven by | client certificate | KB per connection | µs CPU of the server per handshake |")
    print("| --- | --- | --- | --- |")
    for asks in (False, True):
        for way in WAYS:
            memory, took = measured(way, home, asks=asks).split()
            print(f"| {way} | {'yes' if asks else 'no'} | {memory} | {took} |", flush=True)


def serve_table(home: Path, pki: Pki, *, connections: int, changes: int) -> None:
    """Print what TLS costs the product."""
    print(f"\n| lbcontrol serve, {connections} connections, 4 subscriptions each, {ENDPOINTS} endpoints "
          "| KB per connection | µs CPU per join | µs CPU per push |")  # fmt: skip
    print("| --- | --- | --- | --- |")
    own, nobody = client_context(pki.authority.cert, pki.client), client_context(pki.authority.cert)
    counts = {"connections": connections, "changes": changes}
    print(product("plaintext", ControlPlane(home / "plain", transport="http2"), None, **counts))
    print(product("TLS", TlsPlane(home / "tls", pki, asks=False, transport="http2"), nobody, **counts))
    lifted = TlsPlane(home / "mutual", pki, transport="http2")
    config = home / "mutual" / "server.yaml"
    config.write_text(
        "apiVersion: lbcontrol.io/v1alpha1\nkind: Server\n"
        "limits: {connectionsPerIdentityAndAddress: 20000, loginsPerAddress: 20000}\n"
    )
    lifted.flags += ("--config", str(config))
    print(product("mutual TLS (limits per identity and address lifted)", lifted, own, **counts))


if __name__ == "__main__":
    main()
