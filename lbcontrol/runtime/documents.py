"""Model values as JSON documents and back, by the fields of their dataclasses.

Fields that have their default are left out, fields that a document has and the model has not are passed over, and
fields that it lacks get their default: so builds one version apart read each other's documents.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")


class _Codec(NamedTuple):
    """Turns values of one annotation into JSON types and back."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def document_of(value: object) -> dict[str, Any]:
    """Return a dataclass value as a document of JSON types."""
    annotation: Any = type(value)
    return cast("dict[str, Any]", _codec(annotation).write(value))


def value_of(type_: type[T], document: Mapping[str, object]) -> T:
    """Return the value that a document stands for.

    Raises:
        ValueError: the document does not fit the type; leave it out.
    """
    annotation: Any = type_
    try:
        return cast("T", _codec(annotation).read(document))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"not a document of {type_.__name__}: {error}") from error


@functools.cache
def _codec(type_: Any) -> _Codec:
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if dataclasses.is_dataclass(type_):
        return _dataclass_codec(cast("type[Any]", type_))
    if origin is tuple:
        each = _codec(arguments[0])
        return _Codec(lambda value: [each.write(v) for v in value], lambda value: tuple(each.read(v) for v in value))
    if origin is not None and origin is not types.UnionType:
        each = _codec(arguments[1])
        return _Codec(
            lambda value: {key: each.write(v) for key, v in value.items()},
            lambda value: {key: each.read(v) for key, v in value.items()},
        )
    if origin is types.UnionType:
        return _optional(_codec(next(argument for argument in arguments if argument is not types.NoneType)))
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return _Codec(lambda value: value.value, type_)
    return _Codec(lambda value: value, functools.partial(_plain, type_))


def _optional(codec: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else codec.write(value),
        lambda value: None if value is None else codec.read(value),
    )


def _plain(type_: type[Any], value: Any) -> Any:
    """Return text, number or truth as it is, if it is one; JSON writes 1.0 of another language as 1."""
    if type_ is float and type(value) is int:
        return float(value)
    if type(value) is not type_:
        raise TypeError(f"{value!r} is no {type_.__name__}")
    return value


def _dataclass_codec(type_: type[Any]) -> _Codec:
    hints = typing.get_type_hints(type_)
    fields = [(each.name, _codec(hints[each.name]), _default(each)) for each in dataclasses.fields(type_)]

    def write(value: Any) -> dict[str, Any]:
        document = {}
        for name, codec, default in fields:
            item = getattr(value, name)
            if item is not default and item != default:
                document[name] = codec.write(item)
        return document

    def read(document: Any) -> Any:
        known = {name: codec.read(document[name]) for name, codec, _ in fields if name in document}
        return type_(**known)

    return _Codec(write, read)


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
