import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from lookaside.api.lbcontrol.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClientState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLIENT_STATE_UNSPECIFIED: _ClassVar[ClientState]
    CLIENT_STATE_CURRENT: _ClassVar[ClientState]
    CLIENT_STATE_BEHIND: _ClassVar[ClientState]
    CLIENT_STATE_PARKED: _ClassVar[ClientState]
    CLIENT_STATE_WAITING: _ClassVar[ClientState]

class OverrideKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERRIDE_KIND_UNSPECIFIED: _ClassVar[OverrideKind]
    OVERRIDE_KIND_DRAIN: _ClassVar[OverrideKind]
    OVERRIDE_KIND_WEIGHT: _ClassVar[OverrideKind]
CLIENT_STATE_UNSPECIFIED: ClientState
CLIENT_STATE_CURRENT: ClientState
CLIENT_STATE_BEHIND: ClientState
CLIENT_STATE_PARKED: ClientState
CLIENT_STATE_WAITING: ClientState
OVERRIDE_KIND_UNSPECIFIED: OverrideKind
OVERRIDE_KIND_DRAIN: OverrideKind
OVERRIDE_KIND_WEIGHT: OverrideKind

class ClientSubscription(_message.Message):
    __slots__ = ("service", "sent", "acknowledged", "behind", "state", "rejection")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    BEHIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    service: str
    sent: _common_pb2.Mark
    acknowledged: _common_pb2.Mark
    behind: _duration_pb2.Duration
    state: ClientState
    rejection: _common_pb2.ErrorDetail
    def __init__(self, service: _Optional[str] = ..., sent: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., acknowledged: _Optional[_Union[_common_pb2.Mark, _Mapping[str, object]]] = ..., behind: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., state: _Optional[_Union[ClientState, str]] = ..., rejection: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping[str, object]]] = ...) -> None: ...

class ClientStatus(_message.Message):
    __slots__ = ("id", "kind", "version", "protocol", "address", "locality", "carrier", "stream_age", "subscriptions", "identity")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LOCALITY_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    STREAM_AGE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    version: str
    protocol: str
    address: str
    locality: _common_pb2.Locality
    carrier: str
    stream_age: _duration_pb2.Duration
    subscriptions: _containers.RepeatedCompositeFieldContainer[ClientSubscription]
    identity: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., version: _Optional[str] = ..., protocol: _Optional[str] = ..., address: _Optional[str] = ..., locality: _Optional[_Union[_common_pb2.Locality, _Mapping[str, object]]] = ..., carrier: _Optional[str] = ..., stream_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ..., subscriptions: _Optional[_Iterable[_Union[ClientSubscription, _Mapping[str, object]]]] = ..., identity: _Optional[str] = ...) -> None: ...

class SentEndpoint(_message.Message):
    __slots__ = ("address", "health", "weight", "share", "locality", "priority", "sent_as")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    LOCALITY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SENT_AS_FIELD_NUMBER: _ClassVar[int]
    address: str
    health: _common_pb2.Health
    weight: int
    share: float
    locality: _common_pb2.Locality
    priority: int
    sent_as: str
    def __init__(self, address: _Optional[str] = ..., health: _Optional[_Union[_common_pb2.Health, str]] = ..., weight: _Optional[int] = ..., share: _Optional[float] = ..., locality: _Optional[_Union[_common_pb2.Locality, _Mapping[str, object]]] = ..., priority: _Optional[int] = ..., sent_as: _Optional[str] = ...) -> None: ...

class SentService(_message.Message):
    __slots__ = ("service", "subscription", "endpoints", "resources")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    service: str
    subscription: ClientSubscription
    endpoints: _containers.RepeatedCompositeFieldContainer[SentEndpoint]
    resources: _containers.RepeatedCompositeFieldContainer[SentResource]
    def __init__(self, service: _Optional[str] = ..., subscription: _Optional[_Union[ClientSubscription, _Mapping[str, object]]] = ..., endpoints: _Optional[_Iterable[_Union[SentEndpoint, _Mapping[str, object]]]] = ..., resources: _Optional[_Iterable[_Union[SentResource, _Mapping[str, object]]]] = ...) -> None: ...

class SentResource(_message.Message):
    __slots__ = ("type", "name", "version", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: str
    name: str
    version: str
    body: bytes
    def __init__(self, type: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class SourceStatus(_message.Message):
    __slots__ = ("name", "type", "up", "synced", "complete", "last_event_at", "services", "endpoints", "findings", "stale_for")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    SYNCED_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_AT_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    STALE_FOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    up: bool
    synced: bool
    complete: bool
    last_event_at: _timestamp_pb2.Timestamp
    services: int
    endpoints: int
    findings: _containers.RepeatedCompositeFieldContainer[_common_pb2.ErrorDetail]
    stale_for: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., up: _Optional[bool] = ..., synced: _Optional[bool] = ..., complete: _Optional[bool] = ..., last_event_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., services: _Optional[int] = ..., endpoints: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[_common_pb2.ErrorDetail, _Mapping[str, object]]]] = ..., stale_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping[str, object]]] = ...) -> None: ...

class OverrideStatus(_message.Message):
    __slots__ = ("service", "address", "kind", "weight", "reason", "by", "created_at", "expires_at")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    service: str
    address: str
    kind: OverrideKind
    weight: int
    reason: str
    by: str
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, service: _Optional[str] = ..., address: _Optional[str] = ..., kind: _Optional[_Union[OverrideKind, str]] = ..., weight: _Optional[int] = ..., reason: _Optional[str] = ..., by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("error", "subject", "since")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    error: _common_pb2.ErrorDetail
    subject: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, error: _Optional[_Union[_common_pb2.ErrorDetail, _Mapping[str, object]]] = ..., subject: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, object]]] = ...) -> None: ...
