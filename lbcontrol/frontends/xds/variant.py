"""What differs between the two variants of the protocol, State of the World and Delta: ``sotw.py`` and ``delta.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lbcontrol.frontends.xds.introductions import Introductions
from lbcontrol.frontends.xds.requests import Reader, Request
from lbcontrol.frontends.xds.responses import EncodeResponse
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.subscription import Draft, Hold, Subscription, Verdict


class Judge(Protocol):
    """Says what a request is about."""

    def __call__(self, sub: Subscription, request: Request, *, first: bool) -> Verdict:
        """Return the verdict; ``first`` on the first request of a type."""
        ...


class Subscribe(Protocol):
    """Applies the names of a request."""

    def __call__(self, sub: Subscription, request: Request, *, scope: Scope, said: Verdict) -> None:
        """Change ``sub``; ``said`` is the request's verdict."""
        ...


class Compose(Protocol):
    """Says what is sent next."""

    def __call__(self, sub: Subscription, scope: Scope, *, hold: Hold) -> Draft | None:
        """Return the next response of a type; ``hold`` says which removals are kept back."""
        ...


@dataclass(frozen=True, slots=True)
class Variant:
    """One of them."""

    read: Reader
    introduced: Introductions
    """Reads the first request of a stream."""
    verdict: Judge
    subscribe: Subscribe
    draft: Compose
    encode: EncodeResponse
    asks_nothing: Callable[[Subscription, Request], bool]
    """Whether a request changes nothing, so that it can be nothing but a verdict."""
