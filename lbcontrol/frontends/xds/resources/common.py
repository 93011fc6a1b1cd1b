"""Pieces that several resource types need."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import config_source_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration


def packed(message: Any) -> AnyMessage:
    """Return a message as ``Any``, its bytes the same every time."""
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def duration(seconds: float) -> Duration:
    """Return seconds as a message."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def same_stream() -> Any:
    """Return the source "over the stream this came by" (ADS), spoken as v3."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.ApiVersion.V3
    )


def serialized(message: Any) -> bytes:
    """Return the bytes of a message, maps in order of their keys."""
    body: bytes = message.SerializeToString(deterministic=True)
    return body
