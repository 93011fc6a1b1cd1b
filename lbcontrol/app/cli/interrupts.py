"""What Ctrl-C and SIGTERM do to a command: end it there and then, whatever it waits for.

No exception is raised: it would arise anywhere, also where gRPC holds a lock that closing the channel then waits for.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

_last: list[Callable[[], None]] = []


def end_on(*numbers: signal.Signals) -> None:
    """Let these signals end this process with the code a shell gives them, 128 more than their number."""
    for number in numbers:
        signal.signal(number, _end)


@contextlib.contextmanager
def before_end(action: Callable[[], None]) -> Iterator[None]:
    """Run ``action`` when the block ends, and also when a signal of ``end_on`` ends the process meanwhile.

    It runs between any two steps of the block: it must not wait for a lock.
    """
    _last.append(action)
    try:
        yield
    finally:
        _last.remove(action)
        action()


def _end(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # A second one is not kept waiting.
    for action in reversed(_last):
        action()
    if os.isatty(2):
        os.write(2, b"\n")  # After the ^C of the terminal.
    os._exit(128 + number)
