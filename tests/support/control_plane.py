"""The product as a user runs it: `lbcontrol serve` in a child process, on free loopback ports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from lookaside.api.lbcontrol.v1 import admin_service_pb2

from tests.support.procs import Proc, free_port

_POLL_SECONDS = 0.05
_TRANSPORT = os.environ.get("LBCONTROL_TEST_TRANSPORT", "")
"""Transport on which every test runs that does not choose one itself; empty for the product's default."""
_DRAIN = "/lbcontrol.v1.AdminService/Drain"


def lbcontrol() -> str:
    """The command beside the running interpreter, where `make setup` installs it."""
    return str(Path(sys.executable).with_name("lbcontrol"))


def services_yaml(name: str, weights: Mapping[str, int], *, aliases: Sequence[str] = ()) -> str:
    """A service file with one service whose endpoints (ip:port) have these weights."""
    ends = [f'      - {{address: "{address}", weight: {w}}}' for address, w in weights.items()]
    also = [f"    aliases: [{', '.join(aliases)}]"] if aliases else []
    return "\n".join(["services:", f"  - name: {name}", *also, "    endpoints:", *ends, ""])


def run_cli(*args: str) -> str:
    """Run the command to its end and return what it prints; AssertionError when it fails."""
    done = subprocess.run([lbcontrol(), *args], capture_output=True, text=True, timeout=20.0, check=False)
    assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class ControlPlane:
    """One control plane on fixed ports and one directory of files, so that it can be restarted."""

    def __init__(
        self, home: Path, *, state: bool = False, transport: str = _TRANSPORT, env: Mapping[str, str] | None = None
    ) -> None:
        """Keep files and log under `home`, and with `state` a state directory; nothing is started yet.

        `env` is added to its environment (`procs.UNMEASURED` where its speed is the point).
        """
        self._env = env
        self.files, self.log = home / "lbcontrol.d", home / "lbcontrol.log"
        self.flags: tuple[str, ...] = ("--state-dir", str(home / "state")) if state else ()
        if transport:
            self.flags += ("--transport", transport)
        self.files.mkdir(parents=True)
        self.grpc, self.admin, self.probe = (f"127.0.0.1:{free_port()}" for _ in range(3))
        self.proc: Proc | None = None

    def write(self, files: Mapping[str, str]) -> None:
        """Put these files in place, each by an atomic rename."""
        for name, text in files.items():
            fresh = self.files / f".{name}.new"
            fresh.write_text(text)
            fresh.rename(self.files / name)

    def start(self, files: Mapping[str, str] | None = None) -> None:
        """Write `files`, start, return when ready; TimeoutError with the log after 20 s."""
        self.write(files or {})
        self.begin()
        self.wait_until_ready()

    def begin(self) -> None:
        """Start the process, ready or not."""
        self.proc = Proc([lbcontrol(), "serve", *self.arguments()], log=self.log, env=self._env)

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        listeners = ["--grpc", self.grpc, "--admin", self.admin, "--probe", self.probe]
        return [str(self.files), *listeners, *self.flags]

    def wait_until_ready(self) -> None:
        """Wait until every source has synced; TimeoutError with the log after 20 s."""
        assert self.proc is not None
        deadline = time.monotonic() + 20.0
        while not self._ready():
            if self.proc.popen.poll() is not None or time.monotonic() > deadline:
                self.kill9()
                raise TimeoutError(f"control plane not ready; log:\n{self.proc.tail()}")
            time.sleep(_POLL_SECONDS)  # an HTTP probe has no event to wait for

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.probe}/readyz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill9(self) -> None:
        """Kill it as a crash would; also the way a test cleans up."""
        if self.proc is not None:
            self.proc.kill9()

    def restart(self) -> None:
        """Kill with signal 9, then start again on the same ports and files."""
        self.kill9()
        self.start()

    def metrics(self) -> dict[str, float]:
        """Samples of /metrics by full name with labels, as printed."""
        with urllib.request.urlopen(f"http://{self.probe}/metrics", timeout=5.0) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def bootstrap(self, *args: str) -> str:
        """What `lbcontrol bootstrap` tells a stock client to use."""
        return run_cli("bootstrap", *args, "--server", self.grpc)

    def drain(self, service: str, address: str) -> None:
        """Drain by the admin API, which returns once the drain is decided and published; RpcError when it fails."""
        wanted = admin_service_pb2.DrainRequest(service=service, address=address, reason="test")
        with grpc.insecure_channel(self.admin) as channel:
            call: Any = channel.unary_unary(_DRAIN)
            call(wanted.SerializeToString(), timeout=10.0)

    def cli(self, *args: str) -> str:
        """Run an operator's verb against this server; AssertionError when it fails."""
        return run_cli(*args, "--admin", self.admin)
