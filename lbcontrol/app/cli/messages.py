"""Messages of our API as plain values: every field is there, numbers are numbers, times are readable."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from lookaside.api.lbcontrol.v1 import assignment_pb2, common_pb2

from lbcontrol.model.endpoints import Locality

HEALTHY = frozenset({common_pb2.HEALTH_SERVING, common_pb2.HEALTH_UNKNOWN})
"""What takes new calls."""


def plain(message: Message) -> dict[str, object]:
    """Return a message as values for JSON and YAML; a field without a value is None."""
    return dict(_field(message, field) for field in message.DESCRIPTOR.fields_by_name.values())


def seconds(message: Duration) -> float:
    """Return a length in seconds."""
    return message.seconds + message.nanos / 1e9


def place(message: common_pb2.Locality) -> str:
    """Return a locality as ``region/zone/sub_zone``."""
    return str(Locality(message.region, message.zone, message.sub_zone))


def health(value: int) -> str:
    """Return a state as people say it: ``not serving``."""
    return _word(common_pb2.DESCRIPTOR.enum_types_by_name["Health"], value).replace("_", " ")


def mark(message: common_pb2.Mark) -> tuple[int, int]:
    """Return a mark as a value that can be compared."""
    return message.epoch, message.revision


def shares(endpoints: Iterable[assignment_pb2.AssignedEndpoint]) -> dict[str, float]:
    """Return each endpoint's share of new calls: all go to the first priority where anything takes them."""
    ready = [each for each in endpoints if each.health in HEALTHY]
    first = min((each.priority for each in ready), default=0)
    weights = {each.address: each.weight for each in ready if each.priority == first}
    total = sum(weights.values())
    return {address: weight / total for address, weight in weights.items()}


def _field(message: Message, field: Any) -> tuple[str, object]:
    name = field.camelcase_name
    if field.message_type is not None and field.message_type.full_name == Duration.DESCRIPTOR.full_name:
        name += "Seconds"
    value: Any = getattr(message, field.name)
    if field.is_repeated:
        return name, [_value(field, each) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return name, None
    return name, _value(field, value)


def _value(field: Any, value: Any) -> object:
    if field.enum_type is not None:
        return _word(field.enum_type, value)
    kind: type = type(value)
    return _FORMS[kind](value) if kind in _FORMS else plain(value) if isinstance(value, Message) else value


def _word(kind: EnumDescriptor, value: int) -> str:
    """Return an enum value without its prefix; one from a newer server as its number."""
    known = kind.values_by_number.get(value)
    if known is None:
        return str(value)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return known.name.removeprefix(prefix).lower()


def _instant(message: Timestamp) -> str:
    return datetime.fromtimestamp(message.seconds + message.nanos / 1e9, UTC).isoformat(timespec="milliseconds")


_FORMS: dict[type, Callable[[Any], object]] = {
    Duration: seconds,
    Timestamp: _instant,
    Struct: MessageToDict,
    bytes: lambda value: base64.b64encode(value).decode(),
}
