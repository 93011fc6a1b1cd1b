"""Cluster forms: which client policies a kind is offered, and what else it must be told to obey."""

from __future__ import annotations

from lbcontrol.engine.compile.capabilities import Capabilities
from lbcontrol.engine.compile.client_table import Carrier
from lbcontrol.model.rendering import Balancer, ClusterForm
from lbcontrol.model.services import LoadBalancerType, PolicySpec

LISTS = {
    LoadBalancerType.ROUND_ROBIN: (Balancer.ROUND_ROBIN_ENUM,),
    LoadBalancerType.RING_HASH: (Balancer.RING_HASH, Balancer.WRR_LOCALITY_ROUND_ROBIN),
    LoadBalancerType.LEAST_REQUEST: (Balancer.LEAST_REQUEST, Balancer.WRR_LOCALITY_ROUND_ROBIN),
    LoadBalancerType.PICK_FIRST: (Balancer.PICK_FIRST, Balancer.WRR_LOCALITY_ROUND_ROBIN),
    LoadBalancerType.CLIENT_WEIGHTED: (Balancer.WRR_LOCALITY_CLIENT_WEIGHTED, Balancer.WRR_LOCALITY_ROUND_ROBIN),
}
"""What gRPC clients are offered. Round robin is the enum, the simplest form: all four languages accept it in every
version and mean wrr_locality[round_robin] by it. Every list ends with what they all have."""

ENUMS = {
    LoadBalancerType.ROUND_ROBIN: (Balancer.ROUND_ROBIN_ENUM,),
    LoadBalancerType.RING_HASH: (Balancer.RING_HASH_ENUM,),
    LoadBalancerType.LEAST_REQUEST: (Balancer.LEAST_REQUEST_ENUM,),
    LoadBalancerType.CLIENT_WEIGHTED: (Balancer.WRR_LOCALITY_CLIENT_WEIGHTED,),
}
"""What Envoy is offered. It rejects wrr_locality[round_robin], so that its one list stands without a second entry."""


def cluster(name: str, policy: PolicySpec, *, capabilities: Capabilities) -> ClusterForm:
    """Return the cluster of service ``name``, whose endpoints come by EDS."""
    asked = policy.load_balancer.type
    balancers = (ENUMS if capabilities.enums else LISTS)[capabilities.policy(asked)]
    on_locality = capabilities.carrier_under(asked) in (Carrier.LOCALITY, Carrier.REAL)
    return ClusterForm(
        name,
        balancers,
        balancer=policy.load_balancer,
        locality_weighted=on_locality and not capabilities.locality_weights and balancers[0].is_enum,
        http2=capabilities.http2,
        connect_timeout=policy.connect_timeout,
        max_requests=policy.max_requests,
        ring_sizes=capabilities.ring_sizes,
        no_panic=capabilities.spills,
    )
