"""Weights where gRPC clients use the product of locality and endpoint weight: ring_hash and pick_first.

Older clients multiply the two as they are (gRFC A42), newer ones multiply the locality's share of its priority and the
endpoint's share of its locality (gRFC A113; on by default in grpc-go 1.85.0, measured 2026-11-23). With endpoint
weights e and locality weights l both rules give an endpoint the share of its weight w exactly when all localities of a
priority have the same sum E of endpoint weights: e = w * E / S and l ~ S, where S is the locality's own sum of w. Then
l * e ~ w, and so is (l / sum of l) * (e / E).

C-core keeps the product in a signed number of 32 bits and forgets an endpoint whose product is 2^31 or more (measured
2026-11-24, grpcio 1.85.3), so E = 2^20 and all l add up to less than 2^11.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

ENDPOINT_PARTS = 2**20
"""What endpoint weights of a locality add up to, where a priority has several localities."""
LOCALITY_PARTS = 2**11 - 64
"""What locality weights of a priority add up to, where it has several; the rest is for rounding up to 1."""
MOST = 2**31 - 1
"""Greatest product that C-core reads."""


def endpoint_parts(weights: Sequence[int], total: int, *, alone: bool) -> list[int]:
    """Return endpoint weights of one locality that add up to about ``ENDPOINT_PARTS``; each at least 1.

    Args:
        weights: of the locality's endpoints.
        total: sum over those that take new work; the others count for nothing.
        alone: no other locality in the priority; then weights that fit stay as they are.
    """
    if alone and max(weights) <= MOST:
        return list(weights)
    return [max(1, round(weight * ENDPOINT_PARTS / total)) for weight in weights]


def locality_parts(sums: Mapping[K, int]) -> dict[K, int]:
    """Return locality weights of one priority; a single locality needs none, so its product stays small."""
    total = sum(sums.values())
    parts = LOCALITY_PARTS if len(sums) > 1 else 1
    return {key: max(1, round(weight * parts / total)) for key, weight in sums.items()}
