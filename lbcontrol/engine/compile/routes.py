"""Route and listener forms: from the name a client asked for to the clusters its calls are split over."""

from __future__ import annotations

from lbcontrol.model.assignment import Decision
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM
from lbcontrol.model.namespaces import bare
from lbcontrol.model.rendering import ListenerForm, RouteForm
from lbcontrol.model.services import LoadBalancerType, PolicySpec, RouteRule


def backends(service: str, rules: tuple[RouteRule, ...]) -> tuple[tuple[str, int], ...]:
    """Return who gets the calls, with weights at least 1; empty when a rule gives all of them weight 0.

    Rules have no matches yet, so the first takes every call. Without rules the service itself does.
    """
    if not rules:
        return ((service, 1),)
    weights: dict[str, int] = {}
    for ref in rules[0].backends:
        weights[ref.service] = weights.get(ref.service, 0) + ref.weight
    total = sum(weights.values())
    if total > MAX_WEIGHT_SUM:
        room = MAX_WEIGHT_SUM - len(weights)
        weights = {name: weight and max(1, weight * room // total) for name, weight in weights.items()}
    return tuple((name, weight) for name, weight in weights.items() if weight)


def route(decision: Decision, policy: PolicySpec) -> RouteForm:
    """Return the routes of a service."""
    balancer = policy.load_balancer
    return RouteForm(
        decision.service,
        backends(decision.service, decision.rules),
        timeout=policy.timeout,
        hash_header=balancer.hash_header if balancer.type is LoadBalancerType.RING_HASH else "",
    )


def listeners(decision: Decision, namespace: str = "") -> tuple[ListenerForm, ...]:
    """Return a listener for the service and one for each alias, in the order given.

    Clients of the service's ``namespace`` have one more for each name that they need not qualify.
    """
    full = (decision.service, *decision.aliases)
    short = (bare(name, namespace) for name in full) if namespace else ()
    return tuple(ListenerForm(name, decision.service) for name in dict.fromkeys((*full, *filter(None, short))))
