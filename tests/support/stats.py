"""Statistics that judge a measured split of calls against the wanted weights (stdlib only)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_TIE = 1e-7


def _log_pmf(k: int, n: int, p: float) -> float:
    """Natural logarithm of the binomial probability of `k` hits in `n` calls."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def binomial_two_sided(k: int, n: int, p: float) -> float:
    """Exact two-sided p-value: total probability of all outcomes no likelier than `k`.

    Raises ValueError unless 0 <= k <= n and 0 < p < 1.
    """
    if not 0 <= k <= n or not 0.0 < p < 1.0:
        raise ValueError(f"need 0 <= k <= n and 0 < p < 1, got k={k} n={n} p={p}")
    limit = _log_pmf(k, n, p) + _TIE
    logs = (_log_pmf(i, n, p) for i in range(n + 1))
    return min(1.0, math.fsum(math.exp(value) for value in logs if value <= limit))


@dataclass(frozen=True, slots=True)
class Share:
    """One backend's measured share: counts, relative error (0.08 is 8 %) and p-value."""

    name: str
    seen: int
    wanted: float
    error: float
    p_value: float

    def __str__(self) -> str:
        """One printable line for the test's output."""
        return f"{self.name}: seen {self.seen} wanted {self.wanted:.0f} error {self.error:+.1%} p {self.p_value:.2g}"


def shares(seen: Mapping[str, int], weights: Mapping[str, int]) -> list[Share]:
    """Compare call counts with weights; a backend that is not in `weights` is an error."""
    strangers = sorted(name for name, n in seen.items() if n and name not in weights)
    if strangers:
        raise ValueError(f"calls arrived at backends outside the weights: {strangers}")
    total, weight_sum = sum(seen.values()), sum(weights.values())
    if not total:
        raise ValueError("no call was counted")
    result = []
    for name, weight in weights.items():
        p = weight / weight_sum
        hits = seen.get(name, 0)
        error = hits / (p * total) - 1.0
        result.append(Share(name, hits, p * total, error, binomial_two_sided(hits, total, p)))
    return result


def assert_split(seen: Mapping[str, int], weights: Mapping[str, int], *, p_min: float = 1e-6) -> list[Share]:
    """Print every share with its error, then fail if one is unlikelier than `p_min`.

    The 8 % figure is printed, not judged: at weight 1 of 8 noise alone passes it now and then.
    """
    found = shares(seen, weights)
    for share in found:
        print(share, "(over 8 %)" if abs(share.error) > 0.08 else "")
    bad = [str(share) for share in found if share.p_value < p_min]
    assert not bad, f"split refuted by the binomial test: {bad}"
    return found
