"""LRS: long reports of nothing but counts are read by column, and mean the same as read one by one."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.endpoint.v3 import load_report_pb2
from envoy.service.load_stats.v3 import lrs_pb2
from hypothesis import given
from hypothesis import strategies as st

from lbcontrol.frontends.lrs.counted import Counted
from lbcontrol.frontends.lrs.outline import FURTHER, SHORT_BYTES, counts_only
from lbcontrol.frontends.lrs.reading import Given, samples_of
from lbcontrol.frontends.native_ports import LoadSample, NativeLimits
from lbcontrol.model.endpoints import Address

ADDRESSES = {f"10.0.0.{n}:1": Address.parse(f"10.0.0.{n}:1") for n in range(20)}
MOST = 2**64 - 1
Place = tuple[int, int, int, int]
"""Number of the endpoint, and requests that ended well, failed, and are under way."""


def place_of(number: int, well: int, failed: int, in_flight: int) -> Any:
    """Return the counts of one locality."""
    return load_report_pb2.UpstreamLocalityStats(
        locality={"sub_zone": f"10.0.0.{number}:1"},
        total_successful_requests=well,
        total_error_requests=failed,
        total_requests_in_progress=in_flight,
    )


def places(count: int) -> list[Any]:
    """Return so many localities, each of another endpoint."""
    return [place_of(number, 100 + number, number % 3, number % 2) for number in range(count)]


def both(stats: list[Any], interval: float) -> tuple[list[LoadSample], list[LoadSample], list[str], list[str]]:
    """Return samples by column and one by one, and the reasons of those that were dropped."""
    quick, slow = (Given(interval, ADDRESSES, [], NativeLimits()) for _ in range(2))
    columns = list(samples_of(stats, quick, counts_only=True))
    return columns, list(samples_of(stats, slow, counts_only=False)), quick.refused, slow.refused


@given(
    st.lists(
        st.tuples(
            st.integers(0, 21),
            st.one_of(st.integers(0, 300), st.integers(0, MOST)),
            st.one_of(st.just(0), st.integers(0, MOST)),
            st.integers(0, MOST),
        ),
        max_size=30,
    ),
    st.sampled_from([1.0, 0.25, 0.0, -1.0, 1e300]),
)
def test_columns_say_what_single_samples_say(given_places: list[Place], interval: float) -> None:
    """The same samples in the same order, and the same reasons for those that are dropped."""
    columns, single, quick, slow = both([place_of(*each) for each in given_places], interval)
    assert columns == single
    assert quick == slow


def test_long_good_report_is_kept_as_columns() -> None:
    """They can be counted, picked and cut like any sequence of samples."""
    read = samples_of(places(20), Given(2.0, ADDRESSES, [], NativeLimits()), counts_only=True)
    assert isinstance(read, Counted)
    assert (len(read), read[2].rps, read[2].eps, read[-1].in_flight) == (20, 52.0, 1.0, 1)
    assert read[1:3] == [read[1], read[2]]
    with pytest.raises(IndexError):
        read[20]


@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("number", [0, 10, 19])
def test_anything_besides_counts_is_seen_wherever_it_is(name: str, number: int) -> None:
    """Even an empty message, in any locality of any cluster, and also when the next cluster has none."""
    stats = places(20)
    message = lrs_pb2.LoadStatsRequest(
        cluster_stats=[{"cluster_name": name, "upstream_locality_stats": stats} for name in "abc"]
    )
    assert counts_only(message.SerializeToString())
    field = getattr(message.cluster_stats[1].upstream_locality_stats[number], name)
    if hasattr(field, "add"):
        field.add()
    else:
        field.SetInParent()
    assert not counts_only(message.SerializeToString())


def test_short_report_is_not_looked_at_twice() -> None:
    """Reading it one by one is cheaper, whatever it says."""
    short = lrs_pb2.LoadStatsRequest(cluster_stats=[{"cluster_name": "a", "upstream_locality_stats": places(1)}])
    assert len(short.SerializeToString()) <= SHORT_BYTES
    assert not counts_only(short.SerializeToString())
