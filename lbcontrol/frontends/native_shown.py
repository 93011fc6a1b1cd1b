"""What operators see of clients of the native API: how each stands, and exactly what it was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lbcontrol.frontends.admin_ports import ClientView, SubscriptionView, Told, ToldEndpoint, ToldResource
from lbcontrol.frontends.native_encode import Encoded
from lbcontrol.frontends.native_ports import NativeClient, NativeSubscription
from lbcontrol.frontends.native_watch import WatchStream
from lbcontrol.model.assignment import Assignment
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import ResourceType

CARRIER = "native"
"""How these clients get weights."""


def client_view(client: NativeClient, now: float) -> ClientView:
    """Return how a client stands."""
    subscriptions = tuple(_subscription(each, now) for each in client.subscriptions)
    return ClientView(client.profile, client.peer, "native", CARRIER, now - client.opened_at, subscriptions)


def told(streams: Iterable[WatchStream], view: ClientView, *, service: str) -> Told:
    """Return what a client was sent of a service.

    Raises:
        NotFoundError: it is gone, or was sent nothing of the service (LB312).
    """
    subscription = next((each for each in view.subscriptions if each.service == service), None)
    stream = next((each for each in streams if _is_of(each.view(), view)), None)
    encoded = stream.sent(service) if stream is not None else None
    if subscription is None or encoded is None:
        what = f'client "{view.id}" was sent nothing of "{service}"'
        raise NotFoundError(Finding("LB312", what, do="lbcontrol clients"))
    resource = ToldResource(ResourceType.ASSIGNMENT.value, service, encoded.message.version, encoded.body)
    return Told(subscription, _endpoints(encoded, view.profile), (resource,))


def _is_of(client: NativeClient, view: ClientView) -> bool:
    return client.peer == view.peer and client.profile == view.profile


def _subscription(each: NativeSubscription, now: float) -> SubscriptionView:
    return SubscriptionView(
        service=each.sent.service if each.sent is not None else each.name,
        sent=each.sent.mark if each.sent is not None else None,
        acknowledged=each.acknowledged_mark,
        behind=None if each.since is None else max(0.0, now - each.since),
        rejection=each.rejection,
    )


def _endpoints(encoded: Encoded, profile: ClientProfile) -> tuple[ToldEndpoint, ...]:
    decision = encoded.decision
    assignment = decision.assignments[decision.cohort_for(profile.locality)]
    shares = shares_of(assignment)
    return tuple(
        ToldEndpoint(
            each.address, each.health, each.weight, share, each.locality, each.priority, f"weight {each.weight}"
        )
        for each, share in zip(assignment.endpoints, shares, strict=True)
    )


def shares_of(assignment: Assignment) -> list[float]:
    """Return the share of new calls, 0 to 1, of each endpoint of an assignment, in its order."""
    sums: Counter[int] = Counter()
    for each in assignment.endpoints:
        sums[each.priority] += each.weight if each.health.takes_new_work else 0
    return [
        each.weight / sums[0] if each.priority == 0 and each.health.takes_new_work else 0.0
        for each in assignment.endpoints
    ]
