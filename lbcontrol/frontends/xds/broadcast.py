"""One change for many streams: what was composed for the first is sent to all that are in the same state.

Most streams are quiet when endpoints change: they hold one version, acknowledged or under way, and nothing else waits.
Two quiet streams of one view and identity that hold the same resource are told the same, so that only their own books
remain to be kept. Whatever is not quiet goes the long way, which leads to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbcontrol.frontends.xds.responses import Content, EncodeResponse, Response, Responses
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.subscription import Subscription
from lbcontrol.model.assignment import Mark
from lbcontrol.model.clients import Identity
from lbcontrol.model.rendering import Resource, ResourceType
from lbcontrol.runtime.ports import Clock
from lbcontrol.runtime.views import ALL, Change, View


@dataclass(frozen=True, slots=True)
class News:
    """What one change comes to for the streams of one view and identity."""

    resource: Resource
    told: tuple[Resource, ...]
    """The resource alone."""
    mark: Mark | None
    at: float
    """Monotonic seconds when it was put together."""
    response: Response


class Broadcast:
    """Remembers the news of the change that is being told; all followers of it are told with one and the same tuple."""

    def __init__(self, responses: Responses, clock: Clock, *, on: bool = True) -> None:
        """Remember nothing; ``responses`` puts together. Not ``on``: streams take no short way at all."""
        self.on = on
        """Whether streams may take short ways."""
        self._clock = clock
        self._responses = responses
        self._changes: Sequence[Change] = ()
        self._view: View | None = None
        self._identity = Identity()
        self._encode: EncodeResponse | None = None
        self._news: News | None = None

    def forget(self) -> None:
        """Let go of the view and the news: a stream of theirs has ended, perhaps the last one."""
        self._changes, self._view, self._encode, self._news = (), None, None, None

    def news(self, changes: Sequence[Change], scope: Scope, *, encode: EncodeResponse) -> News | None:
        """Return what ``changes`` come to, None when they are not one resource with new bytes."""
        same = self._changes is changes and self._view is scope.view and self._encode is encode
        if not same or self._identity != scope.identity:
            self._changes, self._view, self._encode, self._identity = changes, scope.view, encode, scope.identity
            self._news = self._compose(changes[0], scope, encode=encode)
        return self._news

    def _compose(self, change: Change, scope: Scope, *, encode: EncodeResponse) -> News | None:
        type_, name = change
        found = scope.find(type_, name)
        if not isinstance(found, Resource) or not found.service:
            return None
        told = (found,)
        response = self._responses.response(encode, Content(type_, told))
        return News(found, told, scope.mark(name), self._clock.now(), response)


def is_plain(changes: Sequence[Change]) -> bool:
    """True when the changes are one list of endpoints: what changes all the time."""
    return len(changes) == 1 and changes[0][0] is ResourceType.ENDPOINTS and changes[0][1] != ALL


def is_quiet(subscriptions: dict[ResourceType, Subscription]) -> bool:
    """True when nothing waits to be sent on a stream."""
    for sub in subscriptions.values():  # noqa: SIM110  a loop costs half of any() here
        if sub.touched or sub.delayed or sub.due or sub.everything:
            return False
    return True
