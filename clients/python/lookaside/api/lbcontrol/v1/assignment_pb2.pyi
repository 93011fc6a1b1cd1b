import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from lookaside.api.lbcontrol.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Picker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PICKER_UNSPECIFIED: _ClassVar[Picker]
    PICKER_ROUND_ROBIN: _ClassVar[Picker]
    PICKER_RING_HASH: _ClassVar[Picker]
    PICKER_LEAST_REQUEST: _ClassVar[Picker]
    PICKER_PICK_FIRST: _ClassVar[Picker]
    PICKER_CLIENT_WEIGHTED: _ClassVar[Picker]
PICKER_UNSPECIFIED: Picker
PICKER_ROUND_ROBIN: Picker
PICKER_RING_HASH: Picker
PICKER_LEAST_REQUEST: Picker
PICKER_PICK_FIRST: Picker
PICKER_CLIENT_WEIGHTED: Picker

class AssignedEndpoint(_message.Message):
    __slots__ = ("address", "weight", "health", "locality", "priority")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    LOCALITY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    address: str
    weight: int
    health: _common_pb2.Health
    locality: _common_pb2.Locality
    priority: int
    def __init__(self, address: _Optional[str] = ..., weight: _Optional[int] = ..., health: _Optional[_Union[_common_pb2.Health, str]] = ..., locality: _Optional[_Union[_common_pb2.Locality, _Mapping[str, object]]] = ..., priority: _Optional[int] = ...) -> None: ...

class Drop(_message.Message):
    __slots__ = ("category", "percent")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    category: str
    percent: float
    def __init__(self, category: _Optional[str] = ..., percent: _Optional[float] = ...) -> None: ...

class ClientPolicy(_message.Message):
    __slots__ = ("picker", "hash_header", "timeout", "connect_timeout", "max_requests", "drops")
    PICKER_FIELD_NUMBER: _ClassVar[int]
    HASH_HEADER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    picker: Picker
    hash_header: str
    timeout: _duration_pb2.Duration
    connect_timeout: _duration_pb2.Duration
    max_requests: int
    drops: _containers.RepeatedCompositeFieldContainer[Drop]
    def __init__(self, picker: _Optional[_Union[Picker, str]] = ..., hash_header: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., connect_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., max_requests: _Optional[int] = ..., drops: _Optional[_Iterable[_Union[Drop, _Mapping[str, object]]]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("service", "mark", "version", "endpoints", "policy")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    service: str
    mark: _common_pb2.Mark
    version: str
    endpoints: _containers.RepeatedCompositeFieldContainer[AssignedEndpoint]
    policy: ClientPolicy
    def __init__(self, service: _Optional[str] = ..., mark: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., version: _Optional[str] = ..., endpoints: _Optional[_Iterable[_Union[AssignedEndpoint, _Mapping[str, object]]]] = ..., policy: _Optional[_Union[ClientPolicy, _Mapping[str, object]]] = ...) -> None: ...
