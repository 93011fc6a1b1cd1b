"""Whether a report says anything besides counts, found by one look at it, however many localities it has.

Nearly none does, yet asking every locality for each of the fields that it might have costs more than reading what it
has. A field that is singular for its reader and comes several times is merged: of several messages the repeated fields
are joined, and a field that any of them has is there (Protocol Buffers, Encoding: "Last One Wins"). So what is repeated
in a LoadStatsRequest is read once more as if it were singular: all clusters and localities become one, which has what
any of them has.
"""

from __future__ import annotations

from typing import Any

from envoy.config.endpoint.v3 import load_report_pb2
from envoy.service.load_stats.v3 import lrs_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FURTHER = ("load_metric_stats", "upstream_endpoint_stats", "cpu_utilization", "application_utilization")
"""Fields of a locality (UpstreamLocalityStats) that we read, and that are no counts of its own."""
SHORT_BYTES = 256
"""Up to this size a second look at a report costs more than it saves."""
_REPEATED = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_SINGULAR = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL


def _outline() -> Any:
    """Return the class that reads a LoadStatsRequest as one cluster with one locality.

    What is in the fields that are looked for does not matter: they are read as bytes, and as repeated ones, which are
    there even when they are empty.
    """
    file = descriptor_pb2.FileDescriptorProto(name="lbcontrol/outline.proto", package="lbcontrol.outline")
    file.syntax = "proto3"
    wanted = load_report_pb2.UpstreamLocalityStats.DESCRIPTOR.fields_by_name
    place = file.message_type.add(name="Place")
    for name in FURTHER:
        field = place.field.add(name=name, number=wanted[name].number, label=_REPEATED)
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    for outer, inner, field in (
        ("Stats", "Place", load_report_pb2.ClusterStats.DESCRIPTOR.fields_by_name["upstream_locality_stats"]),
        ("Request", "Stats", lrs_pb2.LoadStatsRequest.DESCRIPTOR.fields_by_name["cluster_stats"]),
    ):
        merged = file.message_type.add(name=outer).field.add(name=field.name, number=field.number, label=_SINGULAR)
        merged.type, merged.type_name = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE, f".{file.package}.{inner}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.Request"))


_OUTLINE = _outline()


def counts_only(message: bytes) -> bool:
    """Return True when no locality of a report says anything but counts; of short ones nobody asks."""
    if len(message) <= SHORT_BYTES:
        return False
    merged = _OUTLINE.FromString(message).cluster_stats.upstream_locality_stats
    return not any(getattr(merged, name) for name in FURTHER)
