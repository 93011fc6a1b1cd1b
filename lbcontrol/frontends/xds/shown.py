"""What operators see of xDS clients: how each stands towards each service, and exactly what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbcontrol.frontends.admin_ports import ClientView, SubscriptionView, Told, ToldEndpoint, ToldResource
from lbcontrol.frontends.xds.entries import Entry, Refusal
from lbcontrol.frontends.xds.scope import Scope
from lbcontrol.frontends.xds.stream import AdsStream
from lbcontrol.model.assignment import AssignedEndpoint, Mark
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm, Resource, ResourceType
from lbcontrol.runtime.views import Absence

Row = tuple[ResourceType, str, Entry]
"""One resource of a client: type, name, how it stands."""


def client_view(stream: AdsStream, now: float) -> ClientView | None:
    """Return how a client stands; None before its first request."""
    scope, profile = stream.scope, stream.profile
    if scope is None or profile is None:
        return None
    subscriptions = tuple(
        _subscription(service, rows, scope=scope, profile=profile, now=now)
        for service, rows in sorted(_by_service(stream, scope).items())
    )
    return ClientView(profile, stream.peer, "xds", scope.view.carrier, now - stream.opened_at, subscriptions)


def stream_of(streams: Iterable[AdsStream], view: ClientView, *, now: float) -> AdsStream:
    """Return the open stream of a client seen before.

    Raises:
        NotFoundError: it is gone (LB338).
    """
    same = [stream for stream in streams if stream.peer == view.peer and stream.profile == view.profile]
    if not same:
        what = f'client "{view.id}" is not connected any more'
        raise NotFoundError(Finding("LB338", what, do="lbcontrol clients lists who is"))
    return min(same, key=lambda stream: abs(now - stream.opened_at - view.stream_age))


def told(stream: AdsStream, view: ClientView, *, service: str, now: float) -> Told:
    """Return what a client was sent of a service.

    Raises:
        NotFoundError: it never asked for it (LB338).
    """
    scope = stream.scope
    rows = _by_service(stream, scope).get(service, []) if scope is not None else []
    if scope is None or not rows:
        what = f'client "{view.id}" did not ask for "{service}"'
        raise NotFoundError(Finding("LB338", what, do="lbcontrol clients shows what it asked for"))
    subscription = _subscription(service, rows, scope=scope, profile=view.profile, now=now)
    resources = tuple(
        ToldResource(type_.value, name, entry.told.version, entry.told.body)
        for type_, name, entry in rows
        if entry.told is not None
    )
    return Told(subscription, tuple(_endpoints(rows, service, scope=scope, view=view)), resources)


def _by_service(stream: AdsStream, scope: Scope) -> Mapping[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for type_, sub in stream.subscriptions.items():
        for name in dict.fromkeys((*sub.entries, *sorted(sub.names))):
            rows.setdefault(scope.service(name), []).append((type_, name, sub.entries.get(name) or Entry()))
    return rows


def _subscription(
    service: str, rows: list[Row], *, scope: Scope, profile: ClientProfile, now: float
) -> SubscriptionView:
    marks = [_marks(row, scope) for row in rows]
    sent = [mark for mark, _ in marks if mark is not None]
    acknowledged = [mark for _, mark in marks]
    since = [entry.since for _, _, entry in rows if entry.since is not None]
    rejections = (_rejection(row, service, profile=profile) for row in rows)
    return SubscriptionView(
        service=service,
        sent=min(sent, default=None),
        acknowledged=None if None in acknowledged else min((mark for mark in acknowledged if mark), default=None),
        behind=max(0.0, now - min(since)) if since else None,
        rejection=next((finding for finding in rejections if finding is not None), None),
    )


def _marks(row: Row, scope: Scope) -> tuple[Mark | None, Mark | None]:
    """Return the marks sent and acknowledged; bytes that a newer decision left as they were stand for that one too."""
    type_, name, entry = row
    newest, mark = scope.find(type_, name), scope.mark(name)
    return _reached(newest, entry.told, mark) or entry.mark, _reached(newest, entry.good, mark) or entry.good_mark


def _reached(newest: Resource | Absence, held: Resource | None, mark: Mark | None) -> Mark | None:
    """Return ``mark`` if the bytes held are the newest ones, else None."""
    same = isinstance(newest, Resource) and held is not None and held.version == newest.version
    return mark if same else None


def _rejection(row: Row, service: str, *, profile: ClientProfile) -> Finding | None:
    type_, name, entry = row
    refusal = entry.refusal
    if refusal is None or not refusal.version:
        return None
    client = " ".join(word for word in (profile.kind, profile.version) if word)
    who = f'{client} client "{profile.id}"' if profile.id else f"a {client} client"
    return Finding(
        "LB301",
        f'{who} rejected {type_.value} "{name}"{_revision(refusal)}',
        why=f'client says "{refusal.cause}"',
        effect=_effect(entry),
        do=f"change what the cause names, or see lbcontrol get {service} --as {profile.id or 'kind:' + profile.kind}",
    )


def _revision(refusal: Refusal) -> str:
    return f", revision {refusal.mark.revision}" if refusal.mark is not None else f", version {refusal.version}"


def _effect(entry: Entry) -> str:
    stays = f"it stays on {entry.good_mark.revision}" if entry.good_mark is not None else "it has no good one yet"
    return f"{stays}; nothing more is sent to it for this resource until it changes"


def _endpoints(rows: list[Row], service: str, *, scope: Scope, view: ClientView) -> Iterator[ToldEndpoint]:
    entry = next((entry for type_, name, entry in rows if type_ is ResourceType.ENDPOINTS and name == service), None)
    if entry is None or entry.told is None or not isinstance(entry.told.form, EndpointsForm):
        return
    form = entry.told.form
    listed: dict[Address, None] = {}
    weights = _priority_weights(form)
    for group in form.localities:
        share = group.weight / weights[group.priority] if group.priority == 0 else 0.0
        for member in group.endpoints:
            listed[member.address] = None
            yield _listed(member, group, form=form, share=share)
    since = f" since {entry.mark.revision}" if entry.mark is not None else ""
    for left in _assigned(service, scope=scope, view=view):
        if left.address not in listed:
            yield ToldEndpoint(left.address, left.health, 0, 0.0, left.locality, left.priority, f"left out{since}")


def _priority_weights(form: EndpointsForm) -> Mapping[int, int]:
    weights: dict[int, int] = {}
    for group in form.localities:
        weights[group.priority] = weights.get(group.priority, 0) + group.weight
    return weights


def _listed(member: EndpointForm, group: LocalityForm, *, form: EndpointsForm, share: float) -> ToldEndpoint:
    total = sum(each.weight or 1 for each in group.endpoints if each.health.takes_new_work)
    part = (member.weight or 1) / total if member.health.takes_new_work else 0.0
    alone = len(group.endpoints) == 1
    weight = group.weight if alone and member.weight is None else member.weight or 1
    sent_as = _sent_as(member, group, alone=alone and form.carrier in ("locality", "classes"))
    return ToldEndpoint(member.address, member.health, weight, share * part, group.locality, group.priority, sent_as)


def _sent_as(member: EndpointForm, group: LocalityForm, *, alone: bool) -> str:
    place = f"sub_zone={group.locality.sub_zone}" if group.locality.sub_zone else str(group.locality)
    if alone:
        return f"locality {place} {group.weight}"
    if member.weight is not None:
        return f"endpoint weight {member.weight} in locality {place}"
    return f"one of {len(group.endpoints)} in locality {place} {group.weight}"


def _assigned(service: str, *, scope: Scope, view: ClientView) -> tuple[AssignedEndpoint, ...]:
    decision = scope.view.decision(service)
    if decision is None:
        return ()
    assignment = decision.assignments.get(decision.cohort_for(view.profile.locality))
    return assignment.endpoints if assignment is not None else ()
