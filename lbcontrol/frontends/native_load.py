"""ReportLoad: samples are checked one by one, stored, and every report is answered."""

from __future__ import annotations

import math
from collections import Counter
from typing import Protocol

from lookaside.api.lbcontrol.v1 import load_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.native_check import checked_name, checked_profile
from lbcontrol.frontends.native_encode import duration, profile_of, seconds
from lbcontrol.frontends.native_names import directory_for
from lbcontrol.frontends.native_ports import Directory, LoadSample, LoadSink, LoadTestimony, NativeLimits
from lbcontrol.frontends.pace import Pace
from lbcontrol.frontends.refusals import Refusals
from lbcontrol.frontends.status import OK, parsed, status_of
from lbcontrol.model.assignment import Decision
from lbcontrol.model.clients import ClientProfile, Peer, Role
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import InvalidRequestError, LbControlError
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Payload
from lbcontrol.runtime.ports import Authorizer, Clock, Metadata, Outlet

REPORT_INTERVAL = 1.0
"""Seconds between reports that we ask for."""


def _in_range(value: float | None, most: float) -> bool:
    return value is None or (math.isfinite(value) and 0 <= value <= most)


def _optional(sample: load_pb2.LoadSample, name: str) -> float | None:
    return getattr(sample, name) if sample.HasField(name) else None


def sample_of(raw: load_pb2.LoadSample, limits: NativeLimits) -> LoadSample | load_pb2.SampleRefusal:
    """Read one sample, or say why it is dropped."""
    try:
        address = Address.parse(raw.address)
    except ValueError:
        return load_pb2.SAMPLE_REFUSAL_BAD_ADDRESS
    sizes = [len(name.encode()) for name in raw.named]
    if len(sizes) > limits.named_metrics or max(sizes, default=0) > limits.named_metric_bytes:
        return load_pb2.SAMPLE_REFUSAL_TOO_MANY_NAMES
    sample = LoadSample(
        address,
        rps=_optional(raw, "rps"),
        eps=_optional(raw, "eps"),
        utilization=_optional(raw, "utilization"),
        latency=_optional(raw, "latency_seconds"),
        in_flight=raw.in_flight if raw.HasField("in_flight") else None,
        named=dict(raw.named),
    )
    bounded = [(sample.rps, limits.rate), (sample.eps, limits.rate), (sample.utilization, limits.utilization)]
    bounded += [(value, math.inf) for value in (sample.latency, *sample.named.values())]
    if not all(_in_range(value, most) for value, most in bounded):
        return load_pb2.SAMPLE_REFUSAL_OUT_OF_RANGE
    return sample


class LoadParts(Protocol):
    """What every such stream is built on."""

    @property
    def directory(self) -> Directory:
        """Decisions: who is assigned what."""
        ...

    @property
    def authorizer(self) -> Authorizer:
        """Who may read what."""
        ...

    @property
    def loads(self) -> LoadSink:
        """Where samples go."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def limits(self) -> NativeLimits:
        """Limits of the native API."""
        ...


class LoadStream:
    """The server's side of one ReportLoad call. Answers wait as one sum, never as a queue."""

    def __init__(self, parts: LoadParts, *, pace: Pace, refused: Refusals) -> None:
        """Wait for ``opened``; ``pace`` is this stream's own, ``refused`` counts what ends it."""
        self._directory = parts.directory
        self._authorizer = parts.authorizer
        self._sink = parts.loads
        self._clock = parts.clock
        self._limits = parts.limits
        self._pace = pace
        self._refused = refused
        self._peer = Peer("")
        self._profile: ClientProfile | None = None
        self._outlet: Outlet | None = None
        self._last: dict[str, float] = {}  # Bound: services this peer was given an assignment of.
        self._waiting: tuple[int, Counter[load_pb2.SampleRefusal]] | None = None
        self._half_closed = False

    def opened(self, peer: Peer, metadata: Metadata, outlet: Outlet) -> None:
        """Begin."""
        del metadata
        self._peer, self._outlet = peer, outlet
        self._directory = directory_for(peer.identity, self._directory)

    def received(self, message: bytes) -> None:
        """Check and store one report; a malformed one ends the stream, a bad sample is only dropped."""
        if self._outlet is None:
            return
        self._pace.count(self._outlet)
        try:
            request = parsed(pb.ReportLoadRequest, message)
            self._check(request)
        except LbControlError as error:
            self._end(error)
            return
        accepted, before = self._waiting or (0, Counter())
        refused: Counter[load_pb2.SampleRefusal] = Counter()
        for report in request.reports:
            accepted += self._store(report, refused)
        for reason, count in refused.items():
            self._sink.refused(_word(reason), count)
        self._waiting = (accepted, before + refused)
        self._flush()

    def half_closed(self) -> None:
        """The client is done: end once the last answer is out."""
        self._half_closed = True
        self._flush()

    def writable(self) -> None:
        """Send the answer that waits."""
        self._flush()

    def closed(self, reason: str) -> None:
        """Let go of everything."""
        del reason
        self._pace.stop()
        self._outlet = None

    def _check(self, request: pb.ReportLoadRequest) -> None:
        if self._profile is None:
            self._profile = profile_of(checked_profile(request.client, self._limits))
        counts = {"reports": (len(request.reports), self._limits.reports_per_message)}
        for report in request.reports:
            checked_name(report.service, self._limits)
            if not seconds(report.interval) > 0:
                raise InvalidRequestError(Finding("LB326", "the interval is not above 0", at="reports.interval"))
            most = max(counts.get("samples", (0, 0))[0], len(report.samples))
            counts["samples"] = (most, self._limits.samples_per_report)
        for at, (count, most) in counts.items():
            if count > most:
                raise InvalidRequestError(Finding("LB326", f"{count} {at}", at=at, why=f"the limit is {most}"))

    def _store(self, report: load_pb2.LoadReport, refused: Counter[load_pb2.SampleRefusal]) -> int:
        """Store a report's good samples; count the others in ``refused``."""
        now = self._clock.now()
        decision = self._readable(report.service)
        if decision is None:  # Unknown and forbidden look alike.
            refused[load_pb2.SAMPLE_REFUSAL_NOT_ASSIGNED] += len(report.samples)
            return 0
        if now - self._last.get(decision.service, -math.inf) < self._limits.report_spacing:
            refused[load_pb2.SAMPLE_REFUSAL_TOO_SOON] += len(report.samples)
            return 0
        good = self._good(report, decision, refused)
        if good:
            self._last[decision.service] = now
            self._sink.store(LoadTestimony(self._peer, decision.service, seconds(report.interval), now, good))
        return len(good)

    def _good(
        self, report: load_pb2.LoadReport, decision: Decision, refused: Counter[load_pb2.SampleRefusal]
    ) -> tuple[LoadSample, ...]:
        """Return the samples that count; the others are counted in ``refused``."""
        cohort = decision.cohort_for((self._profile or ClientProfile()).locality)
        assigned = {endpoint.address for endpoint in decision.assignments[cohort].endpoints}
        good: dict[Address, LoadSample] = {}
        for raw in report.samples:
            sample = sample_of(raw, self._limits)
            if not isinstance(sample, LoadSample):
                refused[sample] += 1
            elif sample.address not in assigned:
                refused[load_pb2.SAMPLE_REFUSAL_NOT_ASSIGNED] += 1
            elif sample.address in good:
                refused[load_pb2.SAMPLE_REFUSAL_DUPLICATE] += 1
            else:
                good[sample.address] = sample
        return tuple(good.values())

    def _readable(self, service: str) -> Decision | None:
        """Return the decision this client may read."""
        decision = self._directory.decision(service)
        if decision is None or not self._authorizer.allows(self._peer.identity, Role.READ, decision.service):
            return None
        return decision

    def _flush(self) -> None:
        if self._outlet is None:
            return
        if self._waiting is not None:
            accepted, refused = self._waiting
            answer = pb.ReportLoadResponse(
                accepted=accepted,
                refused=[load_pb2.RefusedSamples(reason=why, count=n) for why, n in sorted(refused.items())],
                interval=duration(REPORT_INTERVAL),
            )
            if not self._outlet.offer(Payload(answer.SerializeToString())):
                return
            self._waiting = None
        if self._half_closed:
            self._outlet.end(OK)
            self._outlet = None

    def _end(self, error: LbControlError) -> None:
        self._refused(error)
        self._pace.stop()
        if self._outlet is not None:
            self._outlet.end(status_of(error))
            self._outlet = None


def _word(reason: load_pb2.SampleRefusal) -> str:
    """Return the reason as metrics name it."""
    return load_pb2.SampleRefusal.Name(reason).removeprefix("SAMPLE_REFUSAL_").lower()
