"""WatchAssignments: one client's watch as a state machine.

There is no queue: a changed name is only marked, and what is sent is what is newest when the outlet can take it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.native_check import checked_name, checked_profile, unknown_finding
from lbcontrol.frontends.native_encode import Encoded, Encoder, profile_of, unknown_payload
from lbcontrol.frontends.native_meter import NativeMeter
from lbcontrol.frontends.native_names import directory_for
from lbcontrol.frontends.native_ports import Directory, NativeClient, NativeLimits, NativeSubscription
from lbcontrol.frontends.pace import Pace
from lbcontrol.frontends.status import OK, parsed, status_of
from lbcontrol.model.assignment import Decision, Mark
from lbcontrol.model.clients import ClientProfile, Peer, Role
from lbcontrol.model.errors import InvalidRequestError, LbControlError
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Authorizer, Metadata, Outlet, Scheduler

UNKNOWN = "unknown"
"""Stands for a version where the client was told that nobody serves the name."""
SILENT_SECONDS = 2.0
"""Verdicts are optional: a client that has given none so long after it was sent something follows all the same."""


@dataclass(frozen=True, slots=True)
class WatchContext:
    """What all watches share."""

    directory: Directory
    authorizer: Authorizer
    encoder: Encoder
    clock: Scheduler
    limits: NativeLimits
    opened: Callable[[WatchStream], None]
    """Told of each stream that begins."""
    closed: Callable[[WatchStream], None]
    """Told of each stream that ended."""
    meter: NativeMeter


@dataclass(slots=True)
class _Followed:
    """One name a client follows."""

    stop: Callable[[], None]
    sent: Encoded | None = None
    told: str = ""
    """Version sent last, ``UNKNOWN``, or empty for nothing."""
    acknowledged: str = ""
    acknowledged_mark: Mark | None = None
    since: float | None = None
    """Monotonic time of the oldest change that was sent and is not answered."""
    sent_at: float = 0.0
    """Monotonic time at which something was sent last."""
    parked: str = ""
    """Version the client rejected; not sent again."""
    rejection: Finding | None = None


def _renew(followed: _Followed, version: str, encoded: Encoded | None) -> None:
    """Note a newer decision of which the client has the content already."""
    if version == followed.told and encoded is not None:
        followed.sent = encoded
        if version == followed.acknowledged:
            followed.acknowledged_mark = encoded.decision.mark


class WatchStream:
    """The server's side of one WatchAssignments call."""

    def __init__(self, context: WatchContext) -> None:
        """Wait for ``opened``."""
        self._context = context
        self._followed: dict[str, _Followed] = {}
        self._changed: dict[str, None] = {}
        self._profile: ClientProfile | None = None
        self._peer = Peer("")
        self._directory = context.directory
        self._opened_at = 0.0
        self._gives_verdicts = False
        self._outlet: Outlet | None = None
        self._pace = Pace(context.limits, context.clock, refused=context.meter.refused.requests)

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        del metadata
        self._peer = peer
        self._directory = directory_for(peer.identity, self._context.directory)
        self._outlet = outlet
        self._opened_at = self._context.clock.now()
        self._context.opened(self)

    def received(self, message: bytes) -> None:
        """Take one request; a bad one ends the stream."""
        if self._outlet is None:
            return
        self._pace.count(self._outlet)
        try:
            self._take(parsed(pb.WatchAssignmentsRequest, message))
        except LbControlError as error:
            self._end(error)
        else:
            self._flush()

    def half_closed(self) -> None:
        """The client asks for nothing more: end in peace."""
        if self._outlet is not None:
            self._outlet.end(OK)
            self._release()

    def writable(self) -> None:
        """Send what changed meanwhile."""
        self._flush()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        self._release()
        if self._profile is not None:
            self._context.meter.clients(self._profile.kind, -1)
        self._context.closed(self)

    def view(self) -> NativeClient:
        """Return how the client stands, for operators."""
        subscriptions = tuple(self._shown(name, each) for name, each in sorted(self._followed.items()))
        return NativeClient(self._profile or ClientProfile(), self._peer, self._opened_at, subscriptions)

    def _shown(self, name: str, each: _Followed) -> NativeSubscription:
        """Return how it stands on one name; of a client that never gives a verdict, what it was sent counts."""
        sent = each.sent.decision if each.sent else None
        waited = 0.0 if each.since is None else self._context.clock.now() - each.sent_at
        if sent is not None and not self._gives_verdicts and waited >= SILENT_SECONDS:
            return NativeSubscription(name, sent, each.told, each.rejection, sent.mark, None)
        return NativeSubscription(name, sent, each.acknowledged, each.rejection, each.acknowledged_mark, each.since)

    def sent(self, service: str) -> Encoded | None:
        """Return what the client was sent of a service; None for nothing."""
        encodings = (each.sent for each in self._followed.values() if each.sent is not None)
        return next((each for each in encodings if each.decision.service == service), None)

    def _take(self, request: pb.WatchAssignmentsRequest) -> None:
        limits = self._context.limits
        if self._profile is None:
            self._profile = profile_of(checked_profile(request.client, limits))
            self._context.meter.clients(self._profile.kind, 1)
        for name in request.unsubscribe:
            self._unfollow(name)
        for name in request.subscribe:
            self._follow(checked_name(name, limits))
        self._gives_verdicts = self._gives_verdicts or bool(request.verdicts)
        for verdict in request.verdicts:
            self._judge(verdict)

    def _follow(self, name: str) -> None:
        if name in self._followed:
            return
        most = self._context.limits.names_per_stream
        if len(self._followed) >= most:
            what = f"more than {most} names on one stream"
            raise InvalidRequestError(Finding("LB322", what, at="subscribe", do="open a second stream for the rest"))
        self._followed[name] = _Followed(self._directory.watch(name, lambda: self._mark(name)))
        self._changed[name] = None

    def _unfollow(self, name: str) -> None:
        followed = self._followed.pop(name, None)
        self._changed.pop(name, None)
        if followed is not None:
            followed.stop()

    def _judge(self, verdict: pb.AssignmentVerdict) -> None:
        for followed in self._followed.values():
            if followed.sent is None or followed.sent.decision.service != verdict.service:
                continue
            if verdict.version != followed.told:
                self._context.meter.judged("stale")  # About something replaced meanwhile.
                continue
            followed.since = None
            is_rejection = verdict.verdict == pb.VERDICT_REJECTED
            self._context.meter.judged("nack" if is_rejection else "ack")
            if is_rejection:
                kept = verdict.error.encode()[: self._context.limits.error_detail_bytes].decode(errors="ignore")
                what = f'the client rejected "{verdict.service}", version {verdict.version}'
                followed.parked = verdict.version
                followed.rejection = Finding("LB301", what, why=kept, effect="it stays on its last good list")
            else:
                followed.acknowledged = verdict.version
                followed.acknowledged_mark = followed.sent.decision.mark
                followed.rejection = None

    def _mark(self, name: str) -> None:
        self._changed[name] = None
        self._flush()

    def _ready(self, name: str) -> None:
        """What had to be made first may be there."""
        if name in self._followed:
            self._mark(name)

    def _flush(self) -> None:
        for name in list(self._changed):
            if self._outlet is None:
                return
            if name not in self._changed:
                continue  # Sent meanwhile: an outlet may call writable() from within offer().
            del self._changed[name]
            if not self._send(name):
                self._changed[name] = None  # Stays marked; writable() comes.
                return

    def _send(self, name: str) -> bool:
        """Send what is newest of ``name`` unless the client has it; False when the outlet refused."""
        followed = self._followed[name]
        version, encoded, payload = self._newest(name)
        if payload is None or self._outlet is None:
            return True
        if version in (followed.told, followed.parked):
            _renew(followed, version, encoded)
            return True
        before = followed.told, followed.sent
        followed.told, followed.sent = version, encoded
        if self._outlet.offer(payload):
            followed.sent_at = self._context.clock.now()
            followed.since = followed.since or followed.sent_at
            self._context.meter.pushed(payload.size)
            return True
        followed.told, followed.sent = before
        return False

    def _newest(self, name: str) -> tuple[str, Encoded | None, Payload | None]:
        """Return version, encoding and payload of what is true of ``name`` now; no payload for silence."""
        directory = self._directory
        decision = self._readable(directory.decision(name))
        if decision is not None:
            locality = (self._profile or ClientProfile()).locality
            ready = partial(self._ready, name)
            encoded = self._context.encoder.encoded(decision, decision.cohort_for(locality), ready=ready)
            return ("", None, None) if encoded is None else (encoded.message.version, encoded, encoded.payload(name))
        hidden = directory.decision(name) is not None and directory.ready
        if not hidden:
            self._context.encoder.forget(name)  # Removed: its last encoding need not be kept.
        if hidden or directory.is_unknown(name):  # Forbidden and unknown look alike.
            return UNKNOWN, None, unknown_payload(name, unknown_finding(name))
        return "", None, None

    def _readable(self, decision: Decision | None) -> Decision | None:
        if decision is None:
            return None
        allowed = self._context.authorizer.allows(self._peer.identity, Role.READ, decision.service)
        return decision if allowed else None

    def _end(self, error: LbControlError) -> None:
        self._context.meter.refused(error)
        if self._outlet is not None:
            self._outlet.end(status_of(error))
        self._release()

    def _release(self) -> None:
        self._pace.stop()
        for name in list(self._followed):
            self._unfollow(name)
        self._outlet = None
