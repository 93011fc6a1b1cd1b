import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lookaside.api.lbcontrol.v1 import common_pb2 as _common_pb2
from lookaside.api.lbcontrol.v1 import explain_pb2 as _explain_pb2
from lookaside.api.lbcontrol.v1 import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeEffect(_message.Message):
    __slots__ = ("dry_run", "clients", "share_before", "share_after", "mark", "durable", "warnings", "undo")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    SHARE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SHARE_AFTER_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    clients: int
    share_before: float
    share_after: float
    mark: _common_pb2.Mark
    durable: bool
    warnings: _containers.RepeatedCompositeFieldContainer[_common_pb2.ErrorDetail]
    undo: str
    def __init__(self, dry_run: _Optional[bool] = ..., clients: _Optional[int] = ..., share_before: _Optional[float] = ..., share_after: _Optional[float] = ..., mark: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., durable: _Optional[bool] = ..., warnings: _Optional[_Iterable[_Union[_common_pb2.ErrorDetail, _Mapping[str, object]]]] = ..., undo: _Optional[str] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("service", "address", "reason", "expires_after", "dry_run")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AFTER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    reason: str
    expires_after: _duration_pb2.Duration
    dry_run: bool
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., reason: _Optional[str] = ..., expires_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class DrainResponse(_message.Message):
    __slots__ = ("override", "effect")
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    override: _status_pb2.OverrideStatus
    effect: ChangeEffect
    def __init__(self, override: _Optional[_Union[_status_pb2.OverrideStatus, _Mapping[str, object]]] = ..., effect: _Optional[_Union[ChangeEffect, _Mapping[str, object]]] = ...) -> None: ...

class UndrainRequest(_message.Message):
    __slots__ = ("service", "address", "reason", "dry_run")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    reason: str
    dry_run: bool
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., reason: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class UndrainResponse(_message.Message):
    __slots__ = ("effect",)
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    effect: ChangeEffect
    def __init__(self, effect: _Optional[_Union[ChangeEffect, _Mapping[str, object]]] = ...) -> None: ...

class SetWeightRequest(_message.Message):
    __slots__ = ("service", "address", "weight", "reason", "expires_after", "dry_run")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AFTER_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    weight: int
    reason: str
    expires_after: _duration_pb2.Duration
    dry_run: bool
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., weight: _Optional[int] = ..., reason: _Optional[str] = ..., expires_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class SetWeightResponse(_message.Message):
    __slots__ = ("override", "effect")
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    override: _status_pb2.OverrideStatus
    effect: ChangeEffect
    def __init__(self, override: _Optional[_Union[_status_pb2.OverrideStatus, _Mapping[str, object]]] = ..., effect: _Optional[_Union[ChangeEffect, _Mapping[str, object]]] = ...) -> None: ...

class ListOverridesRequest(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: str
    def __init__(self, service: _Optional[str] = ...) -> None: ...

class ListOverridesResponse(_message.Message):
    __slots__ = ("overrides", "durable")
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    overrides: _containers.RepeatedCompositeFieldContainer[_status_pb2.OverrideStatus]
    durable: bool
    def __init__(self, overrides: _Optional[_Iterable[_Union[_status_pb2.OverrideStatus, _Mapping[str, object]]]] = ..., durable: _Optional[bool] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("service", "address", "client_id")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    client_id: str
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., client_id: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("explanations",)
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    explanations: _containers.RepeatedCompositeFieldContainer[_explain_pb2.Explanation]
    def __init__(self, explanations: _Optional[_Iterable[_Union[_explain_pb2.Explanation, _Mapping[str, object]]]] = ...) -> None: ...

class ListClientsRequest(_message.Message):
    __slots__ = ("service", "behind")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    service: str
    behind: bool
    def __init__(self, service: _Optional[str] = ..., behind: _Optional[bool] = ...) -> None: ...

class ListClientsResponse(_message.Message):
    __slots__ = ("clients",)
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    clients: _containers.RepeatedCompositeFieldContainer[_status_pb2.ClientStatus]
    def __init__(self, clients: _Optional[_Iterable[_Union[_status_pb2.ClientStatus, _Mapping[str, object]]]] = ...) -> None: ...

class GetClientRequest(_message.Message):
    __slots__ = ("client_id", "service")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    service: str
    def __init__(self, client_id: _Optional[str] = ..., service: _Optional[str] = ...) -> None: ...

class GetClientResponse(_message.Message):
    __slots__ = ("client", "services")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    client: _status_pb2.ClientStatus
    services: _containers.RepeatedCompositeFieldContainer[_status_pb2.SentService]
    def __init__(self, client: _Optional[_Union[_status_pb2.ClientStatus, _Mapping[str, object]]] = ..., services: _Optional[_Iterable[_Union[_status_pb2.SentService, _Mapping[str, object]]]] = ...) -> None: ...

class ListSourcesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSourcesResponse(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[_status_pb2.SourceStatus]
    def __init__(self, sources: _Optional[_Iterable[_Union[_status_pb2.SourceStatus, _Mapping[str, object]]]] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: str
    def __init__(self, service: _Optional[str] = ...) -> None: ...

class GetServiceResponse(_message.Message):
    __slots__ = ("yaml", "sources")
    YAML_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    yaml: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, yaml: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ...) -> None: ...

class ListProblemsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProblemsResponse(_message.Message):
    __slots__ = ("problems", "server_version", "started_at")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[_status_pb2.Problem]
    server_version: str
    started_at: _timestamp_pb2.Timestamp
    def __init__(self, problems: _Optional[_Iterable[_Union[_status_pb2.Problem, _Mapping[str, object]]]] = ..., server_version: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...
