import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from lookaside.api.lbcontrol.v1 import assignment_pb2 as _assignment_pb2
from lookaside.api.lbcontrol.v1 import common_pb2 as _common_pb2
from lookaside.api.lbcontrol.v1 import load_pb2 as _load_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ACCEPTED: _ClassVar[Verdict]
    VERDICT_REJECTED: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
VERDICT_ACCEPTED: Verdict
VERDICT_REJECTED: Verdict

class AssignmentVerdict(_message.Message):
    __slots__ = ("service", "mark", "version", "verdict", "error")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    service: str
    mark: _common_pb2.Mark
    version: str
    verdict: Verdict
    error: str
    def __init__(self, service: _Optional[str] = ..., mark: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., version: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., error: _Optional[str] = ...) -> None: ...

class WatchAssignmentsRequest(_message.Message):
    __slots__ = ("client", "subscribe", "unsubscribe", "verdicts")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    UNSUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    client: _common_pb2.ClientProfile
    subscribe: _containers.RepeatedScalarFieldContainer[str]
    unsubscribe: _containers.RepeatedScalarFieldContainer[str]
    verdicts: _containers.RepeatedCompositeFieldContainer[AssignmentVerdict]
    def __init__(self, client: _Optional[_Union[_common_pb2.ClientProfile, _Mapping[str, object]]] = ..., subscribe: _Optional[_Iterable[str]] = ..., unsubscribe: _Optional[_Iterable[str]] = ..., verdicts: _Optional[_Iterable[_Union[AssignmentVerdict, _Mapping[str, object]]]] = ...) -> None: ...

class UnknownService(_message.Message):
    __slots__ = ("service", "error")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    service: str
    error: _common_pb2.ErrorDetail
    def __init__(self, service: _Optional[str] = ..., error: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping[str, object]]] = ...) -> None: ...

class WatchAssignmentsResponse(_message.Message):
    __slots__ = ("name", "assignment", "unknown")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    name: str
    assignment: _assignment_pb2.Assignment
    unknown: UnknownService
    def __init__(self, name: _Optional[str] = ..., assignment: _Optional[_Union[_assignment_pb2.Assignment, _Mapping[str, object]]] = ..., unknown: _Optional[_Union[UnknownService, _Mapping[str, object]]] = ...) -> None: ...

class GetAssignmentRequest(_message.Message):
    __slots__ = ("service", "client")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    service: str
    client: _common_pb2.ClientProfile
    def __init__(self, service: _Optional[str] = ..., client: _Optional[_Union[_common_pb2.ClientProfile, _Mapping[str, object]]] = ...) -> None: ...

class GetAssignmentResponse(_message.Message):
    __slots__ = ("assignment",)
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    assignment: _assignment_pb2.Assignment
    def __init__(self, assignment: _Optional[_Union[_assignment_pb2.Assignment, _Mapping[str, object]]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ServiceSummary(_message.Message):
    __slots__ = ("name", "aliases", "mark", "serving", "endpoints", "clients", "stale_sources", "age")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    STALE_SOURCES_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    mark: _common_pb2.Mark
    serving: int
    endpoints: int
    clients: int
    stale_sources: _containers.RepeatedScalarFieldContainer[str]
    age: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., mark: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., serving: _Optional[int] = ..., endpoints: _Optional[int] = ..., clients: _Optional[int] = ..., stale_sources: _Optional[_Iterable[str]] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceSummary]
    next_page_token: str
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceSummary, _Mapping[str, object]]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReportLoadRequest(_message.Message):
    __slots__ = ("client", "reports")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    client: _common_pb2.ClientProfile
    reports: _containers.RepeatedCompositeFieldContainer[_load_pb2.LoadReport]
    def __init__(self, client: _Optional[_Union[_common_pb2.ClientProfile, _Mapping[str, object]]] = ..., reports: _Optional[_Iterable[_Union[_load_pb2.LoadReport, _Mapping[str, object]]]] = ...) -> None: ...

class ReportLoadResponse(_message.Message):
    __slots__ = ("accepted", "refused", "interval")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    accepted: int
    refused: _containers.RepeatedCompositeFieldContainer[_load_pb2.RefusedSamples]
    interval: _duration_pb2.Duration
    def __init__(self, accepted: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[_load_pb2.RefusedSamples, _Mapping[str, object]]]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class RegisterRequest(_message.Message):
    __slots__ = ("service", "address", "weight", "locality", "health", "ttl")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    LOCALITY_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    weight: int
    locality: _common_pb2.Locality
    health: _common_pb2.Health
    ttl: _duration_pb2.Duration
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., weight: _Optional[int] = ..., locality: _Optional[_Union[_common_pb2.Locality, _Mapping[str, object]]] = ..., health: _Optional[_Union[_common_pb2.Health, str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class RegisterResponse(_message.Message):
    __slots__ = ("address", "ttl", "renew_after")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    RENEW_AFTER_FIELD_NUMBER: _ClassVar[int]
    address: str
    ttl: _duration_pb2.Duration
    renew_after: _duration_pb2.Duration
    def __init__(self, address: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., renew_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class WithdrawRequest(_message.Message):
    __slots__ = ("service", "address")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class WithdrawResponse(_message.Message):
    __slots__ = ("existed",)
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    existed: bool
    def __init__(self, existed: _Optional[bool] = ...) -> None: ...
