"""One StreamLoadStats call: an introduction, one answer that says what to report how often, then reports.

Clients send the node in their first request and report after the first answer (gRFC A27). The answer names the clusters
that are wanted, or all of them for clients that know of that; the others are told again when the names have changed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from envoy.service.load_stats.v3 import lrs_pb2
from google.protobuf.duration_pb2 import Duration

from lbcontrol.frontends.lrs.assigned import Assigned
from lbcontrol.frontends.lrs.outline import counts_only
from lbcontrol.frontends.lrs.reading import Given, LrsLimits, check_report, interval_of, samples_of
from lbcontrol.frontends.native_ports import Directory, LoadSink, LoadTestimony
from lbcontrol.frontends.status import OK, parsed, status_of
from lbcontrol.frontends.xds.limits import XdsLimits
from lbcontrol.frontends.xds.node import profile_of
from lbcontrol.model.assignment import Decision, zone_cohort
from lbcontrol.model.clients import ClientProfile, Peer, Role
from lbcontrol.model.errors import LbControlError
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Authorizer, Clock, Metadata, Outlet

SEND_ALL = "envoy.lrs.supports_send_all_clusters"
"""Feature of clients that need no list of clusters."""
REPORT_INTERVAL = 1
"""Whole seconds between reports that we ask for."""
NAMES_INTERVAL = 10.0
"""Seconds after which the names told to a client that needs them are looked at again."""
PROTOCOL = "xds"
"""Label of the samples."""


@dataclass(frozen=True, slots=True)
class LrsParts:
    """What LRS is built on."""

    directory: Directory
    authorizer: Authorizer
    loads: LoadSink
    clock: Clock
    kind_of: Callable[[str], str]
    """Client kind (``ClientProfile.kind``) of a ``node.user_agent_name``."""
    rejected: Callable[[str], None]
    """Counts an input that a limit refused, by its reason."""
    limits: LrsLimits = LrsLimits()
    node_limits: XdsLimits = XdsLimits()


class LoadStatsStream:
    """The server's side of one StreamLoadStats call. At most one answer waits, the newest."""

    def __init__(self, parts: LrsParts, assigned: Assigned) -> None:
        """Wait for ``opened``."""
        self._parts = parts
        self._assigned = assigned
        self._peer = Peer("")
        self._profile: ClientProfile | None = None
        self._zone = ""
        """Cohort of its zone (``zone_cohort``), once it is introduced."""
        self._outlet: Outlet | None = None
        self._heard_at = -math.inf
        """When the last request came that was not the introduction."""
        self._named_at: float | None = None
        self._named: Sequence[str] = ()
        """Clusters asked for by name; of a client that cannot report all."""
        self._waiting: Payload | None = None
        self._half_closed = False

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        del metadata
        self._peer, self._outlet = peer, outlet

    def received(self, message: bytes) -> None:
        """Take an introduction or a report; one beyond a limit ends the stream, a bad sample is only dropped."""
        parts = self._parts
        now = parts.clock.now()
        if now - self._heard_at < parts.limits.report_spacing:
            parts.rejected("too_soon")
            return
        try:
            request = parsed(lrs_pb2.LoadStatsRequest, message)
            check_report(request, size=len(message), limits=parts.limits)
            self._take(request, message, now=now)
        except LbControlError as error:
            self._refuse(error)
        else:
            if self._waiting is not None:
                self._flush()

    def _take(self, request: Any, message: bytes, *, now: float) -> None:
        profile, clusters = self._profile, request.cluster_stats
        if profile is not None or clusters:
            self._heard_at = now
        if profile is None:
            self._introduced(request, now)
        elif SEND_ALL not in profile.features and now - (self._named_at or 0.0) >= NAMES_INTERVAL:
            self._ask_by_name(now)
        if clusters:
            self._store(clusters, message, now=now)

    def half_closed(self) -> None:
        """The client is done: end once the answer is out."""
        self._half_closed = True
        self._flush()

    def writable(self) -> None:
        """Send the answer that waits."""
        self._flush()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        self._outlet = None

    def _introduced(self, request: Any, now: float) -> None:
        """Read who reports, and answer.

        Raises:
            InvalidRequestError: the node is too large (LB336, LB337).
        """
        node = request.node if request.HasField("node") else None
        profile = profile_of(node, self._parts.kind_of, limits=self._parts.node_limits)
        self._profile, self._zone = profile, zone_cohort(profile.locality)
        if SEND_ALL in profile.features:
            self._answer(send_all_clusters=True)
        else:
            self._ask_by_name(now)

    def _ask_by_name(self, now: float) -> None:
        """Answer with the names of all services that the client may read, unless it was told the same."""
        names, first = self._readable_names(), self._named_at is None
        self._named_at = now
        if first or names != self._named:
            self._named = names
            self._answer(clusters=names)

    def _answer(self, **what: Any) -> None:
        """Put the answer in line; whoever counts by endpoint is asked to."""
        interval = Duration(seconds=REPORT_INTERVAL)
        answer = lrs_pb2.LoadStatsResponse(load_reporting_interval=interval, report_endpoint_granularity=True, **what)
        self._waiting = Payload(answer.SerializeToString())

    def _readable_names(self) -> tuple[str, ...]:
        decisions = self._parts.directory.decisions()
        return tuple(sorted(each.service for each in decisions if self._may_read(each)))

    def _may_read(self, decision: Decision) -> bool:
        return self._parts.authorizer.allows(self._peer.identity, Role.READ, decision.service)

    def _store(self, clusters: Any, message: bytes, *, now: float) -> None:
        """Hand over a report's good samples; count the others."""
        parts, directory, limits = self._parts, self._parts.directory, self._parts.limits.samples
        refused: list[str] = []
        plain = counts_only(message)
        for stats in clusters:
            decision = directory.decision(stats.cluster_name)
            places = stats.upstream_locality_stats
            if decision is None or not self._may_read(decision):  # Unknown and forbidden look alike.
                refused += ["not_assigned"] * len(places)
                continue
            addresses, interval = self._assigned.addresses(decision, self._zone), interval_of(stats)
            good = samples_of(places[:], Given(interval, addresses, refused, limits), counts_only=plain)
            if good:
                parts.loads.store(LoadTestimony(self._peer, decision.service, interval, now, good, PROTOCOL))
        if refused:
            for reason, count in Counter(refused).items():
                parts.loads.refused(reason, count)

    def _flush(self) -> None:
        if self._outlet is None:
            return
        if self._waiting is not None:
            if not self._outlet.offer(self._waiting):
                return
            self._waiting = None
        if self._half_closed:
            self._outlet.end(OK)
            self._outlet = None

    def _refuse(self, error: LbControlError) -> None:
        self._parts.rejected(REASONS[error.finding.code])
        if self._outlet is not None:
            self._outlet.end(status_of(error))
            self._outlet = None


REASONS = {"LB320": "malformed", "LB336": "node_id", "LB337": "node_metadata", "LB339": "report_size"}
"""Label ``reason`` of ``rejected_total`` by the code of the finding."""
