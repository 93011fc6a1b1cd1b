"""grpc.health.v1 and reflection v1 / v1alpha."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from lookaside.api import METHODS

from lbcontrol.frontends import FRONTENDS
from lbcontrol.frontends.health import PREFIX, HealthFrontEnd
from lbcontrol.frontends.reflection import PATHS, ReflectionFrontEnd
from lbcontrol.model.clients import Role
from lbcontrol.model.endpoints import Health
from lbcontrol.pb.grpc.reflection.v1 import reflection_pb2 as pb
from lbcontrol.runtime.ports import Method, StatusCode, StatusError, StreamHandler
from tests.unit.frontends.fakes import PEER, MemoryDirectory, MemoryOutlet, Permits, decision, endpoint

UP = decision("a", 1, endpoint("10.0.0.1:1"))
DOWN = decision("a", 2, endpoint("10.0.0.1:1", health=Health.DRAINING))
STATUS = health_pb2.HealthCheckResponse


def method(front: HealthFrontEnd | ReflectionFrontEnd, path: str) -> Method:
    """Return the method at ``path``."""
    return next(each for each in front.methods() if each.path == path)


def called(answer: Awaitable[bytes]) -> bytes:
    """Wait for a unary method's answer."""

    async def wait() -> bytes:
        return await answer

    return asyncio.run(wait())


def checked(directory: MemoryDirectory, service: str, *denied: tuple[Role, str]) -> int:
    """Call Check."""
    handler = method(HealthFrontEnd(directory, Permits(*denied)), PREFIX + "Check").unary
    assert handler is not None
    raw = called(handler(health_pb2.HealthCheckRequest(service=service).SerializeToString(), PEER, {}))
    return int(STATUS.FromString(raw).status)


def opened(front: HealthFrontEnd | ReflectionFrontEnd, path: str) -> tuple[StreamHandler, MemoryOutlet]:
    """Open a stream."""
    make = method(front, path).stream
    assert make is not None
    handler, outlet = make(), MemoryOutlet()
    handler.opened(PEER, {}, outlet)
    return handler, outlet


def test_check_tells_readiness_and_whether_anything_serves() -> None:
    """The empty name follows readiness; a service serves while one endpoint takes new work."""
    directory = MemoryDirectory()
    directory.put(UP)
    first = (checked(directory, ""), checked(directory, "a"))
    directory.put(DOWN)
    directory.ready = False
    assert first == (STATUS.SERVING, STATUS.SERVING)
    assert (checked(directory, ""), checked(directory, "a")) == (STATUS.NOT_SERVING, STATUS.NOT_SERVING)
    assert checked(directory, "not yet known") == STATUS.UNKNOWN


@pytest.mark.parametrize(("service", "denied"), [("b", ()), ("a", ((Role.READ, "a"),))])
def test_check_answers_not_found_for_unknown_and_forbidden(service: str, denied: tuple[tuple[Role, str], ...]) -> None:
    """A name that nobody serves, or that the caller may not see, is NOT_FOUND."""
    directory = MemoryDirectory()
    directory.put(UP)
    with pytest.raises(StatusError) as caught:
        checked(directory, service, *denied)
    assert caught.value.status.code is StatusCode.NOT_FOUND


def test_health_list_shows_the_server_and_every_readable_service() -> None:
    """List holds "" and each service with its status, without what is forbidden."""
    directory = MemoryDirectory()
    directory.put(UP, decision("hidden", 1))
    handler = method(HealthFrontEnd(directory, Permits((Role.READ, "hidden"))), PREFIX + "List").unary
    assert handler is not None
    listed = health_pb2.HealthListResponse.FromString(called(handler(b"", PEER, {})))
    assert {name: each.status for name, each in listed.statuses.items()} == {"": STATUS.SERVING, "a": STATUS.SERVING}


def test_health_watch_follows_a_service_through_its_life() -> None:
    """Watch says SERVICE_UNKNOWN, then each change once, and goes on when the service disappears."""
    directory = MemoryDirectory()
    handler, outlet = opened(HealthFrontEnd(directory, Permits()), PREFIX + "Watch")
    handler.received(health_pb2.HealthCheckRequest(service="a").SerializeToString())
    handler.half_closed()
    directory.put(UP, UP, DOWN)
    directory.remove("a")
    seen = [STATUS.FromString(sent.message).status for sent in outlet.sent]
    assert seen == [STATUS.SERVICE_UNKNOWN, STATUS.SERVING, STATUS.NOT_SERVING, STATUS.SERVICE_UNKNOWN]
    handler.closed("cancelled")
    assert not any(directory.watchers.values())


def test_health_watch_sends_only_the_newest_to_a_slow_reader() -> None:
    """While the outlet is full nothing queues; afterwards only a status that differs is sent."""
    directory = MemoryDirectory()
    directory.put(UP)
    handler, outlet = opened(HealthFrontEnd(directory, Permits()), PREFIX + "Watch")
    handler.received(health_pb2.HealthCheckRequest(service="a").SerializeToString())
    outlet.full = True
    directory.put(DOWN, UP)
    outlet.full = False
    handler.writable()
    assert len(outlet.sent) == 1


def asked(path: str, *questions: pb.ServerReflectionRequest) -> list[pb.ServerReflectionResponse]:
    """Ask a reflection stream."""
    handler, outlet = opened(ReflectionFrontEnd(list(METHODS), Permits()), path)
    for question in questions:
        handler.received(question.SerializeToString())
    handler.half_closed()
    assert outlet.status is not None and outlet.status.code is StatusCode.OK
    return [pb.ServerReflectionResponse.FromString(sent.message) for sent in outlet.sent]


@pytest.mark.parametrize("path", PATHS)
def test_reflection_lists_every_service_under_both_paths(path: str) -> None:
    """The list holds our services and reflection itself in both versions."""
    (answer,) = asked(path, pb.ServerReflectionRequest(list_services="*"))
    assert [each.name for each in answer.list_services_response.service] == [
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "lbcontrol.v1.AdminService",
        "lbcontrol.v1.LookasideService",
    ]


@pytest.mark.parametrize(
    "question",
    [
        {"file_by_filename": "lbcontrol/v1/admin_service.proto"},
        {"file_containing_symbol": "lbcontrol.v1.LookasideService"},
        {"file_containing_symbol": "lbcontrol.v1.LookasideService.GetAssignment"},
        {"file_containing_symbol": "lbcontrol.v1.Explanation.weight"},
        {"file_containing_symbol": "grpc.reflection.v1.ServerReflection"},
        {"file_containing_symbol": "grpc.reflection.v1alpha.ServerReflection"},
    ],
)
def test_reflection_answers_with_all_dependencies_at_once(question: dict[str, str]) -> None:
    """The files of one answer are enough to build an empty descriptor pool, each file once."""
    (answer,) = asked(PATHS[0], pb.ServerReflectionRequest(**question))  # type: ignore[arg-type]
    raw = answer.file_descriptor_response.file_descriptor_proto
    files = {file.name: file for file in map(FileDescriptorProto.FromString, raw)}
    assert len(files) == len(raw) > 0
    pool = descriptor_pool.DescriptorPool()

    def add(name: str) -> None:
        file = files.pop(name, None)
        for needed in file.dependency if file else ():
            add(needed)
        if file:
            pool.Add(file)

    for name in list(files):
        add(name)
    symbol = question.get("file_containing_symbol", "lbcontrol.v1.AdminService")
    file = pool.FindFileContainingSymbol(symbol.removesuffix(".GetAssignment"))  # The pool finds no methods.
    assert file.name


def test_reflection_names_fields_as_json_does() -> None:
    """Tools that make JSON of messages write and read lowerCamelCase, in nested messages too."""
    (answer,) = asked(PATHS[0], pb.ServerReflectionRequest(file_containing_symbol="lbcontrol.v1.Locality"))
    file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
    (locality,) = (message for message in file.message_type if message.name == "Locality")
    assert {field.name: field.json_name for field in locality.field}["sub_zone"] == "subZone"


def test_reflection_knows_extensions() -> None:
    """Numbers and file of a real extension are found: google.api.http extends MethodOptions as 72295728."""
    importlib.import_module("google.api.annotations_pb2")
    of = {"containing_type": "google.protobuf.MethodOptions", "extension_number": 72295728}
    numbers, file = asked(
        PATHS[0],
        pb.ServerReflectionRequest(all_extension_numbers_of_type="google.protobuf.MethodOptions"),
        pb.ServerReflectionRequest(file_containing_extension=of),
    )
    assert 72295728 in numbers.all_extension_numbers_response.extension_number
    first = FileDescriptorProto.FromString(file.file_descriptor_response.file_descriptor_proto[0])
    assert first.name == "google/api/annotations.proto"


def test_reflection_answers_what_it_does_not_know_and_lives() -> None:
    """An unknown name or an empty question is an error inside the answer; the stream goes on."""
    answers = asked(
        PATHS[0],
        pb.ServerReflectionRequest(file_by_filename="nope.proto"),
        pb.ServerReflectionRequest(file_containing_symbol="nope"),
        pb.ServerReflectionRequest(all_extension_numbers_of_type="nope"),
        pb.ServerReflectionRequest(file_containing_extension={"containing_type": "nope"}),
        pb.ServerReflectionRequest(),
    )
    assert [answer.error_response.error_code for answer in answers] == [5, 5, 5, 5, 3]


def test_reflection_reads_nothing_while_an_answer_waits() -> None:
    """One answer may wait; reading is paused until it is out."""
    handler, outlet = opened(ReflectionFrontEnd([], Permits()), PATHS[0])
    outlet.full = True
    handler.received(pb.ServerReflectionRequest(list_services="*").SerializeToString())
    paused = outlet.paused
    outlet.full = False
    handler.writable()
    assert (paused, outlet.paused, len(outlet.sent)) == (True, False, 1)


def test_reflection_needs_the_inspect_role() -> None:
    """Without it the stream ends as PERMISSION_DENIED before anything is answered."""
    handler, outlet = opened(ReflectionFrontEnd([], Permits((Role.INSPECT, ""))), PATHS[0])
    handler.received(pb.ServerReflectionRequest(list_services="*").SerializeToString())
    assert outlet.status is not None and outlet.status.code is StatusCode.PERMISSION_DENIED
    assert outlet.sent == []


@pytest.mark.parametrize("entry", FRONTENDS.items(), ids=lambda entry: entry[0])
def test_front_end_registry_entry_resolves(entry: tuple[str, str]) -> None:
    """Each line of FRONTENDS names a class that exists and carries that name."""
    module, _, attribute = entry[1].partition(":")
    assert getattr(importlib.import_module(module), attribute).name == entry[0]
