"""One surface over the stock client programs of all languages, so that a test is written once.

Each program (tests/support/clients_grpcio.py, tests/interop/{go,node,java}) is an unmodified gRPC client
behind the same JSON line commands on stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.procs import Proc
from tests.support.require import component, need
from tests.support.waiting import wait_until

_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """How one call failed, and after how many seconds."""

    code: str
    details: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Calls counted by how they ended and, where they succeeded, by the backend that answered."""

    ok: int
    failed: int
    backends: dict[str, int]
    errors: tuple[Failure, ...]
    """The first five failures."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Read what a client program answered."""
        errors = tuple(Failure(**error) for error in raw["errors"])
        return cls(raw["ok"], raw["failed"], dict(raw["backends"]), errors)


@dataclass(frozen=True, slots=True)
class Language:
    """One stock client implementation."""

    name: str
    start: Callable[[], tuple[list[str], dict[str, str]]]
    """Command line and environment of its program; ends the test as not run where a toolchain is missing."""
    keeps_connections: bool
    """Whether a changed weight leaves its connections alone (grpc-js dials every endpoint anew on any EDS)."""

    def __str__(self) -> str:
        """Name a parametrized test."""
        return self.name


def _grpcio() -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "tests.support.clients_grpcio"], {"PYTHONPATH": str(_ROOT)}


def _go() -> tuple[list[str], dict[str, str]]:
    return [str(component("go-client"))], {}


def _node() -> tuple[list[str], dict[str, str]]:
    packages = component("node-client")
    return [need("node"), str(_ROOT / "tests" / "interop" / "node" / "client.js")], {"NODE_PATH": str(packages)}


def _java() -> tuple[list[str], dict[str, str]]:
    home = component("java-client")
    quick = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return [need("java"), *quick, "-cp", f"{home}:{home}/*", "Client"], {}


GRPCIO = Language("grpcio", _grpcio, keeps_connections=True)
GO = Language("go", _go, keeps_connections=True)
NODE = Language("node", _node, keeps_connections=False)
JAVA = Language("java", _java, keeps_connections=True)
LANGUAGES = (GRPCIO, GO, NODE, JAVA)


def bootstrap(server: str) -> str:
    """The xDS bootstrap, as JSON, of a stock gRPC client of the control plane at ``server`` (ip:port).

    grpc-js refuses a node without ``locality``; an empty one will do.
    """
    first = {"server_uri": server, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    return json.dumps({"xds_servers": [first], "node": {"id": "interop", "locality": {}}})


class Client:
    """One client process with ``channels`` channels; a context that kills it at the end."""

    def __init__(
        self,
        language: Language,
        target: str,
        *,
        server: str,
        log: Path,
        channels: int = 1,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program and wait until it takes commands.

        Args:
            language: Which implementation.
            target: Such as ``xds:///greeter``; ``{}`` in it is replaced by each channel's number.
            server: Address of the control plane; unused by targets that are not xds.
            log: Where its stderr goes.
            channels: How many channels, each with connections of its own; calls take them in turn.
            env: Further variables of its environment.
        """
        argv, own = language.start()
        settings = {**own, "GRPC_XDS_BOOTSTRAP_CONFIG": bootstrap(server), **(env or {})}
        self.proc = Proc([*argv, target, str(channels)], log=log, env=settings)
        try:
            self.proc.line(_READY_SECONDS)
        except BaseException:
            self.proc.kill9()
            raise

    def call(self, n: int, *, parallel: int = 20) -> Answer:
        """Make ``n`` calls, at most ``parallel`` at once."""
        return Answer.of(self.proc.ask({"cmd": "call", "n": n, "parallel": parallel}))

    def reach(self, addresses: Collection[str], *, calls: int = 60) -> None:
        """Call until each of these backends answers some of ``calls``: before all are connected no split is right."""
        wait_until(lambda: set(self.call(calls).backends) >= set(addresses), "every backend answers")

    def begin_slow_calls(self, n: int) -> None:
        """Start ``n`` calls of 1.5 s at once; ``finish_slow_calls`` must follow before any other command."""
        self.proc.send({"cmd": "slow_call", "n": n})

    def finish_slow_calls(self) -> Answer:
        """Wait for the calls that ``begin_slow_calls`` started."""
        return Answer.of(self.proc.answer(30.0))

    def start_load(self, rps: float) -> None:
        """Start calls at a steady rate; other commands may run meanwhile."""
        self.proc.ask({"cmd": "start_load", "rps": rps})

    def stop_load(self) -> Answer:
        """Stop the steady calls, wait for the last of them, return the count of all."""
        return Answer.of(self.proc.ask({"cmd": "stop_load"}))

    def stop(self) -> None:
        """Kill the process."""
        self.proc.kill9()

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Kill the process, and show its log if the block failed."""
        self.stop()
        if kind is not None:
            print(f"--- {self.proc.log}\n{self.proc.tail()}")
