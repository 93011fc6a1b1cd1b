"""Connections are counted in all and by address, and never beyond the process's descriptors."""

from __future__ import annotations

import resource

import pytest

from lbcontrol.transport.http2.seats import LEAST, SPARE_DESCRIPTORS, Seats, affordable


def test_seats_are_given_back() -> None:
    """The third is one too many for the address, the fourth for all; a seat that is freed can be taken."""
    seats = Seats(3, per_address=2)
    assert [seats.take("a"), seats.take("a"), seats.take("a")] == ["", "", "connections_per_address"]
    assert [seats.take(""), seats.take("b")] == ["", "connections"]
    seats.free("a")
    assert [seats.take("b"), seats.take("")] == ["", "connections"]


@pytest.mark.parametrize(
    ("soft", "wanted", "allowed"),
    [
        (20_000, 30_000, 20_000 - SPARE_DESCRIPTORS),
        (20_000, 5, 5),
        (100, 30_000, LEAST),
        (100, 5, 5),
        (resource.RLIM_INFINITY, 30_000, 30_000),
    ],
)
def test_descriptors_bound_the_connections(
    soft: int, wanted: int, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are left for files; few descriptors still allow some connections, for the accept loop copes."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert affordable(wanted) == allowed
