"""Bearer tokens: who is behind one, asked of whoever can tell, and remembered for a short time.

Strangers may send anything: what cannot be a token for us is refused without asking, each address may have few
questions under way, all together not many more, and nobody waits long.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from lbcontrol.model.clients import Identity
from lbcontrol.model.errors import AuthenticationError, LimitExceededError, SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Scheduler

KEPT_SECONDS = 60.0
"""Longest time for which an answer is believed again."""
DENIED_SECONDS = 5.0
"""Time for which a refusal is repeated without asking."""
WAIT_SECONDS = 2.0
"""Longest wait for an answer."""
MOST_ASKED = 32
"""Questions under way."""
MOST_ASKED_OF_HOST = 4
"""Of them, for the sake of clients of one address."""
MOST_KEPT = 20_000
"""Answers kept; the oldest goes first."""
MOST_BYTES = 8_192
"""Longest token."""
FOR_EVER = float("inf")
_log = structlog.get_logger("lbcontrol.tokens")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=")
"""Of a bearer token (RFC 6750 section 2.1)."""


class Reviewer(Protocol):
    """Whoever can tell who is behind a token."""

    async def review(self, token: str) -> Identity | None:
        """Return who is behind it; None when it is good for nobody, or not for us.

        Raises:
            SourceUnavailableError: that cannot be found out now.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who proved who they are."""

    identity: Identity
    ends_at: float = FOR_EVER
    """Unix seconds: what the token says of its own end."""


@dataclass(frozen=True, slots=True)
class _Kept:
    session: Session | None
    """None: refused."""
    until: float
    """Monotonic seconds."""


class Tokens:
    """Turns tokens into sessions."""

    def __init__(self, reviewer: Reviewer, *, audience: str, scheduler: Scheduler, metrics: Metrics) -> None:
        """Know nobody yet."""
        self._reviewer = reviewer
        self._audience = audience
        self._scheduler = scheduler
        self._results = metrics.authn_total
        self._kept: dict[bytes, _Kept] = {}
        self._asked: dict[bytes, asyncio.Task[Session | None]] = {}
        self._hosts: Counter[str] = Counter()
        self._problem: Finding | None = None

    def findings(self) -> list[Finding]:
        """Return why the last login could not be checked, if it could not."""
        return [] if self._problem is None else [self._problem]

    def known(self, token: str) -> Session | None:
        """Return the session of a token that was reviewed a short time ago; None when it has to be ``identify``-ed."""
        kept = self._kept.get(_digest(token)) if len(token) <= MOST_BYTES else None
        fresh = kept is not None and kept.until > self._scheduler.now()
        session = kept.session if kept is not None and fresh else None
        if session is not None:
            self._count("accepted")
        return session

    async def identify(self, token: str, host: str) -> Session:
        """Return who is behind a token that a client at ``host`` sent.

        Raises:
            AuthenticationError: nobody, or not for us (LB520).
            SourceUnavailableError: that cannot be found out now (LB521).
            LimitExceededError: too much is being asked for that host (LB522).
        """
        claims = self._claims(token)
        key, now = _digest(token), self._scheduler.now()
        kept = self._kept.get(key)
        if kept is not None and kept.until > now:
            session = kept.session
        else:
            session = await self._ask(key, token, host=host, ends_at=claims)
        if session is None:
            raise self._denied("it is not valid, or not for this server")
        self._count("accepted")
        return session

    async def close(self) -> None:
        """Ask nothing more."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._reviewer.close()

    def _claims(self, token: str) -> float:
        """Return the end that a token claims; what can be no token for us is refused here, unasked."""
        if not token or len(token) > MOST_BYTES or not _LETTERS.issuperset(token):
            raise self._denied("it is no bearer token")
        claims = _payload(token)
        audiences = claims.get("aud")
        audiences = [audiences] if isinstance(audiences, str) else audiences
        if isinstance(audiences, list) and self._audience not in audiences:
            raise self._denied(f'it is not meant for the audience "{self._audience}"')
        ends_at = claims.get("exp")
        if isinstance(ends_at, bool) or not isinstance(ends_at, int | float):
            return FOR_EVER
        if ends_at <= self._scheduler.wall():
            raise self._denied("it has expired")
        return float(ends_at)

    async def _ask(self, key: bytes, token: str, *, host: str, ends_at: float) -> Session | None:
        task = self._asked.get(key)
        if task is None:
            if self._hosts[host] >= MOST_ASKED_OF_HOST or len(self._asked) >= MOST_ASKED:
                self._count("busy")
                raise LimitExceededError(
                    Finding("LB522", "too many logins are being checked", do="try again in a second")
                )
            task = self._asked[key] = asyncio.get_running_loop().create_task(self._review(key, token, ends_at))
            self._hosts[host] += 1
            task.add_done_callback(self._forget(key, host))
        return await asyncio.shield(task)

    async def _review(self, key: bytes, token: str, ends_at: float) -> Session | None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                identity = await self._reviewer.review(token)
        except (TimeoutError, SourceUnavailableError) as error:
            self._count("unavailable")
            what, do = "logins cannot be checked now", "try again in a second"  # Why is for operators: the log has it.
            finding = (
                error.finding if isinstance(error, SourceUnavailableError) else Finding("LB521", "no answer in time")
            )
            self._problem = finding
            _log.warning("login not checked", finding=str(finding))
            raise SourceUnavailableError(Finding("LB521", what, do=do)) from error
        now, self._problem = self._scheduler.now(), None
        session = None if identity is None else Session(identity, ends_at)
        left = ends_at - self._scheduler.wall()
        until = now + (DENIED_SECONDS if session is None else min(KEPT_SECONDS, left))
        self._kept.pop(key, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(session, until)
        return session

    def _forget(self, key: bytes, host: str) -> Callable[[asyncio.Task[Session | None]], None]:
        def done(task: asyncio.Task[Session | None]) -> None:
            self._asked.pop(key, None)
            self._hosts[host] -= 1
            if self._hosts[host] <= 0:
                del self._hosts[host]
            if not task.cancelled():
                task.exception()  # Whoever asked may be gone.

        return done

    def _denied(self, why: str) -> AuthenticationError:
        self._count("denied")
        return AuthenticationError(Finding("LB520", "the token is refused", why=why, do="send a valid one"))

    def _count(self, result: str) -> None:
        self._results.labels(result).inc()


def _digest(token: str) -> bytes:
    """Tokens themselves are not kept."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _payload(token: str) -> dict[str, object]:
    """Return what a JWT claims (RFC 7519), unproved; nothing for other tokens."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
