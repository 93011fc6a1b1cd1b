"""Child processes for tests: ready line, kept log, killed whatever happens to the test run."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_FIRST_PORT, _WORKERS = 20_000, 8


def _ports() -> Iterator[int]:
    """Ports that no outgoing connection gets by chance, a part of its own for each of eight workers, in a circle."""
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    first, end = (_FIRST_PORT, ephemeral) if ephemeral >= _FIRST_PORT + 4_096 else (_FIRST_PORT, 2**16)
    share = (end - first) // _WORKERS
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    begin = random.randrange(share)
    return itertools.cycle(first + worker * share + (begin + step) % share for step in range(share))


_PORTS = _ports()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free, and that nobody takes who does not ask for it by number."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports go round in a circle")


UNMEASURED: Mapping[str, str] = {"LBCONTROL_TEST_UNMEASURED": "1"}
"""Environment of a child whose own speed is the point: coverage, which would slow it down, is not started in it."""


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return a child's environment."""
    whole = {**os.environ, **env}
    dropped = "COVERAGE_" if UNMEASURED.items() <= env.items() else "\0"
    return {name: value for name, value in whole.items() if not name.startswith(dropped)}


_DIE_WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Asks Linux to kill a child when the thread that started it ends (PR_SET_PDEATHSIG, SIGKILL), so that no orphan stays
after -9, and becomes the child. Not by ``preexec_fn``: that forks, and in a process in which grpc runs a fork may hang.
"""


def _program(name: str) -> str:
    """Return where a program is; OSError when there is none."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    return str(Path(found).absolute())


class Proc:
    """A child in its own process group; stdout is read as lines, stderr goes to a log file."""

    def __init__(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        """Start `argv`; `env` is added to the caller's environment, and `UNMEASURED` leaves out coverage's part of it.

        Raises OSError.
        """
        self.log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        with log.open("ab") as stderr:
            self.popen = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, _program(argv[0]), *argv[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=_environment(env or {}),
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._pump, daemon=True)
        self._reader.start()

    def _pump(self) -> None:
        assert self.popen.stdout is not None
        for raw in self.popen.stdout:
            self._lines.put(raw.decode("utf-8", "replace").rstrip("\n"))
        self._lines.put(None)

    def line(self, timeout: float) -> str:
        """Next line of stdout; TimeoutError or EOFError (with the log's tail) without one."""
        try:
            text = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no line in {timeout} s; log:\n{self.tail()}") from None
        if text is None:
            self._lines.put(None)
            raise EOFError(f"process ended ({self.popen.poll()}); log:\n{self.tail()}")
        return text

    def send(self, command: Mapping[str, Any]) -> None:
        """Send one JSON line; its answer is the next one that ``answer`` returns."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(command).encode() + b"\n")
        self.popen.stdin.flush()

    def answer(self, timeout: float) -> dict[str, Any]:
        """Wait for the next JSON object on stdout."""
        answer = json.loads(self.line(timeout))
        assert isinstance(answer, dict)
        return answer

    def ask(self, command: Mapping[str, Any], *, timeout: float = 60.0) -> dict[str, Any]:
        """Send one JSON line, return the JSON object answered."""
        self.send(command)
        return self.answer(timeout)

    def tail(self, lines: int = 40) -> str:
        """Last lines of the log, for a failure's message."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def kill9(self) -> None:
        """Kill the whole group at once and wait for the end; harmless when already ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self._reader.join(timeout=5.0)  # ends with the last writer of the pipe
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Self:
        """Use as a context: the group is killed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the group, and show the log if the block failed."""
        self.kill9()
        if kind is not None:
            print(f"--- {self.log}\n{self.tail()}")
