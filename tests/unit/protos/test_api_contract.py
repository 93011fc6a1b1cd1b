"""The protos, the generated code and the method table say the same; every element is documented."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message
from grpc_tools import protoc
from lookaside.api import METHODS

PROTOS = Path(__file__).parents[3] / "protos"
FILES = sorted(path.relative_to(PROTOS) for path in PROTOS.glob("lbcontrol/**/*.proto"))
RPC = re.compile(r"^  rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);", re.MULTILINE)
SERVICE = re.compile(r"^service (\w+) \{$", re.MULTILINE)


def compiled(root: Path, files: list[Path], out: Path) -> list[FileDescriptorProto]:
    """Compile the files under ``root`` with their comments."""
    includes = [f"-I{root}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    arguments = ["protoc", *includes, "--include_source_info", f"--descriptor_set_out={out}", *map(str, files)]
    assert protoc.main(arguments) == 0
    return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def generated(file: Path) -> object:
    """Import the module generated from ``file``."""
    return importlib.import_module("lookaside.api." + str(file.with_suffix("")).replace("/", ".") + "_pb2")


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """Strip what only one of the two compilers writes, also from the entries of maps."""
    for message in file.message_type:
        for kind in (message, *message.nested_type):
            for field in kind.field:
                field.ClearField("json_name")
    return file


def documentable_paths(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield (source path, name) of all messages, fields, enums, values, services and methods of ``file``."""
    for index, message in enumerate(file.message_type):
        yield (4, index), message.name
        yield from (((4, index, 2, n), f"{message.name}.{field.name}") for n, field in enumerate(message.field))
    for index, kind in enumerate(file.enum_type):
        yield (5, index), kind.name
        yield from (((5, index, 2, n), value.name) for n, value in enumerate(kind.value))
    for index, service in enumerate(file.service):
        yield (6, index), service.name
        yield from (((6, index, 2, n), f"{service.name}.{method.name}") for n, method in enumerate(service.method))


def undocumented(file: FileDescriptorProto) -> list[str]:
    """Return the names in ``file`` that have no comment of at least two words before them."""
    commented = {
        tuple(location.path)
        for location in file.source_code_info.location
        if len(location.leading_comments.split()) >= 2
    }
    return [name for path, name in documentable_paths(file) if path not in commented]


def message_types() -> list[Descriptor]:
    """Return every message type of our API."""
    modules = (generated(file) for file in FILES)
    return [kind for module in modules for kind in module.DESCRIPTOR.message_types_by_name.values()]  # type: ignore[attr-defined]


SCALARS: dict[int, object] = {
    FieldDescriptor.CPPTYPE_STRING: "x",
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_DOUBLE: 1.5,
    FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1,
    FieldDescriptor.CPPTYPE_UINT64: 2**64 - 1,
    FieldDescriptor.CPPTYPE_ENUM: 1,
}


def filled(kind: Descriptor) -> Message:
    """Return a message of ``kind`` with every field set (of a oneof: the last)."""
    message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        fill(message, field)
    return message


def fill(message: Message, field: FieldDescriptor) -> None:
    """Set one field of ``message`` to a value that is not its default."""
    target = getattr(message, field.name)
    if field.message_type is None:
        value = b"\xff" if field.type == FieldDescriptor.TYPE_BYTES else SCALARS[field.cpp_type]
        target.append(value) if field.is_repeated else setattr(message, field.name, value)
    elif field.message_type.GetOptions().map_entry:
        target["x"] = 1.5
    elif field.message_type.full_name == "google.protobuf.Struct":
        target["weight"] = 5
    elif field.message_type.full_name.startswith("google.protobuf."):
        target.FromSeconds(7)
    else:
        (target.add() if field.is_repeated else target).CopyFrom(filled(field.message_type))


def test_methods_table_is_what_the_proto_files_declare() -> None:
    """Each ``rpc`` line of the texts stands in METHODS with its types and streaming kind, and nothing else does."""
    declared = set()
    for file in FILES:
        text = (PROTOS / file).read_text()
        service = "".join(SERVICE.findall(text))
        declared |= {
            (f"/lbcontrol.v1.{service}/{n}", bool(cs), q, bool(ss), r) for n, cs, q, ss, r in RPC.findall(text)
        }
    assert len(declared) == 16
    assert declared == {
        (path, m.client_streaming, m.request.DESCRIPTOR.name, m.server_streaming, m.response.DESCRIPTOR.name)
        for path, m in METHODS.items()
    }


def test_generated_code_is_what_the_proto_files_compile_to(tmp_path: Path) -> None:
    """The checked-in descriptors equal those of the texts: nobody forgot ``make proto``."""
    for file in compiled(PROTOS, FILES, tmp_path / "set"):
        file.ClearField("source_code_info")
        ours = FileDescriptorProto()
        generated(Path(file.name)).DESCRIPTOR.CopyToProto(ours)  # type: ignore[attr-defined]
        assert without_json_names(ours) == without_json_names(file)


def test_every_element_of_the_api_has_a_comment(tmp_path: Path) -> None:
    """Messages, fields, enums, values, services and methods are all documented."""
    files = compiled(PROTOS, FILES, tmp_path / "set")
    assert sum(1 for file in files for _ in documentable_paths(file)) > 200
    assert [name for file in files for name in undocumented(file)] == []


def test_comment_check_names_what_is_undocumented(tmp_path: Path) -> None:
    """The check itself can fail: a bare field and a one-word comment are found."""
    text = "// A message.\nmessage M {\n  int32 bare = 1;\n  // Word.\n  int32 word = 2;\n}\n"
    (tmp_path / "bad.proto").write_text('syntax = "proto3";\npackage p;\n' + text)
    (file,) = compiled(tmp_path, [Path("bad.proto")], tmp_path / "set")
    assert undocumented(file) == ["M.bare", "M.word"]


@pytest.mark.parametrize("kind", message_types(), ids=lambda kind: kind.name)
def test_message_survives_wire_and_json(kind: Descriptor) -> None:
    """A message with every field set comes back equal from its bytes and from its JSON."""
    message = filled(kind)
    assert message.ByteSize() > 0 or not kind.fields
    assert type(message).FromString(message.SerializeToString()) == message
    assert json_format.Parse(json_format.MessageToJson(message), type(message)()) == message


def test_enums_begin_with_unspecified() -> None:
    """Zero means "not said" in every enum, so that an absent field is never read as a decision."""
    enums = [kind for file in FILES for kind in generated(file).DESCRIPTOR.enum_types_by_name.values()]  # type: ignore[attr-defined]
    assert len(enums) >= 7
    assert [kind.name for kind in enums if not kind.values_by_number[0].name.endswith("_UNSPECIFIED")] == []


def test_api_is_importable_without_grpc() -> None:
    """Front ends and quick commands may import the messages and METHODS without paying for grpc."""
    code = "import sys, lookaside.api; sys.exit('grpc' in sys.modules)"
    paths = [path for path in sys.path if path]
    result = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(paths)}, check=False, timeout=30)
    assert result.returncode == 0
