"""The demo's world: one control plane, some backends, one client, and what a user may do to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from lbcontrol.app.demo import plane
from lbcontrol.app.demo.options import LETTERS, SERVICE, DemoOptions
from lbcontrol.app.demo.picture import Picture, Tick
from lbcontrol.app.demo.processes import START_SECONDS, Child, Ports, python
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.findings import Finding

PORTS = (18000, 18001, 18002)
"""Listeners of the control plane, where they are free: grpc, admin, probe."""
FIRST_BACKEND = 50051
SLOWNESS = 0.2
"""Seconds that a slow backend adds to each call."""
HEAVY = 500
"""Weight of a re-weighted backend; all begin with 100."""


class DemoError(LbControlError):
    """The demo cannot go on; the message says which part failed and where its log is."""


def last_words(log: str) -> str:
    """Return the last error of a log, or its last line, without the rest."""
    lines = log.strip().splitlines()
    errors = [line for line in lines if line.startswith("error ") or "Error: " in line]
    return (errors or lines)[-1].removeprefix("error ")[-300:]


@dataclass(slots=True)
class Backend:
    """One backend as the demo knows it."""

    letter: str
    port: int
    child: Child | None = None
    slow: bool = False
    draining: bool = False
    heavy: bool = False

    @property
    def address(self) -> str:
        """Where it is dialled."""
        return f"127.0.0.1:{self.port}"

    @property
    def state(self) -> str:
        """A glyph and words: never colour alone."""
        words = [word for word, true in (("draining", self.draining), ("slow", self.slow)) if true]
        if self.child is None:
            return "✕ killed"
        return ("◐ " if self.draining else "● ") + (" ".join(words) or "serving")


class World:
    """Everything that runs."""

    def __init__(self, options: DemoOptions) -> None:
        """Choose ports and a directory; nothing runs yet."""
        usual = [*PORTS, *(FIRST_BACKEND + number for number in range(len(LETTERS)))]
        self._ports = Ports(usual)
        ports = self._ports.numbers
        self.grpc, self.admin, self.probe = (f"127.0.0.1:{port}" for port in ports[:3])
        self.taken = tuple(port for port, ours in zip(usual, ports, strict=True) if port != ours)
        """Usual ports that somebody else has."""
        spare = zip(LETTERS, ports[3:], strict=True)
        self._all = [Backend(letter, port) for letter, port in spare]
        self.backends = self._all[: options.backends]
        self.picture = Picture()
        self.wanted: Mapping[str, float] = {}
        self.ticked = asyncio.Event()
        """Set with the client's next report; each report has an event of its own."""
        self.home = Path(tempfile.mkdtemp(prefix="lbcontrol-demo-"))
        self._files = self.home / "lbcontrol.d"
        self._rate = options.rate
        self._plane: Child | None = None
        self._client: Child | None = None

    @property
    def plane_runs(self) -> bool:
        """True while the control plane is up."""
        return self._plane is not None

    def named(self, letter: str) -> Backend:
        """Return the backend with this letter."""
        return next(each for each in self.backends if each.letter == letter)

    async def start(self) -> None:
        """Start backends, control plane and client, in this order; returns when calls flow."""
        self._files.mkdir()
        await asyncio.gather(*(self.revive(backend) for backend in self.backends))
        await self.start_plane()
        server = {"server_uri": self.grpc, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
        bootstrap = json.dumps({"xds_servers": [server], "node": {"id": "demo-client"}})
        env = {"GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap}
        argv = python("client", f"xds:///{SERVICE}", str(self._rate))
        self._client = await Child.start(argv, log=self.home / "client.log", env=env)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self.picture.first_call:
                    await self.listen()
        except TimeoutError:
            raise self._failed("the client made no call") from None

    async def listen(self) -> None:
        """Take in the client's next report."""
        assert self._client is not None  # noqa: S101  started before
        line = await self._client.line()
        if not line:
            raise self._failed("the client ended")
        report = json.loads(line)
        self.picture.add(Tick(asyncio.get_running_loop().time(), report["calls"], report["lost"]))
        self.ticked.set()
        self.ticked = asyncio.Event()

    async def ask(self) -> None:
        """Renew what the control plane wants; the last answer stays while it does not answer."""
        if self._plane is not None:
            with contextlib.suppress(grpc.aio.AioRpcError):
                self.wanted = plane.wanted(await plane.assignment(self.grpc))

    async def kill(self, backend: Backend) -> None:
        """End a backend as a crash would."""
        if backend.child is not None:
            child, backend.child = backend.child, None
            await child.end(signal.SIGKILL)

    async def revive(self, backend: Backend) -> None:
        """Start a backend on its port, healthy."""
        argv = python("backend", str(backend.port))
        child = await Child.start(argv, log=self.home / f"backend-{backend.letter}.log")
        if not await child.line():
            raise self._failed(f"backend {backend.letter} did not start on {backend.address}")
        backend.child, backend.slow = child, False

    def slow(self, backend: Backend, *, slow: bool) -> None:
        """Make a backend slow, or cure it."""
        if backend.child is not None:
            backend.slow = slow
            backend.child.tell({"delay": SLOWNESS if slow else 0.0})

    async def drain(self, backend: Backend, *, drain: bool) -> None:
        """Drain a backend, or take that back."""
        await (plane.drain if drain else plane.undrain)(self.admin, backend.address)
        backend.draining = drain

    async def weigh(self, backend: Backend, *, heavy: bool) -> None:
        """Give a backend five times the weight, or take that back."""
        await plane.set_weight(self.admin, backend.address, weight=HEAVY if heavy else None)
        backend.heavy = heavy

    async def add(self) -> Backend | None:
        """Start one more backend and write it into the service file; None when there is no letter left."""
        if len(self.backends) == len(self._all):
            return None
        backend = self._all[len(self.backends)]
        await self.revive(backend)
        self.backends.append(backend)
        self._write()
        return backend

    async def stop_plane(self) -> None:
        """Kill the control plane; the clients keep their last list."""
        if self._plane is not None:
            child, self._plane = self._plane, None
            await child.end(signal.SIGKILL)

    async def start_plane(self) -> None:
        """Start the control plane on its ports; returns when it answers for the service."""
        self._write()
        flags = ["--grpc", self.grpc, "--admin", self.admin, "--probe", self.probe]
        flags += ["--state-dir", str(self.home / "state")]
        argv = [sys.executable, "-m", "lbcontrol", "serve", str(self._files), *flags]
        child = await Child.start(argv, log=self.home / "lbcontrol.log")
        self._plane = child
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self.wanted or not await self._answers():
                    if not child.running:
                        raise self._failed("the control plane ended")
                    await self.ask()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise self._failed("the control plane does not answer") from None

    async def _answers(self) -> bool:
        try:
            await plane.assignment(self.grpc)
        except grpc.aio.AioRpcError:
            return False
        return True

    def _write(self) -> None:
        """Write the service file as an operator would: whole, then renamed."""
        ends = [f'      - {{address: "{backend.address}", weight: 100}}' for backend in self.backends]
        fresh = self._files / ".greeter.yaml.new"
        fresh.write_text("\n".join(["services:", f"  - name: {SERVICE}", "    endpoints:", *ends, ""]))
        fresh.rename(self._files / f"{SERVICE}.yaml")

    def _failed(self, what: str) -> DemoError:
        logs = {log.stem: log.read_text(errors="replace") for log in sorted(self.home.glob("*.log"))}
        why = "; ".join(f"{name}: {last_words(text)}" for name, text in logs.items() if text.strip())
        why = why or "no log says why"
        return DemoError(Finding("LB920", what, why=why, do="lbcontrol demo, or lbcontrol serve to see its log"))

    async def close(self) -> None:
        """End every process and remove every file."""
        children = [self._client, *(backend.child for backend in self._all)]
        ending = [child.end() for child in children if child is not None]
        if self._plane is not None:
            ending.append(self._plane.end())
        await asyncio.gather(*ending)
        self._ports.free()
        shutil.rmtree(self.home, ignore_errors=True)
