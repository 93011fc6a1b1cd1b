"""Tokens of service accounts, judged by the API server (authentication.k8s.io/v1 TokenReview).

The audience is ours and is checked in the answer: an API server that knows nothing of audiences would call any token
good, also one that somebody else was given to talk to a third.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TypeGuard

from lbcontrol.model.clients import Identity
from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.sources.kubernetes.api import Api, connect, message_of
from lbcontrol.sources.kubernetes.options import KubernetesOptions

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
MOST_NAME = 1_024
"""Longest name of a user."""


def reviews_of(audience: str, *, kubeconfig: str, context: str) -> TokenReviews:
    """Return what asks the API server that a source with the same keys would watch."""
    return TokenReviews(audience, KubernetesOptions(kubeconfig=kubeconfig, context=context))


@dataclass(slots=True)
class TokenReviews:
    """Implements ``runtime.tokens.Reviewer`` with one API server."""

    audience: str
    """Whom tokens must be meant for."""
    options: KubernetesOptions
    """Where the API server is."""
    _api: Api | None = None
    _connecting: asyncio.Lock | None = None

    async def review(self, token: str) -> Identity | None:
        """Ask the API server; None for a token that is not valid for our audience.

        Raises:
            SourceUnavailableError: it cannot be asked, or does not let us.
        """
        api = await self._connected()
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self.audience]},
        }
        code, text = await api.send("POST", PATH, body=body)
        if code >= 300:
            what = f"the API server answered {code} to a TokenReview"
            do = "allow create on tokenreviews of authentication.k8s.io" if code in (401, 403) else ""
            raise SourceUnavailableError(Finding("LB521", what, why=message_of(text), do=do))
        try:
            status = json.loads(text).get("status") or {}
            user = status.get("user") or {}
            good = status.get("authenticated") is True and self.audience in (status.get("audiences") or ())
            name = user.get("username")
        except (ValueError, AttributeError, TypeError) as error:
            raise SourceUnavailableError(Finding("LB521", "the API server's answer is no TokenReview")) from error
        return Identity(name, authenticated=True) if good and _is_name(name) else None

    async def close(self) -> None:
        """End the connections."""
        if self._api is not None:
            await self._api.close()

    async def _connected(self) -> Api:
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self._api is None:
                self._api = await connect(self.options)
        return self._api


def _is_name(name: object) -> TypeGuard[str]:
    """Return whether a name can be one of ours: a space would let it be taken for another."""
    return isinstance(name, str) and 0 < len(name) <= MOST_NAME and name.isprintable() and " " not in name
