"""``lbcontrol serve`` as a subject: a process of its own, service files, and ADS over a real socket.

A published state counts from the moment in which witnesses, one stream for each kind of client, have been sent the
service ``barrier-mark`` of that state: it is in the same file as the rest, and its change is of the most urgent sort,
so that the flush which brings it brings everything. Nobody waits for it before the next word with the server, so that
two states in a row may become one, as they may on a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc

from lbcontrol.app.assembly import FAST_PATH
from tests.conformance.runner import Client
from tests.conformance.scenario import Scenario
from tests.conformance.subject import Document, GrpcWire
from tests.support.control_plane import ControlPlane

CONFIG = """\
kind: Server
startupGrace: 100ms
controlInterval: 10ms
sources:
  file: {type: file, path: lbcontrol.d}
  late: {type: file, path: late.d}
"""
"""The directory of the source ``late`` is missing until a state is complete."""
MARK = "barrier-mark"
WITNESS = Scenario("witness", "sotw", "", "", (), {}, True, "RDS", "", 0, 1)
KINDS = ("grpc", "envoy", "unknown")
START_SECONDS = 60.0
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Plane(ControlPlane):
    """A control plane with two file sources, one of which may be missing."""

    def __init__(self, home: Path, *, transport: str, fast_path: bool) -> None:
        """Write the configuration; nothing is started yet."""
        super().__init__(home, transport=transport)
        self.env = {} if fast_path else {FAST_PATH: "off"}
        self.config, self.late = home / "lbcontrol.yaml", home / "late.d"
        self.config.write_text(CONFIG)

    def begin(self) -> None:
        """Start the process, and wait until it listens."""
        super().begin()
        _poll(self._listens)

    def arguments(self) -> list[str]:
        """What stands after ``serve``: the sources are in the configuration."""
        return ["--config", str(self.config), *super().arguments()[1:]]

    def complete(self) -> None:
        """Have the second source sync: what is not defined then does not exist."""
        self.late.mkdir(exist_ok=True)
        _poll(self._is_synced)

    def memory(self, *, peak: bool = False) -> int:
        """Resident bytes now, or with ``peak`` the most there were since the last call without it."""
        assert self.proc is not None
        pid = self.proc.popen.pid
        if not peak:
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # Begins the peak anew.
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def _listens(self) -> bool:
        host, _, port = self.grpc.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
            return True
        return False

    def _is_synced(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.probe}/readyz?verbose", timeout=5.0) as answer:
                return b"source late: synced" in answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            return False


def _poll(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not question():
        assert time.monotonic() < deadline, "the process does not come up"
        time.sleep(0.02)  # neither a socket nor a probe has an event to wait for


class Witness:
    """A stream that follows nothing but the mark."""

    def __init__(self, channel: grpc.aio.Channel, kind: str) -> None:
        """Open it; the server closes with the channel."""
        self._kind = kind
        self._client = Client(GrpcWire(channel, "sotw"), WITNESS, START_SECONDS)
        self._asked = False

    async def sees(self, address: str) -> None:
        """Wait until the mark with ``address`` has come."""
        if not self._asked:
            self._asked = True
            await self._client.send({"type": "EDS", "names": [MARK], "node": self._kind})
        body = b""
        while address.encode() not in body:
            response = await self._client.next()
            await self._client.acknowledge("EDS")
            body = response.bodies.get(MARK, b"")


class ArrivingWire:
    """A stream on which nothing is said or heard before the newest state has arrived."""

    def __init__(self, subject: ProcessSubject, variant: str) -> None:
        """Open nothing yet."""
        self._subject = subject
        self._variant = variant
        self._wire: GrpcWire | None = None

    async def send(self, message: bytes) -> None:
        """Send one request."""
        await (await self._open()).send(message)

    async def receive(self) -> bytes:
        """Wait for one response; raises StreamEndedError."""
        return await (await self._open()).receive()

    async def close(self) -> None:
        """Break the stream off."""
        if self._wire is not None:
            await self._wire.close()

    async def _open(self) -> GrpcWire:
        channel = await self._subject.arrived()
        if self._wire is None:
            self._wire = GrpcWire(channel, self._variant)
        return self._wire


class ProcessSubject:
    """Starts the process with the first state, and again whenever a source must not have synced yet."""

    patience = 30.0

    def __init__(self, home: Path, *, transport: str, fast_path: bool = True) -> None:
        """Start nothing yet."""
        self.name = f"product, process on {transport}{'' if fast_path else ' without its fast path'}"
        self.transport, self.fast_path = transport, fast_path
        self.plane = Plane(home, transport=transport, fast_path=fast_path)
        self._channel: grpc.aio.Channel | None = None
        self._witnesses: list[Witness] = []
        self._complete = False
        self._number = 0
        self._arrived = 0

    async def reset(self) -> None:
        """Begin with new streams; the next ``publish`` replaces whatever is there."""
        await self.close()

    async def publish(self, services: Sequence[Document], *, complete: bool) -> None:
        """Put the state in place."""
        self._number += 1
        self._complete = complete
        if not complete and self.plane.late.exists():
            self.plane.kill9()
            self.plane.late.rmdir()
        mark = {"name": MARK, "endpoints": [{"address": f"{self._address()}:80"}]}
        self.plane.write({"services.yaml": json.dumps({"services": [*services, mark]})})
        if self.plane.proc is None or self.plane.proc.popen.poll() is not None:
            self.plane.begin()

    def open(self, variant: str) -> ArrivingWire:
        """Open one stream."""
        return ArrivingWire(self, variant)

    async def arrived(self) -> grpc.aio.Channel:
        """Wait until every kind of client has been told of the newest state; return the channel."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self.plane.grpc, OPTIONS)
            self._witnesses = [Witness(self._channel, kind) for kind in KINDS]
            self._arrived = 0
        if self._arrived < self._number:
            self._arrived = self._number
            for witness in self._witnesses:
                await witness.sees(self._address())
            if self._complete and not self.plane.late.exists():
                await asyncio.to_thread(self.plane.complete)
        return self._channel

    async def close(self) -> None:
        """Close what belongs to the event loop; the process stays."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    def _address(self) -> str:
        return f"10.254.{self._number // 250}.{self._number % 250}"
