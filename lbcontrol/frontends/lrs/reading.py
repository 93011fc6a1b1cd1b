"""How a LoadStatsRequest is read: bounded as a whole, each sample checked by itself.

gRPC reports by locality only; under our carrier a locality is one endpoint and its sub-zone names it. Envoy, asked for
it, reports by endpoint. Counts are of one interval: requests that ended, well or in error, by its length, are rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any, NamedTuple

from lbcontrol.frontends.lrs.counted import Counted
from lbcontrol.frontends.native_ports import NOTHING, LoadSample, NativeLimits
from lbcontrol.model.endpoints import Address
from lbcontrol.model.errors import InvalidRequestError
from lbcontrol.model.findings import Finding

NANOS = 1e-9


@dataclass(frozen=True, slots=True)
class LrsLimits:
    """Input limits of LRS (RELIABILITY: input limits)."""

    message_bytes: int = 1_048_576
    localities: int = 5_000
    """Of one report, over all its clusters."""
    clusters: int = 10_000
    """Of one report: as many names as one stream may follow."""
    endpoints: int = 10_000
    """Of one report: some 50 ms."""
    metrics: int = 20_000
    """Named metrics of one report: more would hold everybody else up for too long."""
    report_spacing: float = 0.5
    """Seconds between two reports of a stream; one that comes sooner is dropped unread."""
    samples: NativeLimits = NativeLimits()
    """What one sample may say: the same as by the native API."""
    short_bytes: int = field(init=False)
    """A report that is shorter cannot speak of too much."""

    def __post_init__(self) -> None:
        """Derive what every report asks for."""
        least = min(self.localities, self.clusters, self.endpoints, self.metrics)
        object.__setattr__(self, "short_bytes", ENTRY_BYTES * least)


ENTRY_BYTES = 2
"""Least size of a cluster, locality, endpoint or metric in a message: tag and length."""


def check_report(request: Any, *, size: int, limits: LrsLimits) -> None:
    """Refuse a report of ``size`` bytes that speaks of too much; a short one cannot. Each count bounds the next.

    Raises:
        InvalidRequestError: LB339; the stream ends with it.
    """
    if size < limits.short_bytes:
        return
    clusters = request.cluster_stats
    _check("clusters", len(clusters), limits.clusters)
    _check("localities", sum([len(one.upstream_locality_stats) for one in clusters]), limits.localities)
    places = [place for one in clusters for place in one.upstream_locality_stats]
    _check("endpoints", sum([len(place.upstream_endpoint_stats) for place in places]), limits.endpoints)
    endpoints = [endpoint for place in places for endpoint in place.upstream_endpoint_stats]
    _check("metrics", sum([len(each.load_metric_stats) for each in (*places, *endpoints)]), limits.metrics)


def _check(what: str, count: int, most: int) -> None:
    if count > most:
        finding = Finding("LB339", f"{count} {what} in one report", at="cluster_stats", why=f"the limit is {most}")
        raise InvalidRequestError(finding)


def interval_of(stats: Any) -> float:
    """Return the seconds that the counts of a cluster (ClusterStats) cover; 0 when it does not say."""
    interval = stats.load_report_interval
    return float(interval.seconds + interval.nanos * NANOS)


class Given(NamedTuple):
    """What the localities of one cluster are read with."""

    interval: float
    """Seconds that their counts cover, as the cluster says."""
    addresses: Mapping[str, Address]
    """What the reporter was assigned, by address as text."""
    refused: list[str]
    """Gets the reason of each sample that is dropped."""
    limits: NativeLimits
    """Of one sample."""


def samples_of(places: Sequence[Any], given: Given, *, counts_only: bool) -> Sequence[LoadSample]:
    """Return the good samples of a cluster's localities.

    Args:
        places: UpstreamLocalityStats.
        given: What they are read with.
        counts_only: True when they are known to say nothing but counts of their own.
    """
    return (_counted(places, given) if counts_only and places else None) or _each(places, given)


def _counted(places: Sequence[Any], given: Given) -> Counted | None:
    """Return the samples of localities that say nothing but counts, if all are good: the same as ``_each`` returns."""
    interval, addresses, _, limits = given
    keys = [place.locality.sub_zone for place in places]
    distinct = set(keys)
    if not 0.0 < interval < math.inf or len(distinct) < len(keys) or not distinct <= addresses.keys():
        return None
    failed = [place.total_error_requests for place in places]
    ended = [place.total_successful_requests for place in places]
    if any(failed):
        ended = list(map(add, ended, failed))
    if max(ended) > limits.rate * interval:
        return None
    in_flight = [place.total_requests_in_progress for place in places]
    return Counted([addresses[key] for key in keys], ended, failed=failed, in_flight=in_flight, interval=interval)


def _each(places: Sequence[Any], given: Given) -> Sequence[LoadSample]:
    """Return the good samples of localities that may say anything."""
    interval, addresses, refused, limits = given
    found: dict[str, LoadSample] = {}
    sane = 0.0 < interval < math.inf
    for key, counts, utilization in _entries(places):
        address = addresses.get(key)
        failed = counts.total_error_requests
        ended = counts.total_successful_requests + failed
        metrics = counts.load_metric_stats
        if address is None:
            refused.append("not_assigned")
        elif key in found:
            refused.append("duplicate")
        elif not sane or ended > limits.rate * interval:
            refused.append("out_of_range")
        elif (utilization or metrics) and (reason := _refusal(utilization or 0.0, metrics, limits)):
            refused.append(reason)
        else:
            found[key] = LoadSample(
                address,
                ended / interval,
                failed / interval,
                utilization,
                None,
                counts.total_requests_in_progress,
                {one.metric_name: _mean(one) for one in metrics} if metrics else NOTHING,
            )
    return tuple(found.values())


def _entries(places: Sequence[Any]) -> Iterator[tuple[str, Any, float | None]]:
    """Yield what is counted: of which endpoint, the counts, its utilization.

    A locality of several endpoints names none of them. Only localities carry a utilization.
    """
    for place in places:
        if place.upstream_endpoint_stats:
            for endpoint in place.upstream_endpoint_stats:
                socket = endpoint.address.socket_address
                host = f"[{socket.address}]" if ":" in socket.address else socket.address
                yield f"{host}:{socket.port_value}", endpoint, None
        else:
            yield place.locality.sub_zone, place, _utilization(place)


def _refusal(utilization: float, metrics: Any, limits: NativeLimits) -> str:
    """Return the reason why measured values are dropped; empty when they are good."""
    if not 0.0 <= utilization <= limits.utilization:
        return "out_of_range"
    if len(metrics) > limits.named_metrics or any(
        len(one.metric_name.encode()) > limits.named_metric_bytes for one in metrics
    ):
        return "too_many_names"
    return "" if all(0.0 <= _mean(one) < math.inf for one in metrics) else "out_of_range"


def _utilization(place: Any) -> float | None:
    """Return the mean of what backends said by ORCA (gRFC A85): the application's word, else the processor's."""
    if place.HasField("application_utilization"):
        return _mean(place.application_utilization)
    return _mean(place.cpu_utilization) if place.HasField("cpu_utilization") else None


def _mean(metric: Any) -> float:
    """Return the mean over the requests that named the metric; a client sends the sum (gRFC A64)."""
    count = metric.num_requests_finished_with_metric
    return float(metric.total_metric_value) / count if count else 0.0
