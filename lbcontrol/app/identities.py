"""Who may do what, and who finds out who somebody is: from the configuration to the running parts."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from lbcontrol.app.config_document import ServerDocument
from lbcontrol.app.config_rights import AuthorizationDocument, rights_of
from lbcontrol.frontends.login import HEADER, Logins, bearer_of
from lbcontrol.model.clients import Identity, Role
from lbcontrol.model.errors import LbControlError
from lbcontrol.runtime.authorization import AllowAll
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.ports import Authorizer, Scheduler
from lbcontrol.runtime.tokens import Reviewer, Tokens

REVIEWS = "lbcontrol.sources.kubernetes.reviews"
"""Imported only where it is asked for: the official client takes its time."""


def authorizer_of(document: ServerDocument) -> Authorizer:
    """Return who says who may do what: everyone all, where nothing was written."""
    if document.authorization is None and document.authentication is None:
        return AllowAll()
    return rights_of(document.authorization or AuthorizationDocument())


def logins_of(document: ServerDocument, scheduler: Scheduler, *, metrics: Metrics) -> Logins | None:
    """Return who takes tokens; None where none are taken."""
    wanted = document.authentication.kubernetes if document.authentication is not None else None
    if wanted is None:
        return None
    made = importlib.import_module(REVIEWS).reviews_of(
        wanted.audience, kubeconfig=wanted.kubeconfig, context=wanted.context
    )
    reviewer: Reviewer = made
    tokens = Tokens(reviewer, audience=wanted.audience, scheduler=scheduler, metrics=metrics)
    return Logins(tokens, scheduler, metrics=metrics)


@dataclass(frozen=True, slots=True)
class Inspectors:
    """Who may see figures and details on the probe listener."""

    authorizer: Authorizer
    logins: Logins | None

    async def __call__(self, authorization: str | None, host: str) -> bool:
        """Return whether a caller with such an Authorization header has the role inspect."""
        identity = Identity()
        try:
            token = None if authorization is None else bearer_of({HEADER: authorization})
            if token is not None and self.logins is not None:
                identity = (await self.logins.tokens.identify(token, host)).identity
        except LbControlError:
            return False
        return self.authorizer.allows(identity, Role.INSPECT, "")
