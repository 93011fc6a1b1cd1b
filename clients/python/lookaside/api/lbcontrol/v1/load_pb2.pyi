import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SampleRefusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLE_REFUSAL_UNSPECIFIED: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_OUT_OF_RANGE: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_TOO_MANY_NAMES: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_NOT_ASSIGNED: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_TOO_SOON: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_BAD_ADDRESS: _ClassVar[SampleRefusal]
    SAMPLE_REFUSAL_DUPLICATE: _ClassVar[SampleRefusal]
SAMPLE_REFUSAL_UNSPECIFIED: SampleRefusal
SAMPLE_REFUSAL_OUT_OF_RANGE: SampleRefusal
SAMPLE_REFUSAL_TOO_MANY_NAMES: SampleRefusal
SAMPLE_REFUSAL_NOT_ASSIGNED: SampleRefusal
SAMPLE_REFUSAL_TOO_SOON: SampleRefusal
SAMPLE_REFUSAL_BAD_ADDRESS: SampleRefusal
SAMPLE_REFUSAL_DUPLICATE: SampleRefusal

class LoadSample(_message.Message):
    __slots__ = ("address", "rps", "eps", "utilization", "latency_seconds", "in_flight", "named")
    class NamedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RPS_FIELD_NUMBER: _ClassVar[int]
    EPS_FIELD_NUMBER: _ClassVar[int]
    UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    LATENCY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    NAMED_FIELD_NUMBER: _ClassVar[int]
    address: str
    rps: float
    eps: float
    utilization: float
    latency_seconds: float
    in_flight: int
    named: _containers.ScalarMap[str, float]
    def __init__(self, address: _Optional[str] = ..., rps: _Optional[float] = ..., eps: _Optional[float] = ..., utilization: _Optional[float] = ..., latency_seconds: _Optional[float] = ..., in_flight: _Optional[int] = ..., named: _Optional[_Mapping[str, float]] = ...) -> None: ...

class LoadReport(_message.Message):
    __slots__ = ("service", "interval", "samples")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    service: str
    interval: _duration_pb2.Duration
    samples: _containers.RepeatedCompositeFieldContainer[LoadSample]
    def __init__(self, service: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., samples: _Optional[_Iterable[_Union[LoadSample, _Mapping[str, object]]]] = ...) -> None: ...

class RefusedSamples(_message.Message):
    __slots__ = ("reason", "count")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    reason: SampleRefusal
    count: int
    def __init__(self, reason: _Optional[_Union[SampleRefusal, str]] = ..., count: _Optional[int] = ...) -> None: ...
