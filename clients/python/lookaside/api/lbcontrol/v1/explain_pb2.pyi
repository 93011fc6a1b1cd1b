from google.protobuf import struct_pb2 as _struct_pb2
from lookaside.api.lbcontrol.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainedStep(_message.Message):
    __slots__ = ("rule", "input", "output", "reason", "event_id")
    RULE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    rule: str
    input: _struct_pb2.Struct
    output: _struct_pb2.Struct
    reason: str
    event_id: str
    def __init__(self, rule: _Optional[str] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping[str, object]]] = ..., output: _Optional[_Union[_struct_pb2.Struct, _Mapping[str, object]]] = ..., reason: _Optional[str] = ..., event_id: _Optional[str] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("service", "address", "cohort", "mark", "steps", "weight", "share")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    cohort: str
    mark: _common_pb2.Mark
    steps: _containers.RepeatedCompositeFieldContainer[ExplainedStep]
    weight: int
    share: float
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., cohort: _Optional[str] = ..., mark: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., steps: _Optional[_Iterable[_Union[ExplainedStep, _Mapping[str, object]]]] = ..., weight: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...
