"""gRPC server reflection, v1 and v1alpha: the two are the same on the wire, so one module serves both paths."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from lbcontrol.frontends.status import INVALID_ARGUMENT_NUMBER, NOT_FOUND_NUMBER, OK, parsed, require, status_of
from lbcontrol.model.clients import Peer, Role
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.rendering import Payload
from lbcontrol.pb.grpc.reflection.v1 import reflection_pb2 as pb
from lbcontrol.runtime.ports import Authorizer, Metadata, Method, Outlet, StreamHandler

V1 = "grpc.reflection.v1"
V1ALPHA = "grpc.reflection.v1alpha"
PATHS = tuple(f"/{package}.ServerReflection/ServerReflectionInfo" for package in (V1, V1ALPHA))
"""The two paths served here."""

MAX_MESSAGE_BYTES = 65_536
"""A question is one name."""


def _add_v1alpha(pool: descriptor_pool.DescriptorPool) -> None:
    """Describe v1alpha by the text of v1 under the other package name."""
    alpha = FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    alpha.name, alpha.package = alpha.name.replace("/v1/", "/v1alpha/"), V1ALPHA
    for message in alpha.message_type:
        for field in filter(lambda each: each.type_name, message.field):
            field.type_name = field.type_name.replace(f".{V1}.", f".{V1ALPHA}.")
    for method in alpha.service[0].method:
        method.input_type = method.input_type.replace(f".{V1}.", f".{V1ALPHA}.")
        method.output_type = method.output_type.replace(f".{V1}.", f".{V1ALPHA}.")
    pool.Add(alpha)


@functools.lru_cache(maxsize=512)
def _described(file: FileDescriptor) -> bytes:
    """Return a file's descriptor with the JSON name of each field, which the generated code leaves out.

    Without them grpcurl prints and reads ``cluster_name`` where proto3's JSON says ``clusterName``.
    """
    text = FileDescriptorProto.FromString(file.serialized_pb)
    waiting = list(text.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        for field in message.field:
            head, *rest = field.name.split("_")
            field.json_name = field.json_name or head + "".join(word[:1].upper() + word[1:] for word in rest)
    return text.SerializeToString(deterministic=True)


def _closure(file: FileDescriptor) -> Iterator[bytes]:
    """Yield a file and everything it imports, each once, as serialized descriptors."""
    waiting, seen = [file], {file.name}
    while waiting:
        current = waiting.pop()
        yield _described(current)
        for imported in current.dependencies:
            if imported.name not in seen:
                seen.add(imported.name)
                waiting.append(imported)


class Catalogue:
    """Answers questions about the types behind the services of one listener."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Describe the services of these method paths."""
        self.services = sorted({path.split("/")[1] for path in (*paths, *PATHS)})
        self._pool = descriptor_pool.Default()
        self._own = descriptor_pool.DescriptorPool()
        _add_v1alpha(self._own)

    def answer(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        """Return the answer to one question; what is not known is an ErrorResponse, never an exception."""
        response = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        try:
            if kind == "list_services":
                for name in self.services:
                    response.list_services_response.service.add(name=name)
            elif kind == "all_extension_numbers_of_type":
                self._extensions(request.all_extension_numbers_of_type, response.all_extension_numbers_response)
            elif kind is not None:
                response.file_descriptor_response.file_descriptor_proto.extend(_closure(self._file(kind, request)))
            else:
                response.error_response.error_code = INVALID_ARGUMENT_NUMBER
                response.error_response.error_message = "nothing was asked"
        except KeyError:
            response.error_response.error_code = NOT_FOUND_NUMBER
            response.error_response.error_message = "no such name"
        return response

    def _file(self, kind: str, request: pb.ServerReflectionRequest) -> FileDescriptor:
        if kind == "file_by_filename":
            return self._by_name(request.file_by_filename)
        if kind == "file_containing_symbol":
            return self._by_symbol(request.file_containing_symbol)
        wanted = request.file_containing_extension
        extended = self._pool.FindMessageTypeByName(wanted.containing_type)
        extension = self._pool.FindExtensionByNumber(extended, wanted.extension_number)
        return self._pool.FindFileByName(extension.file.name)  # type: ignore[attr-defined]  # missing in the stubs

    def _by_name(self, name: str) -> FileDescriptor:
        try:
            return self._pool.FindFileByName(name)
        except KeyError:
            return self._own.FindFileByName(name)

    def _by_symbol(self, symbol: str) -> FileDescriptor:
        parent = symbol.rpartition(".")[0]  # A method or field is declared where its parent is.
        for name in (symbol, parent):
            for pool in (self._pool, self._own):
                try:
                    return pool.FindFileContainingSymbol(name)
                except KeyError:
                    continue
        raise KeyError(symbol)

    def _extensions(self, name: str, response: pb.ExtensionNumberResponse) -> None:
        extended = self._pool.FindMessageTypeByName(name)
        response.base_type_name = name
        response.extension_number.extend(sorted(each.number for each in self._pool.FindAllExtensions(extended)))


class ReflectionFrontEnd:
    """The reflection protocol."""

    name = "reflection"

    def __init__(self, paths: Sequence[str], authorizer: Authorizer) -> None:
        """Describe the services behind ``paths`` to those who may inspect."""
        self._catalogue = Catalogue(paths)
        self._authorizer = authorizer

    def methods(self) -> Sequence[Method]:
        """Return the one method under its two paths."""
        return [Method(path, stream=self._stream, max_message_bytes=MAX_MESSAGE_BYTES) for path in PATHS]

    def _stream(self) -> StreamHandler:
        return ReflectionStream(self._catalogue, self._authorizer)


class ReflectionStream:
    """The server's side of one call: one answer at a time; while it waits, nothing more is read."""

    def __init__(self, catalogue: Catalogue, authorizer: Authorizer) -> None:
        """Wait for ``opened``."""
        self._catalogue = catalogue
        self._authorizer = authorizer
        self._outlet: Outlet | None = None
        self._waiting: Payload | None = None
        self._half_closed = False

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin, unless the caller may not inspect."""
        del metadata
        try:
            require(self._authorizer, peer, Role.INSPECT, "")
        except LbControlError as error:
            outlet.end(status_of(error))
        else:
            self._outlet = outlet

    def received(self, message: bytes) -> None:
        """Answer one question."""
        if self._outlet is None:
            return
        try:
            answer = self._catalogue.answer(parsed(pb.ServerReflectionRequest, message))
        except LbControlError as error:
            self._outlet.end(status_of(error))
            self._outlet = None
            return
        self._waiting = Payload(answer.SerializeToString())
        self._outlet.pause_reading()
        self.writable()

    def half_closed(self) -> None:
        """The client asks nothing more: end once the last answer is out."""
        self._half_closed = True
        self.writable()

    def writable(self) -> None:
        """Send the answer that waits, then read on."""
        outlet = self._outlet
        if outlet is None:
            return
        if self._waiting is not None:
            if not outlet.offer(self._waiting):
                return
            self._waiting = None
            outlet.resume_reading()
        if self._half_closed:
            outlet.end(OK)
            self._outlet = None

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        self._outlet = None
