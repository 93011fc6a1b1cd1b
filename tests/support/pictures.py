"""Hypothesis strategies for what sources and operators may say of a service."""

from __future__ import annotations

from hypothesis import strategies as st

from lbcontrol.engine.case import Picture
from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Endpoint, Health, Locality
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.model.services import PolicyClaim, PolicyRank, PolicySpec, ServiceSnapshot
from lbcontrol.policies.merge import LAST_GOOD
from tests.support.builders import address

ADDRESSES = 8
"""So few that sources and operators often mean the same endpoint."""

small_weights = st.integers(1, 9)
weights = small_weights | st.sampled_from([MAX_WEIGHT_SUM, MAX_WEIGHT_SUM - 1, MAX_WEIGHT_SUM // 2, 2**31])
addresses = st.integers(0, ADDRESSES - 1).map(address)
localities = st.builds(Locality, st.sampled_from(["", "r1", "r2"]), st.sampled_from(["", "a", "b"]), st.just(""))


def endpoints(weight: st.SearchStrategy[int] = weights) -> st.SearchStrategy[Endpoint]:
    """Return endpoints at few addresses, mostly in the first tier."""
    return st.builds(
        Endpoint,
        addresses,
        weight,
        localities,
        st.sampled_from([0, 0, 0, 0, 1, 2, 5]),
        st.sampled_from(Health),
        st.sampled_from(["", "a.yaml:4", "b.yaml:4"]),
    )


claims = st.builds(
    PolicyClaim,
    st.builds(PolicySpec, prefer_zone=st.booleans(), timeout=st.sampled_from([None, 1.0])),
    st.sampled_from(PolicyRank),
    st.sampled_from(["x", "y"]),
    st.sampled_from([0.0, 1.0]),
)


def snapshots(
    source: str, weight: st.SearchStrategy[int] = weights, *, service: str = "greeter"
) -> st.SearchStrategy[ServiceSnapshot]:
    """Return what one source may say of one service."""
    return st.builds(
        ServiceSnapshot,
        st.just(service),
        st.just(source),
        st.sampled_from(["1", "2"]),
        st.lists(endpoints(weight), max_size=ADDRESSES).map(tuple),
        st.lists(st.sampled_from(["g", "h"]), max_size=2, unique=True).map(tuple),
        st.lists(claims, max_size=2).map(tuple),
        defines=st.sampled_from([True, True, True, False]),
    )


def overrides(service: str = "greeter") -> st.SearchStrategy[Override]:
    """Return what an operator may say."""
    drains = st.builds(Override, st.just(service), addresses, st.just(OverrideKind.DRAIN))
    return drains | st.builds(Override, st.just(service), addresses, st.just(OverrideKind.WEIGHT), weights)


@st.composite
def pictures(draw: st.DrawFn, weight: st.SearchStrategy[int] = weights) -> Picture:
    """Return pictures of a service that exists, by up to three sources, the last one perhaps ``last-good``."""
    names = draw(st.sampled_from([("one",), ("one", "two"), ("one", "two", LAST_GOOD), ("one", LAST_GOOD)]))
    found = tuple(draw(snapshots(name, weight)) for name in names)
    said = draw(st.lists(overrides(), max_size=4, unique_by=lambda override: override.key))
    return Picture("greeter", found, tuple(sorted(said, key=lambda override: override.key)))
