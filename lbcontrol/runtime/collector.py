"""Python's cycle collector, held back while a thread builds many values that contain no cycles.

The collector stops every thread while it looks at every object there is. Reading a file of 10,000 endpoints makes
enough young objects to call it several times, each time for longer than the loop may stand still (40 to 75 ms in an
idle process, docs/adr/0003), and it would find nothing. What a block has built is passed over by every later
collection too (``gc.freeze``: no object is looked at for that), until a full one (``runtime/pauses.py``): looking at
the 20,000 to 50,000 objects of one change, when they were still young, took another 5 to 20 ms.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator


class CollectorPause:
    """Counts who wants the collector to wait; it runs again when the last of them is done.

    Use it for what builds thousands of values: everything that is alive at the end of a block waits for the next full
    collection, should it ever become garbage in a cycle. Young garbage is collected before.
    """

    def __init__(self) -> None:
        """Nobody wants it to wait."""
        self._lock = threading.Lock()
        self._wanted = 0
        self._was_on = True

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the collector back for the time of a ``with`` block; blocks of several threads may overlap."""
        with self._lock:
            if not self._wanted:
                self._was_on = gc.isenabled()
                gc.disable()
                gc.collect(1)
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    gc.freeze()
                    if self._was_on:
                        gc.enable()


collector_paused = CollectorPause()
"""The process has one collector, so there is one count of who holds it back. Keep the blocks below a second."""
