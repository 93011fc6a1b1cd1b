"""Followers are told in slices of time, so that a change that thousands of streams follow does not hold up the loop.

Telling one stream means putting a response on its way, about 0.05 ms: 1,000 streams at one go were 50 ms in which no
other was served. Who waits is told in the order of arrival; what changes meanwhile is added to what it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from lbcontrol.runtime.ports import Scheduler
from lbcontrol.runtime.supervision import Supervisor
from lbcontrol.runtime.views import Change, Follower

SLICE = 0.005
"""Seconds of telling between two turns of the loop."""


class Teller:
    """Tells followers. Bounded by their number: each waits at most once."""

    def __init__(self, scheduler: Scheduler, supervisor: Supervisor) -> None:
        """Have nothing to tell."""
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._waiting: dict[Follower, tuple[Change, ...]] = {}
        self._queue: deque[Follower] = deque()
        """The keys of ``_waiting``, longest waiting first: a dict finds its first key slowly when many were popped."""
        self._told: list[Callable[[], None]] = []
        self._scheduled = False

    def tell(self, tellings: Mapping[Follower, tuple[Change, ...]], *, told: Callable[[], None]) -> None:
        """Tell followers, beginning now; call ``told`` when nobody waits any more.

        Args:
            tellings: What each is told, make-before-break.
            told: Called once, at once if that was all.
        """
        self._told.append(told)
        for follower, changes in tellings.items():
            before = self._waiting.get(follower)
            if before is None:
                self._queue.append(follower)
                self._waiting[follower] = changes
            else:
                self._waiting[follower] = tuple(dict.fromkeys((*before, *changes)))
        if not self._scheduled:
            self._go_on()

    def finish(self) -> None:
        """Tell everybody who waits, however long it takes."""
        self._slice(float("inf"))

    def _go_on(self) -> None:
        self._scheduled = False
        self._slice(self._scheduler.now() + SLICE)
        if self._queue:
            self._scheduled = True
            self._scheduler.call_soon(self._go_on)

    def _slice(self, until: float) -> None:
        tell = partial(self._tell_until, until)
        while self._queue and self._scheduler.now() < until:
            self._supervisor.attempt("follower", tell)
        if not self._queue:
            told, self._told = self._told, []
            for each in told:
                each()

    def _tell_until(self, until: float) -> None:
        """Tell one after the other until the time is up; one that raises has been taken out before."""
        queue, waiting, now = self._queue, self._waiting, self._scheduler.now
        while queue and now() < until:
            follower = queue.popleft()
            follower.changed(waiting.pop(follower))
