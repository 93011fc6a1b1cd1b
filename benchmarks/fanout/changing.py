"""Changes on demand: a POST makes one, or several spread over a time, as the servers' users would make them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import grpc
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from tests.support.control_plane import ControlPlane

SERVICE = "/lbcontrol.v1.LookasideService/"


MOST_ENDPOINTS = 65_536


class _Call(Protocol):
    """A call under way."""

    def result(self) -> object:
        """Wait for its end."""
        ...


def marked(change: int) -> str:
    """Return the address by which clients know a change."""
    return f"10.99.{change >> 8}.{change & 255}:8080"


def service(number: int, *, endpoints: int, zones: int, change: int = 0) -> str:
    """Return a service of a service file; its last endpoint says which change this is."""
    addresses = [f"10.0.{k >> 8}.{k & 255}:8080" for k in range(1, endpoints)] + [marked(change)]
    ends = [f'      - {{address: "{address}"{_zoned(k, zones)}}}' for k, address in enumerate(addresses)]
    policy = ["    policy: {locality: {prefer: Zone}}"] if zones else []
    return "\n".join([f"  - name: svc-{number}", *policy, "    endpoints:", *ends, ""])


def _zoned(endpoint: int, zones: int) -> str:
    return f", locality: {{region: region, zone: zone-{endpoint % zones}}}" if zones else ""


class FileChanges:
    """Writes the file of svc-0 anew for each change."""

    def __init__(self, plane: ControlPlane, *, services: int, endpoints: int, zones: int) -> None:
        """Write all services."""
        self._plane, self._endpoints, self._zones = plane, endpoints, zones
        self._changes = iter(range(MOST_ENDPOINTS))
        others = [service(number, endpoints=endpoints, zones=zones) for number in range(1, services)]
        if others:
            plane.write({"others.yaml": "services:\n" + "".join(others)})
        self.change()

    def change(self) -> None:
        """Make the next change."""
        text = service(0, endpoints=self._endpoints, zones=self._zones, change=next(self._changes))
        self._plane.write({"svc-0.yaml": "services:\n" + text})

    def settled(self) -> None:
        """Wait for nothing: a file is written when ``change`` returns."""


class Registrations:
    """Registers another backend of svc-0 for each change, and withdraws the one before: changes enter at any rate."""

    def __init__(self, target: str) -> None:
        """Keep the address of a running control plane."""
        channel = grpc.insecure_channel(target)
        self._register = channel.unary_unary(
            SERVICE + "Register", pb.RegisterRequest.SerializeToString, pb.RegisterResponse.FromString
        )
        self._withdraw = channel.unary_unary(
            SERVICE + "Withdraw", pb.WithdrawRequest.SerializeToString, pb.WithdrawResponse.FromString
        )
        self._made = 0
        self._under_way: list[_Call] = []

    def change(self) -> None:
        """Begin the next change."""
        if self._made:
            ended = pb.WithdrawRequest(service="svc-0", address=marked(self._made))
            self._under_way.append(self._withdraw.future(ended))
        self._made += 1
        begun = pb.RegisterRequest(service="svc-0", address=marked(self._made))
        self._under_way.append(self._register.future(begun))

    def settled(self) -> None:
        """Wait until every change has been answered."""
        for call in self._under_way:
            call.result()
        self._under_way.clear()


@contextlib.contextmanager
def changing(change: Callable[[], None], settled: Callable[[], None]) -> Iterator[str]:
    """Make changes with every POST (``?changes=N&within=SECONDS``); yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            count, within = int(asked["changes"][0]), float(asked["within"][0])
            start = time.monotonic()
            for number in range(count):
                time.sleep(max(0.0, start + number * within / count - time.monotonic()))
                change()
            settled()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
