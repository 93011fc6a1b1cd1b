"""Pure steps of the assignment pipeline: ``step(state, inputs, now, rng) -> (state, output)``.

Belongs here: arithmetic on endpoints, one file a step; the steps work on columns (one value per endpoint, all in the
order ``merge`` gave), so that a pass over 10,000 endpoints is a handful of list comprehensions.
Does not belong here: state kept between calls, I/O, clocks. A step with nothing to do yet (guards, subset) has no file;
explanations record that it did nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

POLICIES: Mapping[str, str] = MappingProxyType(
    {
        "merge": "lbcontrol.policies.merge:step",
        "health": "lbcontrol.policies.health:step",
        "locality": "lbcontrol.policies.locality:step",
        "weights": "lbcontrol.policies.weights:step",
        "policy": "lbcontrol.policies.client_policy:step",
    }
)
"""Step by name in the words of explanations, in the order of the pipeline: ``module:function``."""
