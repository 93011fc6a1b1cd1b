"""The control plane as the demo's operator reaches it: assignments, drains, weights."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf.message import Message
from lookaside.api import METHODS
from lookaside.api.lbcontrol.v1 import admin_service_pb2, assignment_pb2, common_pb2, lookaside_service_pb2

from lbcontrol.app.demo.options import SERVICE

TIMEOUT = 5.0
"""Seconds for one question."""
WHO = "demo"


async def _ask(listener: str, path: str, request: Message, *, wait: bool = False) -> Message:
    method = METHODS[path]
    async with grpc.aio.insecure_channel(listener) as channel:
        call = channel.unary_unary(
            path, request_serializer=method.request.SerializeToString, response_deserializer=method.response.FromString
        )
        answer: Message = await call(request, timeout=TIMEOUT, wait_for_ready=wait)
        return answer


async def assignment(listener: str, *, wait: bool = False) -> assignment_pb2.Assignment:
    """Return what the demo's clients are told now; raises AioRpcError when the control plane does not answer."""
    request = lookaside_service_pb2.GetAssignmentRequest(service=SERVICE)
    answer = await _ask(listener, "/lbcontrol.v1.LookasideService/GetAssignment", request, wait=wait)
    assert isinstance(answer, lookaside_service_pb2.GetAssignmentResponse)  # noqa: S101  for the type checker
    return answer.assignment


def wanted(told: assignment_pb2.Assignment) -> Mapping[str, float]:
    """Return each endpoint's share of new calls, 0 to 1."""
    takes = [e for e in told.endpoints if e.health in (common_pb2.HEALTH_SERVING, common_pb2.HEALTH_UNKNOWN)]
    total = sum(endpoint.weight for endpoint in takes)
    return {endpoint.address: endpoint.weight / total for endpoint in takes}


async def drain(listener: str, address: str) -> None:
    """Stop new calls to a backend."""
    request = admin_service_pb2.DrainRequest(service=SERVICE, address=address, reason=WHO)
    await _ask(listener, "/lbcontrol.v1.AdminService/Drain", request)


async def undrain(listener: str, address: str) -> None:
    """Take a drain back."""
    request = admin_service_pb2.UndrainRequest(service=SERVICE, address=address, reason=WHO)
    await _ask(listener, "/lbcontrol.v1.AdminService/Undrain", request)


async def set_weight(listener: str, address: str, *, weight: int | None) -> None:
    """Replace a backend's weight, or take that back."""
    request = admin_service_pb2.SetWeightRequest(service=SERVICE, address=address, weight=weight, reason=WHO)
    await _ask(listener, "/lbcontrol.v1.AdminService/SetWeight", request)
