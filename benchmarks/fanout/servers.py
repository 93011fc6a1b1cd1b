"""The servers that are compared, each started for one run and stopped after it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.changing import FileChanges, Registrations, changing
from benchmarks.fanout.scenarios import GO_LOADS, GRPCIO, HTTP2, LINEAR, RAW, SNAPSHOT, Scenario
from tests.support.control_plane import ControlPlane
from tests.support.procs import free_port
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
CONFIGS = HERE / "configs"
CACHE = Path.home() / ".cache" / "lbcontrol-benchmarks"
NOT_SUPPORTED = "LB107"
"""What ``lbcontrol serve`` says of a key that has no effect yet."""
IN_USE = "LB501"
"""What it says of a port that somebody has."""
MESSAGE_BYTES = 49
"""Of an endpoint on the wire, for raw C: as many as lbcontrol sends."""
CLASS_BYTES = 24.7
"""The same in a long list, where endpoints share localities."""
LONG = 500
"""Endpoints beyond which they do."""


class NotRunError(Exception):
    """A server cannot be measured here, and why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs."""

    port: int
    pid: int
    trigger: str
    """URL that makes changes."""


def built(name: str) -> Path:
    """Build a Go program or a C file of this folder, unless the same sources were built before.

    Raises:
        NotRunError: there is no compiler.
    """
    sources = sorted((HERE / name).iterdir()) if name != "raw" else [HERE / "raw.c"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    path = CACHE / f"{name}-{digest}"  # Checkouts with other sources share the folder.
    if path.exists():
        return path
    tool = "cc" if name == "raw" else "go"
    if shutil.which(tool) is None:
        raise NotRunError(f"{tool} is missing")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    words = ["cc", "-O2", "-o", str(fresh), "raw.c"]
    if name != "raw":
        words = ["go", "build", "-trimpath", "-o", str(fresh), "."]
    subprocess.run(words, cwd=HERE if name == "raw" else HERE / name, check=True)
    return fresh.rename(path)


def certificate(folder: Path) -> None:
    """Write tls.crt and tls.key, an ECDSA pair for 127.0.0.1 that is good for a day.

    Raises:
        NotRunError: there is no openssl.
    """
    if shutil.which("openssl") is None:
        raise NotRunError("openssl is missing")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    made += ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(made, check=True, capture_output=True)


@contextlib.contextmanager
def _ours(transport: str, scenario: Scenario) -> Iterator[Target]:
    """``lbcontrol serve`` on a directory of files."""
    with tempfile.TemporaryDirectory() as temporary:
        plane, files = _begun(Path(temporary), transport, scenario=scenario)
        try:
            assert plane.proc is not None  # noqa: S101  just started
            made = Registrations(plane.grpc) if scenario.kind == "burst" else files
            with changing(made.change, made.settled) as url:
                yield Target(int(plane.grpc.rpartition(":")[2]), plane.proc.popen.pid, url)
        finally:
            plane.kill9()


def _begun(home: Path, transport: str, *, scenario: Scenario, tries: int = 3) -> tuple[ControlPlane, FileChanges]:
    """Start it, on other ports if somebody was faster.

    Raises:
        NotRunError: it does not know what the scenario's configuration asks for.
    """
    home = home / str(tries)
    plane = ControlPlane(home, transport=transport)
    if scenario.config:
        shutil.copy(CONFIGS / scenario.config, home)
        plane.flags += ("--config", str(home / scenario.config))
    if scenario.tls:
        certificate(home)
    files = FileChanges(plane, services=scenario.services, endpoints=scenario.endpoints, zones=scenario.cohorts)
    try:
        plane.start()
    except TimeoutError as error:
        said = str(error)
        if IN_USE in said and tries > 1:
            return _begun(home, transport, scenario=scenario, tries=tries - 1)
        if NOT_SUPPORTED in said:
            raise NotRunError(next(line.strip() for line in said.splitlines() if NOT_SUPPORTED in line)) from error
        raise
    return plane, files


@contextlib.contextmanager
def _started(words: list[str], port: int) -> Iterator[Target]:
    with subprocess.Popen(words) as process:
        try:
            wait_until(lambda: is_open(port + 1), what="the peer's ports")
            yield Target(port, process.pid, f"http://127.0.0.1:{port + 1}/")
        finally:
            process.kill()


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _go(cache: str, scenario: Scenario) -> Iterator[Target]:
    """A server on go-control-plane."""
    port = free_port()
    words = [str(built("gopeer")), "-cache", cache, "-port", str(port)]
    words += ["-services", str(scenario.services), "-endpoints", str(scenario.endpoints)]
    with tempfile.TemporaryDirectory() as home:
        if scenario.tls:
            certificate(Path(home))
            words += ["-cert", f"{home}/tls.crt", "-key", f"{home}/tls.key"]
        with _started(words, port) as target:
            yield target


@contextlib.contextmanager
def _raw(scenario: Scenario) -> Iterator[Target]:
    port = free_port()
    size = round(scenario.endpoints * (CLASS_BYTES if scenario.endpoints > LONG else MESSAGE_BYTES))
    with _started([str(built("raw")), str(port), str(size)], port) as target:
        yield target


SERVERS: dict[str, Callable[[Scenario], contextlib.AbstractContextManager[Target]]] = {
    HTTP2: lambda scenario: _ours("http2", scenario),
    GRPCIO: lambda scenario: _ours("grpcio", scenario),
    LINEAR: lambda scenario: _go("linear", scenario),
    SNAPSHOT: lambda scenario: _go("snapshot", scenario),
    GO_LOADS: lambda scenario: _go("linear", scenario),
    RAW: _raw,
}
