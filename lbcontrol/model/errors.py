"""The one exception tree. Every error carries at least one finding."""

from __future__ import annotations

from collections.abc import Sequence

from lbcontrol.model.findings import Finding


class LbControlError(Exception):
    """Base of every error we raise on purpose; ``findings`` say what, where, why and what next."""

    def __init__(self, *findings: Finding) -> None:
        """Keep the findings; at least one is needed."""
        if not findings:
            raise ValueError("an error needs at least one finding")
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings: Sequence[Finding] = findings

    @property
    def finding(self) -> Finding:
        """The first finding, for places with room for one."""
        return self.findings[0]


class ConfigError(LbControlError):
    """A document is wrong; it is refused whole and the last good one stays in force (LB1xx)."""


class SourceUnavailableError(LbControlError):
    """A registry cannot be read right now; what we knew before stays in force (LB2xx).

    Raised by sources, handled by the supervisor (back off, count, mark the source stale).
    It must never empty a service: losing the registry is not the same as losing backends.
    """


class InvalidRequestError(LbControlError):
    """A client or operator asked for something malformed or over a limit (LB3xx)."""


class NotFoundError(LbControlError):
    """The named service, endpoint, client or override does not exist."""


class ConflictError(LbControlError):
    """The request is well formed but does not fit the present state (LB4xx)."""


class LimitExceededError(LbControlError):
    """A limit is reached; the message names it, its value and its config key."""


class AuthenticationError(LbControlError):
    """The caller's proof of who it is does not hold (LB52x)."""


class AccessError(LbControlError):
    """The identity may not do this, or a listener may not be opened like this (LB5xx)."""


class StateStoreError(LbControlError):
    """The state directory cannot be read or written; serving goes on (LB9xx)."""
