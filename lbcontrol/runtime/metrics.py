"""Every metric family, in one registry of our own; names and labels are public interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from lbcontrol.model.endpoints import Health
from lbcontrol.model.rendering import ResourceType
from lbcontrol.runtime.rejections import FULL, REASONS

KINDS = ("grpc-cpp", "grpc-go", "grpc-java", "grpc-node", "envoy", "lookaside", "unknown")
"""Closed set of the label ``client_kind``."""
PROTOCOLS = ("xds", "native")
TYPES = tuple(kind.value for kind in ResourceType)
VERDICTS = ("ack", "nack", "stale")
CAUSES = ("endpoints", "health", "weight", "drain", "policy", "restored", "removed")
REFUSALS = (
    "out_of_range",
    "too_many_names",
    "not_assigned",
    "too_soon",
    "bad_address",
    "duplicate",
    "voices",
    "full",
)
"""Why a load sample is dropped: what the reporter is told, and the two limits of what is kept."""
ENDS = ("max_age", "shutdown", "slow", "certificate")
"""Why the server ends a stream."""
LOGINS = ("accepted", "denied", "unavailable", "busy")
KUBERNETES_WRITES = ("status", "event", "lease")
KUBERNETES_RESULTS = ("ok", "conflict", "missing", "refused", "invalid", "failed")
PARTS = ("engine", "hub", "compile", "follower", "subscriber", "source", "persistence", "transport")
"""Where an exception that nobody expected was caught."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets of every histogram of durations."""


class _Settling(Collector):
    """Has no series; makes those that come after it exact."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def collect(self) -> Iterable[Metric]:
        for call in self.calls:
            call()
        return ()


class Metrics:
    """The families of one process. Every series with a closed label set exists from the start with 0."""

    def __init__(self) -> None:
        """Make all families in a fresh registry."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # half of all lines, for nobody; a global switch
        self.registry = CollectorRegistry()
        self._settling = _Settling()
        self.registry.register(self._settling)  # First of all, so that it is asked first.
        self._process()
        self._sources()
        self._engine()
        self._push()

    def settle_with(self, settle: Callable[[], None]) -> None:
        """Call ``settle`` before every collection: whoever counts very often may keep the count until then."""
        self._settling.calls.append(settle)

    def render(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: Iterable[str] = (), *values: Iterable[str]) -> Counter:
        family = Counter(f"lbcontrol_{name}", text, tuple(labels), registry=self.registry)
        if values:
            for row in product(*values):
                family.labels(*row)
        return family

    def _gauge(self, name: str, text: str, labels: Iterable[str] = (), *values: Iterable[str]) -> Gauge:
        family = Gauge(f"lbcontrol_{name}", text, tuple(labels), registry=self.registry)
        if values:
            for row in product(*values):
                family.labels(*row)
        return family

    def _seconds(self, name: str, text: str, labels: Iterable[str] = ()) -> Histogram:
        return Histogram(f"lbcontrol_{name}", text, tuple(labels), buckets=SECONDS, registry=self.registry)

    def _process(self) -> None:
        self.build_info = self._gauge("build_info", "1, with the version as label.", ("version",))
        self.ready = self._gauge("ready", "1 when every source has synced once or last-good is loaded.")
        self.event_loop_lag_seconds = self._seconds("event_loop_lag_seconds", "How late the event loop ran a timer.")
        self.streams = self._gauge("streams", "Open streams.", ("protocol",), PROTOCOLS)
        self.streams_limit = self._gauge("streams_limit", "Most streams this process accepts.")
        self.streams_reaped_total = self._counter(
            "streams_reaped_total", "Streams the server ended.", ("reason",), ENDS
        )
        self.streams_shed_total = self._counter(
            "streams_shed_total", "Connections and streams refused because the process was full.", ("reason",), FULL
        )
        self.rejected_total = self._counter("rejected_total", "Inputs refused by a limit.", ("layer", "reason"))
        for layer, reasons in REASONS.items():
            for reason in reasons:
                self.rejected_total.labels(layer, reason)
        self.cert_expiry_timestamp_seconds = self._gauge(
            "cert_expiry_timestamp_seconds", "Unix time at which a certificate in force ends.", ("file",)
        )
        self.authn_total = self._counter("authn_total", "Logins by token, by what came of them.", ("result",), LOGINS)
        self.state_write_errors_total = self._counter("state_write_errors_total", "Writes of state that failed.")
        self.internal_errors_total = self._counter(
            "internal_errors_total", "Exceptions nobody expected; the rest went on.", ("part",), PARTS
        )
        self.bus_stale_rejected_total = self._counter(
            "bus_stale_rejected_total", "Decisions dropped because a later one was published before."
        )
        self.recoveries_total = self._counter("recoveries_total", "Damaged state documents left out at start.")

    def _sources(self) -> None:
        self.source_up = self._gauge("source_up", "1 while the source can be read.", ("source",))
        self.source_last_event_timestamp_seconds = self._gauge(
            "source_last_event_timestamp_seconds", "Unix time of the source's last sign of life.", ("source",)
        )
        self.source_lag_seconds = self._seconds(
            "source_lag_seconds",
            "Time from a change in the registry, by its own clock, until it was read.",
            ("source",),
        )
        self.source_errors_total = self._counter("source_errors_total", "Failures of the source.", ("source",))
        self.kubernetes_writes_total = self._counter(
            "kubernetes_writes_total", "Requests for status, Events and the Lease of their writer.", ("kind", "result"),
            KUBERNETES_WRITES, KUBERNETES_RESULTS,
        )  # fmt: skip
        self.kubernetes_lease_held = self._gauge(
            "kubernetes_lease_held", "1 while this replica is the one that writes status.", ("lease",)
        )
        self.config_valid = self._gauge("config_valid", "1 when the file is in force, 0 when refused.", ("file",))

    def _engine(self) -> None:
        self.services = self._gauge("services", "Services that exist.")
        healths = tuple(each.value for each in Health)
        self.endpoints = self._gauge("endpoints", "Endpoints by health.", ("service", "health"))
        self.endpoints_healths = healths
        self.clients = self._gauge("clients", "Connected clients.", ("client_kind",), KINDS)
        self.cohorts = self._gauge("cohorts", "Cohorts over all services.")
        self.service_frozen = self._gauge("service_frozen", "Services the engine cannot decide.", ("service",))
        self.assignment_revision = self._gauge("assignment_revision", "Newest revision.", ("service",))
        self.assignments_total = self._counter("assignments_total", "Decisions made.", ("reason",), CAUSES)
        self.compute_seconds = self._seconds("compute_seconds", "Time to decide after one event.")
        self.overrides = self._gauge("overrides", "Operator overrides in force.")

    def _push(self) -> None:
        self.pushes_total = self._counter("pushes_total", "Responses sent.", ("protocol", "type"), PROTOCOLS, TYPES)
        self.push_bytes_total = self._counter("push_bytes_total", "Bytes of responses sent.")
        self.encodes_total = self._counter(
            "encodes_total", "Resources encoded.", ("protocol", "type"), PROTOCOLS, TYPES
        )
        self.encode_seconds = self._seconds("encode_seconds", "Time to compile and encode one resource.")
        self.change_to_sent_seconds = self._seconds("change_to_sent_seconds", "Time from decision to publication.")
        self.change_to_ack_seconds = self._seconds("change_to_ack_seconds", "Time from publication to ACK.")
        self.acks_total = self._counter("acks_total", "Answers of clients.", ("verdict",), VERDICTS)
        self.parked_resources = self._gauge(
            "parked_resources",
            "Resources withheld because clients rejected them: from a whole kind, or from single clients.",
            ("client_kind",),
            KINDS,
        )
        self.mailbox_replaced_total = self._counter(
            "mailbox_replaced_total", "Versions skipped because a newer one came before the stream could take them."
        )
        self.unknown_names_total = self._counter("unknown_names_total", "Subscriptions to names nobody serves.")
        self.unknown_types_total = self._counter("unknown_types_total", "Requests for unknown xDS types.")
        self.load_samples_total = self._counter("load_samples_total", "Load samples stored.", ("protocol",), PROTOCOLS)
        self.load_samples_rejected_total = self._counter(
            "load_samples_rejected_total", "Load samples dropped.", ("reason",), REFUSALS
        )
