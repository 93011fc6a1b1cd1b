"""What each part of the server makes of the limits that people write (docs/reference/limits.md)."""

from __future__ import annotations

from dataclasses import replace

from lbcontrol.app.config_document import LimitsDocument
from lbcontrol.frontends.lrs.reading import LrsLimits
from lbcontrol.frontends.native_ports import NativeLimits
from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.http2.limits import Limits
from lbcontrol.transport.streams import StreamLimits


def client_limits(limits: LimitsDocument) -> StreamLimits:
    """Return the limits of the clients' listener."""
    return StreamLimits(
        streams=limits.streams,
        streams_per_connection=limits.streams_per_connection,
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        logins_per_address=limits.logins_per_address,
        connections_per_identity=limits.connections_per_identity,
        connections_per_identity_and_address=limits.connections_per_identity_and_address,
        accepts=limits.accepts_per_turn,
        max_age=limits.stream_max_age,
        preface=limits.preface_timeout,
        idle=limits.connection_idle,
        keepalive=limits.keepalive_interval,
        keepalive_answer=limits.keepalive_timeout,
        message=limits.message_timeout,
        stall=limits.stall_timeout,
        unsent=limits.unsent_bytes,
        wire=_wire(limits),
    )


def admin_limits(limits: LimitsDocument) -> StreamLimits:
    """Return the limits of the operators' listener.

    Operators are few: what they ask must not be held up by each other, nor hold up clients.
    """
    return replace(client_limits(limits), streams=limits.admin_streams)


def _wire(limits: LimitsDocument) -> Limits:
    base = Limits()
    return Limits(
        streams=limits.streams_per_connection,
        stream_window=limits.stream_window_bytes,
        connection_window=limits.connection_window_bytes,
        header_block=limits.header_block_bytes,
        header_list=limits.header_list_bytes,
        fields=limits.header_fields,
        field_value=limits.header_value_bytes,
        continuations=limits.continuations,
        block_seconds=limits.header_block_timeout,
        settings_entries=limits.settings_entries,
        priorities=limits.priorities,
        window_updates=limits.window_updates,
        empty_data=limits.empty_data,
        small_data=(limits.small_data_burst, base.small_data[1]),
        unfinished=limits.unfinished_bytes,
        glitches=limits.glitches,
        resets=(limits.resets_burst, limits.resets_per_second),
        settings=(limits.settings_burst, base.settings[1]),
        pings=(limits.pings_burst, base.pings[1]),
    )


def xds_limits(limits: LimitsDocument) -> XdsLimits:
    """Return the limits of xDS streams."""
    return XdsLimits(
        message_bytes=limits.ads_message_bytes,
        names_per_type=limits.names_per_stream,
        types_per_stream=limits.types_per_stream,
        node_id_bytes=limits.node_id_bytes,
        node_metadata_bytes=limits.node_metadata_bytes,
        requests_burst=limits.requests_burst,
        requests_per_second=limits.requests_per_second,
        nacks_per_minute=limits.nacks_per_minute,
    )


def native_limits(limits: LimitsDocument) -> NativeLimits:
    """Return the limits of the native API."""
    return NativeLimits(
        message_bytes=limits.native_message_bytes,
        names_per_stream=limits.names_per_stream,
        node_id_bytes=limits.node_id_bytes,
        requests_burst=limits.requests_burst,
        requests_per_second=limits.requests_per_second,
        named_metrics=limits.named_metrics,
        named_metric_bytes=limits.named_metric_bytes,
        samples_per_report=limits.samples_per_report,
        reports_per_message=limits.reports_per_message,
        report_spacing=limits.report_spacing,
        registrations_per_peer=limits.registrations_per_peer_address,
        lease_min=limits.lease_min,
        lease_max=limits.lease_max,
    )


def lrs_limits(limits: LimitsDocument) -> LrsLimits:
    """Return the limits of load reports over xDS."""
    return LrsLimits(
        message_bytes=limits.ads_message_bytes,
        localities=limits.samples_per_report,
        clusters=limits.names_per_stream,
        report_spacing=limits.report_spacing,
        samples=native_limits(limits),
    )


def admin_messages(limits: LimitsDocument) -> NativeLimits:
    """Return the limits of operators' messages."""
    return replace(native_limits(limits), message_bytes=limits.admin_message_bytes)
