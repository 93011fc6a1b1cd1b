"""A document of ours followed to the letter: its file, its server, its commands, on ports of its own."""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.control_plane import START_SECONDS, lbcontrol
from tests.support.grpcurl import Command, blocks, commands, missing, run
from tests.support.procs import Proc, free_port

ROOT = Path(__file__).resolve().parents[2]
GRPC, PROBE = "127.0.0.1:18000", "127.0.0.1:18002"
"""The addresses that documents use; the operators' is a socket in the state directory."""


def timeless(text: str) -> str:
    """Return text in which every age and duration of the form 12s or 0.1s is the same."""
    return re.sub(r"\b\d+(\.\d+)?(s|ms|m|h)\b", "0s", text)


class Followed:
    """One reader, in an empty folder."""

    def __init__(self, document: str, folder: Path) -> None:
        """Read the document; nothing runs yet."""
        self.text = (ROOT / document).read_text()
        self.folder = folder
        self.ports = {each: f"127.0.0.1:{free_port()}" for each in (GRPC, PROBE)}

    @contextmanager
    def serving(self, *, services: str) -> Iterator[None]:
        """Write the services and serve them as the README says, until the block ends; TimeoutError if that fails."""
        (self.folder / "lbcontrol.d").mkdir()
        (self.folder / "lbcontrol.d" / "greeter.yaml").write_text(services)
        (line,) = blocks((ROOT / "README.md").read_text(), "sh", mark="readme-serve")
        flags = f"--grpc {self.ports[GRPC]} --probe {self.ports[PROBE]}"
        script = f"cd {self.folder}; {line.rstrip()} {flags}".replace("lbcontrol serve", f"exec {lbcontrol()} serve")
        with Proc(["bash", "-c", script], log=self.folder / "serve.log") as proc:
            deadline = time.monotonic() + START_SECONDS
            while not self._ready():
                if proc.popen.poll() is not None or time.monotonic() > deadline:
                    raise TimeoutError(proc.tail())
                time.sleep(0.05)  # an HTTP probe has no event to wait for
            yield

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.ports[PROBE]}/readyz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def environment(self) -> Mapping[str, str]:
        """What a reader has exported by then, and where our server is."""
        return {**os.environ, "LBCONTROL_STATE_DIR": "state", "LBCONTROL_SERVER": self.ports[GRPC]}

    def differences(self, *, mark: str = "readme", binary: Path | None = None) -> Iterator[str]:
        """Run every command of the blocks with this mark, in order.

        Yields:
            each that prints something else than the document says; AssertionError when one fails.
        """
        for command in commands(self.text, mark=mark):
            output = run(command, binary or Path(lbcontrol()), ports=self.ports, folder=self.folder)
            promised = Command(command.text, tuple(map(timeless, command.lines)))
            wrong = missing(promised, timeless(output))
            if wrong is not None:
                yield f"$ {command.text}\nprints no {wrong!r} where the document has it, but\n{output}"
