"""Admin messages out of model values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from lookaside.api.lbcontrol.v1 import admin_service_pb2, common_pb2, explain_pb2, status_pb2

from lbcontrol.frontends.admin_ports import (
    Change,
    ClientView,
    ProblemView,
    SourceView,
    SubscriptionView,
    Told,
)
from lbcontrol.frontends.native_encode import HEALTHS, duration, locality_message, mark_message
from lbcontrol.frontends.status import error_detail, repeated
from lbcontrol.model.assignment import ExplainedStep, Explanation
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.overrides import Override, OverrideKind

KINDS = {
    OverrideKind.DRAIN: status_pb2.OVERRIDE_KIND_DRAIN,
    OverrideKind.WEIGHT: status_pb2.OVERRIDE_KIND_WEIGHT,
}
"""Our kinds of override in the API's words."""
MOST_STEPS = 1_000
"""Encoded steps that are kept while one answer is made."""


def timestamp(unix_seconds: float | None) -> Timestamp | None:
    """Return a time as a message; None stays None."""
    if unix_seconds is None:
        return None
    message = Timestamp()
    message.FromNanoseconds(round(unix_seconds * 1e9))
    return message


def struct(values: Mapping[str, object]) -> Struct:
    """Return JSON-able values as a message; numbers are exact up to 2^53."""
    message = Struct()
    message.update(json.loads(json.dumps(dict(values))))
    return message


def _step(step: ExplainedStep) -> explain_pb2.ExplainedStep:
    return explain_pb2.ExplainedStep(
        rule=step.rule,
        input=struct(step.input),
        output=struct(step.output),
        reason=step.reason,
        event_id=step.event,
    )


class Explanations:
    """Encodes the explanations of one answer. Most steps of most endpoints say the same, and are encoded once."""

    def __init__(self) -> None:
        """Know no step yet."""
        self._steps: dict[tuple[str, ...], bytes] = {}

    def body(self, explanation: Explanation) -> bytes:
        """Return an explanation, serialized: in protobuf, a message is its fields one after another."""
        head = explain_pb2.Explanation(
            service=explanation.service,
            address=str(explanation.address),
            cohort=explanation.cohort,
            mark=mark_message(explanation.mark),
            weight=explanation.weight,
            share=explanation.share,
        )
        return head.SerializeToString() + b"".join([self._field(step) for step in explanation.steps])

    def _field(self, step: ExplainedStep) -> bytes:
        key = (step.rule, str(step.input), str(step.output), step.reason, step.event)
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) >= MOST_STEPS:
                self._steps.clear()
            body = _step(step).SerializeToString()
            found = self._steps[key] = repeated(explain_pb2.Explanation.STEPS_FIELD_NUMBER, body)
        return found


def override_message(override: Override) -> status_pb2.OverrideStatus:
    """Return an override as a message."""
    return status_pb2.OverrideStatus(
        service=override.service,
        address=str(override.address),
        kind=KINDS[override.kind],
        weight=override.weight or 0,
        reason=override.reason,
        by=override.by,
        created_at=timestamp(override.created_at),
        expires_at=timestamp(override.expires_at),
    )


def effect_message(change: Change, *, durable: bool, dry_run: bool, undo: str) -> admin_service_pb2.ChangeEffect:
    """Return what a write did as a message."""
    return admin_service_pb2.ChangeEffect(
        dry_run=dry_run,
        clients=change.clients,
        share_before=change.share_before,
        share_after=change.share_after,
        mark=None if change.mark is None else mark_message(change.mark),
        durable=durable,
        warnings=[error_detail(warning) for warning in change.warnings],
        undo=undo,
    )


def warning(finding: Finding) -> common_pb2.ErrorDetail:
    """Return a finding as a warning."""
    return error_detail(dataclasses.replace(finding, severity=Severity.WARNING))


def _state(view: SubscriptionView) -> status_pb2.ClientState:
    if view.rejection is not None:
        return status_pb2.CLIENT_STATE_PARKED
    if view.sent is None:
        return status_pb2.CLIENT_STATE_WAITING
    return status_pb2.CLIENT_STATE_CURRENT if view.acknowledged == view.sent else status_pb2.CLIENT_STATE_BEHIND


def subscription_message(view: SubscriptionView) -> status_pb2.ClientSubscription:
    """Return a subscription as a message."""
    return status_pb2.ClientSubscription(
        service=view.service,
        sent=None if view.sent is None else mark_message(view.sent),
        acknowledged=None if view.acknowledged is None else mark_message(view.acknowledged),
        behind=None if view.behind is None else duration(view.behind),
        state=_state(view),
        rejection=None if view.rejection is None else error_detail(view.rejection),
    )


def is_behind(view: ClientView) -> bool:
    """Return whether a client has not acknowledged everything it was sent."""
    waiting = (status_pb2.CLIENT_STATE_BEHIND, status_pb2.CLIENT_STATE_PARKED)
    return any(_state(each) in waiting for each in view.subscriptions)


def client_message(view: ClientView) -> status_pb2.ClientStatus:
    """Return a client as a message."""
    return status_pb2.ClientStatus(
        id=view.id,
        kind=view.profile.kind,
        version=view.profile.version,
        protocol=view.protocol,
        address=view.peer.address,
        identity=view.peer.identity.name,
        locality=locality_message(view.profile.locality),
        carrier=view.carrier,
        stream_age=duration(view.stream_age),
        subscriptions=[subscription_message(each) for each in sorted(view.subscriptions, key=lambda s: s.service)],
    )


def told_message(told: Told) -> status_pb2.SentService:
    """Return what a client was told as a message."""
    endpoints = [
        status_pb2.SentEndpoint(
            address=str(each.address),
            health=HEALTHS[each.health],
            weight=each.weight,
            share=each.share,
            locality=locality_message(each.locality),
            priority=each.priority,
            sent_as=each.sent_as,
        )
        for each in sorted(told.endpoints, key=lambda endpoint: endpoint.address)
    ]
    resources = [
        status_pb2.SentResource(type=each.type, name=each.name, version=each.version, body=each.body)
        for each in told.resources
    ]
    return status_pb2.SentService(
        service=told.subscription.service,
        subscription=subscription_message(told.subscription),
        endpoints=endpoints,
        resources=resources,
    )


def client_response(view: ClientView, told: Sequence[Told]) -> bytes:
    """Return a GetClientResponse: a client, and what it was told of each service."""
    services = [told_message(each) for each in told]
    return admin_service_pb2.GetClientResponse(client=client_message(view), services=services).SerializeToString()


def source_message(view: SourceView) -> status_pb2.SourceStatus:
    """Return a source as a message."""
    return status_pb2.SourceStatus(
        name=view.name,
        type=view.type,
        up=view.up,
        synced=view.synced,
        complete=view.complete,
        last_event_at=timestamp(view.last_event_at),
        services=view.services,
        endpoints=view.endpoints,
        findings=[error_detail(finding) for finding in view.findings],
        stale_for=None if view.stale_for is None else duration(view.stale_for),
    )


def problem_message(view: ProblemView) -> status_pb2.Problem:
    """Return a problem as a message."""
    return status_pb2.Problem(error=error_detail(view.finding), subject=view.subject, since=timestamp(view.since))
