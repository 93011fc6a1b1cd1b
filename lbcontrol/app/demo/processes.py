"""Child processes of the demo: started, fed with lines, ended without leaving any."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

START_SECONDS = 20.0
"""A child that says nothing for so long has failed."""
MODULE = "lbcontrol.app.demo"


class Ports:
    """Loopback ports that nobody else gets: a child may listen on one of them, also once more after it was killed."""

    def __init__(self, wanted: Sequence[int]) -> None:
        """Take each wanted port if it is free, else any."""
        self._held = [_bound(port) for port in wanted]
        self.numbers = [int(sock.getsockname()[1]) for sock in self._held]

    def free(self) -> None:
        """Let go of them."""
        for sock in self._held:
            sock.close()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.bind(("127.0.0.1", 0))
    # Set only now, so that the port was free; from now on it may be listened on, and the system gives it to no client.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


class Child:
    """One process in a group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take over a started process."""
        self.process = process

    @classmethod
    async def start(cls, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
        """Start a command that ends with this process; its standard error goes to ``log``."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"{MODULE}.child",
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        return cls(process)

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self.process.returncode is None

    async def line(self) -> str:
        """Return its next line of standard output, empty once it has ended."""
        assert self.process.stdout is not None  # noqa: S101  asked for above
        return (await self.process.stdout.readline()).decode().rstrip("\n")

    def tell(self, message: object) -> None:
        """Send it one JSON object."""
        assert self.process.stdin is not None  # noqa: S101  asked for above
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def end(self, number: signal.Signals = signal.SIGKILL, *, patience: float = 2.0) -> None:
        """Signal the whole group and wait; what does not end in ``patience`` seconds is killed."""
        self._signal(number)
        try:
            async with asyncio.timeout(patience):
                await self.process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the demo."""
    return [sys.executable, "-m", f"{MODULE}.{module}", *arguments]
