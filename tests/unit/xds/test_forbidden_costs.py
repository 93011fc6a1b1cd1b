"""A name that may not be read costs what one costs that nobody has: neither time nor memory tells them apart."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from lbcontrol.engine import events
from tests.support.builders import endpoint, snapshot, updated
from tests.support.spine import Spine

FORBIDDEN, UNKNOWN = "vault", "voids"
"""Of one length."""


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the calls of Python functions."""
    calls = [0]

    def note(frame: FrameType, what: str, _: object) -> None:
        del frame
        calls[0] += what == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("variant", ["sotw", "delta"])
@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go", "grpc-node", "envoy", "unknown"])
def test_forbidden_costs_what_unknown_costs(kind: str, variant: str) -> None:
    """Nothing of the service is made for the client, and as many steps lead to the answer, give or take a fifth."""
    world = Spine(denied=[FORBIDDEN])
    world.feed(updated(snapshot([endpoint(n) for n in range(200)], service=FORBIDDEN)), events.SourceSynced("one"))
    costs = {}
    for _ in range(2):  # The first time something is made for all.
        for name in (FORBIDDEN, UNKNOWN):
            with counted() as calls:
                client = world.client(kind, name, variant=variant)
                world.rest()
                client.read()
                client.close()
            costs[name] = calls[0]
    assert world.publisher._parts.cache._entries == {}
    assert costs[FORBIDDEN] == pytest.approx(costs[UNKNOWN], rel=0.2)
