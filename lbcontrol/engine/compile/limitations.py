"""What a client policy cannot do, said to who asks for it: in ``why``, ``validate`` and as a condition."""

from __future__ import annotations

from lbcontrol.engine.compile.capabilities import KINDS, Capabilities, capabilities_for
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import LoadBalancerType, PolicySpec

NEWEST = "9999.0"
"""A version that every row without an end covers."""

WEIGHTS = {
    LoadBalancerType.RING_HASH: (
        "the weights of {name} reach stock gRPC clients as pieces of a ring, up to 20 % off",
        "ring_hash places endpoints on a ring by their weight; 500 endpoints had 0.78 to 1.10 of their share",
    ),
    LoadBalancerType.LEAST_REQUEST: (
        "the weights of {name} do not reach stock gRPC clients under LeastRequest",
        "least_request counts calls in flight and reads no weights",
    ),
    LoadBalancerType.PICK_FIRST: (
        "the weights of {name} decide under PickFirst at most where a channel connects, not where its calls go",
        "pick_first sends all calls of a channel to one endpoint",
    ),
    LoadBalancerType.CLIENT_WEIGHTED: (
        "the weights of {name} reach stock gRPC clients under ClientWeighted only as sums of localities",
        "client_side_weighted_round_robin weighs endpoints by the load their backends report (ORCA)",
    ),
}
"""Per client policy: what is lost of central weights, and why."""


def _newest() -> tuple[Capabilities, ...]:
    return tuple(capabilities_for(ClientProfile(kind=kind, version=NEWEST)) for kind in KINDS)


def limitations(policy: PolicySpec, *, name: str = "the service") -> tuple[Finding, ...]:
    """Return what this policy's client policy does not do, as warnings; none for RoundRobin.

    LB307: central weights do not reach stock gRPC clients as they are. LB308: some kinds lack the policy, and run round
    robin over real localities instead.
    """
    asked = policy.load_balancer.type
    if asked is LoadBalancerType.ROUND_ROBIN:
        return ()
    what, why = WEIGHTS[asked]
    do = "use loadBalancer.type RoundRobin where shares must follow weights"
    lacking = ", ".join(one.kind for one in _newest() if asked not in one.policies)
    return (
        Finding("LB307", what.format(name=name), why=why, do=do, severity=Severity.WARNING),
        Finding(
            "LB308",
            f"{asked} is not there in every client of {name}: {lacking} run RoundRobin instead",
            why="see docs/reference/clients.md for who has it from which version on",
            effect="those clients share calls out between localities by the sum of their weights",
            severity=Severity.WARNING,
        ),
    )
