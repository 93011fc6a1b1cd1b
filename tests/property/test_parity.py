"""One state, several protocols: the native API and xDS clients of every kind get the same shares."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from fractions import Fraction

import pytest
from envoy.config.endpoint.v3 import endpoint_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from lookaside.api.lbcontrol.v1 import common_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.engine import events
from lbcontrol.frontends.native import NativeFrontEnd, NativeParts
from lbcontrol.frontends.native_ports import NativeLimits
from lbcontrol.model.endpoints import Endpoint, Health
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.runtime.directory import Directory
from tests.support.builders import endpoint
from tests.support.spine import Spine
from tests.unit.frontends.fakes import PEER, MemoryLoads, MemoryRegistrar

Shares = Mapping[int, Mapping[str, Fraction]]
"""Of the calls of each priority, by host."""
SERVING = (Health.SERVING, Health.UNKNOWN)
ENDPOINTS = st.lists(
    st.builds(
        lambda number, weight, health, priority: endpoint(number, weight=weight, health=health, priority=priority),
        st.integers(0, 40),
        st.integers(1, 1000),
        st.sampled_from([*SERVING, *SERVING, Health.DRAINING, Health.NOT_SERVING]),
        st.sampled_from([0, 0, 0, 2, 7]),
    ),
    max_size=12,
    unique_by=lambda each: each.address,
)


def shares(weights: Mapping[tuple[int, str], Fraction]) -> Shares:
    """Return shares within each priority, from weights by priority and host."""
    found: dict[int, dict[str, Fraction]] = {}
    for (priority, host), weight in weights.items():
        total = sum(each for (other, _), each in weights.items() if other == priority)
        found.setdefault(priority, {})[host] = weight / total
    return found


def of_xds(body: bytes, *, by_endpoint: bool) -> Shares:
    """Return what a client that reads locality or endpoint weights makes of a list."""
    read = endpoint_pb2.ClusterLoadAssignment.FromString(body)
    weights: dict[tuple[int, str], Fraction] = {}
    for group in read.endpoints:
        members = [each for each in group.lb_endpoints if each.health_status in (0, 1)]
        for each in members:
            alone = Fraction(group.load_balancing_weight.value, len(members))
            weight = Fraction(each.load_balancing_weight.value) if by_endpoint else alone
            weights[group.priority, each.endpoint.address.socket_address.address] = weight
    return shares(weights)


def of_native(spine: Spine, directory: Directory) -> Shares:
    """Return what GetAssignment says."""
    limits = NativeLimits()
    loads, registrar = MemoryLoads(), MemoryRegistrar()
    front = NativeFrontEnd(NativeParts(directory, spine.permits, loads, registrar, spine.clock, limits, ()))
    method = next(each for each in front.methods() if each.path.endswith("/GetAssignment"))
    asked = pb.GetAssignmentRequest(service="greeter").SerializeToString()

    async def ask() -> bytes:
        assert method.unary is not None
        return await method.unary(asked, PEER, {})

    assignment = pb.GetAssignmentResponse.FromString(asyncio.run(ask())).assignment
    return shares(
        {
            (each.priority, each.address.rpartition(":")[0]): Fraction(each.weight)
            for each in assignment.endpoints
            if each.health in (common_pb2.HEALTH_SERVING, common_pb2.HEALTH_UNKNOWN)
        }
    )


@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go", "grpc-node", "unknown", "envoy"])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(endpoints=ENDPOINTS)
def test_every_client_gets_the_shares_of_the_native_api(kind: str, endpoints: list[Endpoint]) -> None:
    """Priorities, who takes calls, and each one's part of them, to the last digit."""
    spine = Spine()
    directory = Directory(spine, spine.clock, metrics=spine.metrics)
    spine.listen(directory.receive)
    snapshot = ServiceSnapshot("greeter", "one", endpoints=tuple(endpoints))
    spine.feed(events.SourceUpdated("one", (snapshot,)), events.SourceSynced("one"))
    client = spine.client(kind, *(["greeter"] if kind.startswith("grpc") else []))
    spine.rest()
    client.read()
    told = of_xds(client.held["EDS"]["greeter"], by_endpoint=kind == "envoy")
    assert told == of_native(spine, directory)
