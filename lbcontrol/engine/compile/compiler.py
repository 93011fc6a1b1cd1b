"""A decision as one kind of client needs it: forms, and which kinds may share them."""

from __future__ import annotations

import math
from collections.abc import Hashable

from lbcontrol.engine.compile import routes
from lbcontrol.engine.compile.capabilities import Capabilities
from lbcontrol.engine.compile.clusters import cluster
from lbcontrol.engine.compile.localities import localities
from lbcontrol.model.assignment import EVERYONE, Assignment, Decision
from lbcontrol.model.rendering import EndpointsForm, Form, ListenerForm, ResourceType, RouteForm
from lbcontrol.model.services import MAX_NAME_BYTES, Drop, PolicySpec

NO_DOMAIN = "lb310.invalid"
"""A host that nobody asks for: the top-level domain is reserved by RFC 2606."""


def share_key(capabilities: Capabilities, type: ResourceType) -> Hashable:  # noqa: A002  (field's term)
    """Return what the forms of a type depend on: equal keys give equal forms for equal decisions."""
    one = capabilities
    if type is ResourceType.LISTENER:
        return (one.listeners, one.namespace)
    if type is ResourceType.CLUSTER:
        return (one.carrier, one.policies, one.enums, one.locality_weights, one.http2, one.ring_sizes, one.spills)
    if type is ResourceType.ENDPOINTS:
        sizes = (one.max_localities, one.few_localities)
        return (one.carrier, one.locality_weights, one.drain, sizes, one.spills, one.one_drop)
    return None


def one_drop(drops: tuple[Drop, ...]) -> tuple[Drop, ...]:
    """Return drops as one category that lets through as many calls as they do one after another."""
    if len(drops) < 2:
        return drops
    kept = math.prod(1 - drop.percent / 100 for drop in drops)
    return (Drop("+".join(drop.category for drop in drops), 100 * (1 - kept)),)


def _endpoints(assignment: Assignment, capabilities: Capabilities, previous: Form | None) -> EndpointsForm:
    policy = assignment.policy
    carrier, made = localities(
        assignment.endpoints,
        capabilities,
        asked=policy.load_balancer.type,
        previous=previous if isinstance(previous, EndpointsForm) else None,
    )
    drops = one_drop(policy.drops) if capabilities.one_drop else policy.drops
    return EndpointsForm(assignment.service, made, drops=drops, carrier=carrier.value, no_spill=capabilities.spills)


def forms(
    decision: Decision,
    type: ResourceType,  # noqa: A002  (field's term)
    *,
    cohort: str,
    capabilities: Capabilities,
    previous: Form | None,
) -> tuple[Form, ...]:
    """Return what clients with these capabilities are told of one service.

    Args:
        decision: of the service's owner.
        type: CLUSTER, ENDPOINTS and ROUTE give one form, named as the service; LISTENER one for the service and one for
            each alias, none to kinds that take no listeners. A removed service has no forms, nor has a type that is not
            compiled (the native API encodes decisions itself).
        cohort: key of the assignment; everyone's stands in for one that is gone.
        capabilities: of the kind of client.
        previous: what was published for ENDPOINTS last; keeps weight classes calm and unchanged localities the same
            objects.
    """
    if decision.removed:
        return ()
    assignment = decision.assignments.get(cohort) or decision.assignments[EVERYONE]
    if type is ResourceType.CLUSTER:
        return (cluster(decision.service, assignment.policy, capabilities=capabilities),)
    if type is ResourceType.ENDPOINTS:
        return (_endpoints(assignment, capabilities, previous),)
    if type is ResourceType.ROUTE:
        return (routes.route(decision, assignment.policy),)
    if type is ResourceType.LISTENER and capabilities.listeners:
        return routes.listeners(decision, capabilities.namespace)
    return ()


def stand_in(
    name: str,
    type: ResourceType,  # noqa: A002  (field's term)
    *,
    capabilities: Capabilities,
) -> Form | None:
    """Return what a kind with ``stand_in`` is told of a name nobody serves, so that its calls fail at once.

    A kind with ``stand_in_words`` gets routes whose name is the error, and no host in them that fits. A cluster that a
    rule names and nobody serves is one without endpoints: a client that waited for it would hold back every call of the
    route for 15 s, also those for other clusters (measured 2026-11-25: grpcio 1.85.3, grpc-go 1.85.0, grpc-js-xds).
    """
    if type is ResourceType.LISTENER:
        words = f'LB310: nobody serves "{name}"'
        shown = capabilities.stand_in_words and len(words.encode()) <= MAX_NAME_BYTES
        return ListenerForm(name, words if shown else name)
    if type is ResourceType.ROUTE:
        return RouteForm(name, (), domain=NO_DOMAIN if capabilities.stand_in_words else "*")
    if type is ResourceType.CLUSTER:
        return cluster(name, PolicySpec(), capabilities=capabilities)
    return EndpointsForm(name, ()) if type is ResourceType.ENDPOINTS else None
