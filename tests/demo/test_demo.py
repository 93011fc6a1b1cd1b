"""The demo as a user runs it: scenarios recover, and nothing is left behind."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.support.control_plane import lbcontrol
from tests.support.procs import Proc

ALL = "kill,slow,drain,weight,add,plane"


def running(word: str) -> list[str]:
    """Return the command lines of processes that contain ``word``."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # It has ended meanwhile.
            if word in command:
                found.append(command)
    return found


@pytest.mark.timeout(180)
def test_every_scenario_recovers_without_a_terminal(tmp_path: Path) -> None:
    """Six things are broken one after the other; the report says that all recovered, and the exit code too."""
    argv = [lbcontrol(), "demo", "--scenario", ALL, "--exit-after", "150s", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=170.0, check=False, cwd=tmp_path)
    print(done.stdout, done.stderr)
    report = json.loads(done.stdout)
    assert [(each["scenario"], each["problems"]) for each in report["items"]] == [(n, []) for n in ALL.split(",")]
    assert (done.returncode, report["recovered"], report["missing"]) == (0, True, [])


def test_interrupt_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C ends control plane, backends and client within 3 s."""
    with Proc([lbcontrol(), "demo"], log=tmp_path / "demo.log") as proc:
        while "calls/s" not in proc.line(30.0):
            pass
        assert len(running("lbcontrol.app.demo.backend")) >= 6
        asked = time.monotonic()
        proc.popen.send_signal(signal.SIGINT)
        code = proc.popen.wait(10.0)
        took = time.monotonic() - asked
    print(f"ended {took:.2f} s after the interrupt")
    assert code in (0, 130)
    assert took <= 3.0
    assert running("lbcontrol.app.demo.backend") == []


def test_terminal_is_given_back_after_ctrl_c() -> None:
    """On a terminal of 80 columns: keys act, Ctrl-C ends it, echo and line mode are as before, nothing is left."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    own, env = ["setsid", "--ctty", "--wait", lbcontrol(), "demo"], {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(own, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        shown = read_until(ours, "q quit")
        os.write(ours, b"k")
        shown += read_until(ours, "a killed")
        os.write(ours, b"\x03")
        shown += read_until(ours, "every process is stopped")
        code = process.wait(10.0)
    assert code in (0, 130), shown
    assert termios.tcgetattr(theirs) == before
    assert running("lbcontrol.app.demo.backend") == []
    os.close(ours)
    os.close(theirs)


def read_until(terminal: int, word: str) -> str:
    """Return what a terminal shows up to a word; TimeoutError without it in 30 s."""
    shown, deadline = b"", time.monotonic() + 30.0
    while word.encode() not in shown:
        if time.monotonic() > deadline:
            raise TimeoutError(shown.decode(errors="replace"))
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65_536)
    return shown.decode(errors="replace")


def test_unknown_scenario_is_a_usage_error() -> None:
    """Exit code 2, and the scenarios there are."""
    done = subprocess.run([lbcontrol(), "demo", "--scenario", "kil"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "kill" in done.stderr
