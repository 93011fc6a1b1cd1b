"""The lbcontrol API as messages.

``lookaside.api.lbcontrol.v1`` is generated from ``protos/``, and ``METHODS`` lists its RPCs.

Belongs here: generated messages and what follows from their descriptors. Does not belong here: calls, channels, grpc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from lookaside.api.lbcontrol.v1 import admin_service_pb2, lookaside_service_pb2

SERVICE_FILES: tuple[FileDescriptor, ...] = (lookaside_service_pb2.DESCRIPTOR, admin_service_pb2.DESCRIPTOR)
"""The files that declare our services."""


@dataclass(frozen=True, slots=True)
class ApiMethod:
    """One RPC of our API: what a caller or a server needs to speak it, without generated grpc code."""

    path: str
    """``/package.Service/Method``."""
    request: type[Message]
    """Message the client sends."""
    response: type[Message]
    """Message the server sends."""
    client_streaming: bool
    """True when the client may send any number of requests."""
    server_streaming: bool
    """True when the server may send any number of responses."""


def _method(method: MethodDescriptor) -> ApiMethod:
    return ApiMethod(
        path=f"/{method.containing_service.full_name}/{method.name}",
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )


def _methods() -> Iterator[ApiMethod]:
    for file in SERVICE_FILES:
        for service in file.services_by_name.values():
            yield from map(_method, service.methods)


METHODS: Mapping[str, ApiMethod] = MappingProxyType({method.path: method for method in _methods()})
"""Every RPC of our API by its path; derived from the descriptors, so that it cannot disagree with them."""
