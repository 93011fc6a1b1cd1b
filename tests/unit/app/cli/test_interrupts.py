"""Signals end a command where it stands, and what must not outlive it ends before."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

COMMAND = """
import os, signal, threading
from lbcontrol.app.cli.interrupts import before_end, end_on

end_on(signal.SIGINT, signal.SIGTERM)
lock = threading.Lock()
with before_end(lambda: os.write(1, b"outer ")), before_end(lambda: os.write(1, b"inner ")):
    try:
        with lock:
            os.kill(os.getpid(), NUMBER)
            lock.acquire()
    finally:
        lock.acquire()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_command_that_would_wait_for_a_lock(number: int) -> None:
    """The last action first, then the process, with the code that shells give."""
    command = [sys.executable, "-c", COMMAND.replace("NUMBER", str(number))]
    done = subprocess.run(command, capture_output=True, timeout=4.0, check=False)
    assert (done.returncode, done.stdout) == (128 + number, b"inner outer "), done.stderr
