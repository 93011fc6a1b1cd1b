"""LRS: introduction, answer, reports, and every limit at its boundary."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.endpoint.v3 import load_report_pb2
from envoy.service.load_stats.v3 import lrs_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api.lbcontrol.v1 import common_pb2

from lbcontrol.frontends.lrs.assigned import KEPT, Assigned
from lbcontrol.frontends.lrs.frontend import LrsFrontEnd
from lbcontrol.frontends.lrs.reading import LrsLimits
from lbcontrol.frontends.lrs.stream import NAMES_INTERVAL, LrsParts
from lbcontrol.model.assignment import EVERYONE, Assignment, Decision, Mark, zone_cohort
from lbcontrol.model.clients import Role
from lbcontrol.model.endpoints import Address, Locality
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import REFUSALS
from lbcontrol.runtime.ports import StatusCode, StreamHandler
from tests.unit.frontends.fakes import PEER, MemoryDirectory, MemoryLoads, MemoryOutlet, Permits, decision, endpoint

A = decision("a", 1, endpoint("10.0.0.1:1"), endpoint("10.0.0.2:1"), endpoint("[2001:db8::1]:1"), aliases=("alias",))
FIRST = "10.0.0.1:1"
ALL = "envoy.lrs.supports_send_all_clusters"


class World:
    """The front end with everything it is built on."""

    def __init__(self, *, denied: tuple[tuple[Role, str], ...] = (), limits: LrsLimits | None = None) -> None:
        self.directory = MemoryDirectory()
        self.directory.put(A)
        self.loads = MemoryLoads()
        self.clock = FakeClock()
        self.rejected: Counter[str] = Counter()
        parts = LrsParts(
            self.directory,
            Permits(*denied),
            self.loads,
            self.clock,
            kind_of=lambda _: "grpc-go",
            rejected=lambda reason: self.rejected.update((reason,)),
            limits=limits or LrsLimits(),
        )
        self.front = LrsFrontEnd(parts)

    def open(self, *features: str, zone: str = "", silent: bool = False) -> tuple[StreamHandler, MemoryOutlet]:
        """Open a stream and introduce a client; its answer is forgotten."""
        (method,) = self.front.methods()
        assert method.stream is not None
        handler, outlet = method.stream(), MemoryOutlet()
        handler.opened(PEER, {}, outlet)
        if not silent:
            place = {"region": "r", "zone": zone}
            node = base_pb2.Node(id="n", locality=place, client_features=features or (ALL,))
            handler.received(lrs_pb2.LoadStatsRequest(node=node).SerializeToString())
            assert len(outlet.sent) == 1
            outlet.sent.clear()
        return handler, outlet

    def told(self, outlet: MemoryOutlet) -> Any:
        """Return and forget the one answer."""
        (payload,) = outlet.sent
        outlet.sent.clear()
        return lrs_pb2.LoadStatsResponse.FromString(payload.message)


def place(sub_zone: str = FIRST, **counts: Any) -> Any:
    """Return the counts of a locality: 90 calls ended well unless told otherwise."""
    counts = {"total_successful_requests": 90, **counts}
    return load_report_pb2.UpstreamLocalityStats(locality={"sub_zone": sub_zone}, **counts)


def report(*places: Any, cluster: str = "a", seconds: float = 1.0) -> bytes:
    """Return a report about one cluster."""
    interval = Duration(nanos=round(seconds % 1 * 1e9), seconds=int(seconds // 1))
    stats = load_report_pb2.ClusterStats(
        cluster_name=cluster, upstream_locality_stats=places, load_report_interval=interval
    )
    raw: bytes = lrs_pb2.LoadStatsRequest(cluster_stats=[stats]).SerializeToString()
    return raw


def metric(requests: int, total: float, name: str = "") -> Any:
    """Return a sum that a client gathered of its backends' reports."""
    named = load_report_pb2.EndpointLoadMetricStats
    kind = named if name else load_report_pb2.UnnamedEndpointLoadMetricStats
    values: dict[str, Any] = {"metric_name": name} if name else {}
    return kind(num_requests_finished_with_metric=requests, total_metric_value=total, **values)


def code_of(outlet: MemoryOutlet) -> tuple[StatusCode, str]:
    """Return how a stream ended: status code and our own."""
    assert outlet.status is not None
    detail = common_pb2.ErrorDetail()
    assert RpcStatus.FromString(outlet.status.details).details[0].Unpack(detail)
    return outlet.status.code, detail.code


def test_client_that_can_is_asked_for_all_clusters() -> None:
    """The answer says how often, everything, and by endpoint for whoever can; only once."""
    world = World()
    handler, outlet = world.open(silent=True)
    node = base_pb2.Node(id="n", client_features=[ALL])
    handler.received(lrs_pb2.LoadStatsRequest(node=node).SerializeToString())
    answer = world.told(outlet)
    assert (answer.send_all_clusters, list(answer.clusters), answer.report_endpoint_granularity) == (True, [], True)
    assert answer.load_reporting_interval == Duration(seconds=1)
    handler.received(report(place()))
    assert outlet.sent == []


def test_other_client_is_asked_by_name_and_told_when_names_change() -> None:
    """It gets the services it may read, and hears of a new one after the interval, without hearing twice."""
    world = World(denied=((Role.READ, "b"),))
    world.directory.put(decision("b", 1))
    handler, outlet = world.open(silent=True)
    handler.received(b"")
    assert (world.told(outlet).clusters, outlet.status) == (["a"], None)
    world.directory.put(decision("c", 1))
    for seconds, names in ((1.0, None), (NAMES_INTERVAL, ["a", "c"]), (NAMES_INTERVAL, None)):
        world.clock.advance(seconds)
        handler.received(report(place()))
        assert (list(world.told(outlet).clusters) if outlet.sent else None) == names


def test_report_becomes_a_sample_of_the_endpoint_its_sub_zone_names() -> None:
    """Counts become rates by the interval; peer, service, our own time and the protocol stand with them."""
    world = World()
    handler, _ = world.open()
    world.clock.advance(5.0)
    counts = place(total_error_requests=10, total_requests_in_progress=3, total_issued_requests=99)
    handler.received(report(counts, cluster="alias", seconds=2.5))
    (testimony,) = world.loads.stored
    assert (testimony.peer, testimony.service, testimony.protocol) == (PEER, "a", "xds")
    assert (testimony.interval, testimony.received_at) == (2.5, world.clock.now())
    (sample,) = testimony.samples
    assert (sample.address, sample.rps, sample.eps, sample.in_flight) == (Address.parse(FIRST), 40.0, 4.0, 3)
    assert (sample.utilization, sample.latency, sample.named) == (None, None, {})


def test_envoy_reports_by_endpoint() -> None:
    """Where endpoints are counted, the locality's own sum is not; IPv6 needs no brackets in a socket address."""
    world = World()
    handler, _ = world.open()
    ends = []
    for host, calls in (("10.0.0.2", 5), ("2001:db8::1", 7)):
        socket = address_pb2.SocketAddress(address=host, port_value=1)
        address = address_pb2.Address(socket_address=socket)
        ends.append(load_report_pb2.UpstreamEndpointStats(address=address, total_successful_requests=calls))
    handler.received(report(place("rack", upstream_endpoint_stats=ends)))
    samples = world.loads.stored[0].samples
    assert [(str(each.address), each.rps) for each in samples] == [("10.0.0.2:1", 5.0), ("[2001:db8::1]:1", 7.0)]


def test_utilization_and_named_metrics_are_means_over_their_requests() -> None:
    """Clients send sums (gRFC A64, A85); the application's utilization counts before the processor's."""
    world = World()
    handler, _ = world.open()
    cpu, own = metric(4, 2.0), metric(2, 1.8)
    named = [metric(10, 30.0, "queue"), metric(0, 0.0, "idle")]
    both = place(cpu_utilization=cpu, application_utilization=own, load_metric_stats=named)
    handler.received(report(both, place("10.0.0.2:1", cpu_utilization=cpu)))
    first, second = world.loads.stored[0].samples
    assert (first.utilization, first.named, second.utilization) == (0.9, {"queue": 3.0, "idle": 0.0}, 0.5)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (report(place(), cluster="b"), "not_assigned"),
        (report(place("10.0.0.9:1")), "not_assigned"),
        (report(place("")), "not_assigned"),
        (report(place(), seconds=0.0), "out_of_range"),
        (report(place(), seconds=-1.0), "out_of_range"),
        (report(place(total_successful_requests=10_000_001)), "out_of_range"),
        (report(place(cpu_utilization=metric(1, 10.1))), "out_of_range"),
        (report(place(cpu_utilization=metric(1, float("nan")))), "out_of_range"),
        (report(place(load_metric_stats=[metric(1, float("inf"), "m")])), "out_of_range"),
        (report(place(load_metric_stats=[metric(1, 1.0, "m" * 65)])), "too_many_names"),
        (report(place(load_metric_stats=[metric(1, 1.0, f"m{n}") for n in range(33)])), "too_many_names"),
    ],
)
def test_bad_sample_is_dropped_and_counted_by_reason(raw: bytes, reason: str) -> None:
    """The stream lives on, nothing is stored, and the reason is one that metrics know."""
    world = World()
    handler, outlet = world.open()
    handler.received(raw)
    assert (world.loads.stored, world.loads.refusals, outlet.status) == ([], [(reason, 1)], None)
    assert reason in REFUSALS


def test_sample_at_its_limits_is_kept() -> None:
    """10^7 requests a second, a utilization of 10 and 32 names of 64 bytes are still good."""
    world = World()
    handler, _ = world.open()
    named = [metric(1, 1.0, f"{n:064}") for n in range(32)]
    most = place(total_successful_requests=10_000_000, cpu_utilization=metric(1, 10.0), load_metric_stats=named)
    handler.received(report(most))
    assert (len(world.loads.stored[0].samples), world.loads.refusals) == (1, [])


def test_endpoint_counts_once_in_a_report() -> None:
    """A second word about the same endpoint is a duplicate; the first stands."""
    world = World()
    handler, _ = world.open()
    handler.received(report(place(), place(total_successful_requests=1)))
    assert [sample.rps for sample in world.loads.stored[0].samples] == [90.0]
    assert world.loads.refusals == [("duplicate", 1)]


def test_forbidden_service_looks_like_an_unknown_one() -> None:
    """Nobody moves the weights of what he may not read, nor learns that it exists."""
    world = World(denied=((Role.READ, "a"),))
    handler, outlet = world.open()
    handler.received(report(place()))
    assert (world.loads.stored, world.loads.refusals, outlet.status) == ([], [("not_assigned", 1)], None)


def test_only_the_endpoints_of_the_reporters_cohort_count() -> None:
    """A client of a zone with a list of its own may not speak of the others."""
    world = World()
    everyone = Assignment("a", EVERYONE, (endpoint(FIRST), endpoint("10.0.0.2:1")))
    near = Assignment("a", "zone=r/z", (endpoint("10.0.0.2:1"),))
    world.directory.put(Decision("a", Mark(1, 2), {EVERYONE: everyone, near.cohort: near}))
    for zone, stored in (("z", 1), ("other", 2)):
        handler, _ = world.open(ALL, zone=zone)
        handler.received(report(place(), place("10.0.0.2:1")))
        assert len(world.loads.stored[-1].samples) == stored


@pytest.mark.parametrize(("pause", "stored"), [(0.49, 1), (0.5, 2)])
def test_report_that_comes_too_soon_is_dropped_unread(pause: float, stored: int) -> None:
    """Half a second must lie between two; the first may follow the introduction at once."""
    world = World()
    handler, outlet = world.open()
    handler.received(report(place()))
    world.clock.advance(pause)
    handler.received(report(place()))
    assert (len(world.loads.stored), world.rejected["too_soon"], outlet.status) == (stored, 2 - stored, None)
    handler.received(b"\xff\xff\xff")
    assert (world.rejected["malformed"], outlet.status) == (0, None)


@pytest.mark.parametrize(("word", "most"), [("localities", 6), ("clusters", 4), ("endpoints", 5), ("metrics", 3)])
def test_report_that_speaks_of_too_much_ends_the_stream(word: str, most: int) -> None:
    """INVALID_ARGUMENT with LB339 one beyond each limit, not at it; nothing of it is stored."""
    limits = LrsLimits(localities=6, clusters=4, endpoints=5, metrics=3)
    empty = load_report_pb2.UpstreamEndpointStats()
    for count in (most, most + 1):
        world = World(limits=limits)
        handler, outlet = world.open()
        spread = [place(upstream_endpoint_stats=[empty] * count)]
        raw = {
            "localities": report(*[place()] * count),
            "clusters": b"".join([report()] * count),
            "endpoints": report(*spread),
            "metrics": report(place(load_metric_stats=[metric(1, 1.0, f"m{n}") for n in range(count)])),
        }[word]
        handler.received(raw)
        assert world.rejected == ({} if count == most else {"report_size": 1})
        if count == most:
            assert outlet.status is None
        else:
            assert code_of(outlet) == (StatusCode.INVALID_ARGUMENT, "LB339")


@pytest.mark.parametrize(
    ("node", "code", "reason"),
    [
        (base_pb2.Node(id="n" * 257), "LB336", "node_id"),
        (base_pb2.Node(metadata={"k": "v" * 65_536}), "LB337", "node_metadata"),
    ],
)
def test_node_has_the_limits_of_xds(node: Any, code: str, reason: str) -> None:
    """Whoever is too large is refused before an answer."""
    world = World()
    handler, outlet = world.open(silent=True)
    handler.received(lrs_pb2.LoadStatsRequest(node=node).SerializeToString())
    assert (code_of(outlet), outlet.sent) == ((StatusCode.INVALID_ARGUMENT, code), [])
    assert world.rejected == {reason: 1}


def test_malformed_report_ends_the_stream_once() -> None:
    """LB320; what comes after it is not answered."""
    world = World()
    handler, outlet = world.open()
    for raw in (b"\xff\xff\xff", b"\xff\xff\xff"):
        handler.received(raw)
    assert code_of(outlet) == (StatusCode.INVALID_ARGUMENT, "LB320")
    handler.half_closed()
    handler.closed("ended")


def test_answer_waits_for_the_outlet_and_half_close_for_the_answer() -> None:
    """A full outlet takes it later; only then does the stream end in peace."""
    world = World()
    handler, outlet = world.open(silent=True)
    outlet.full = True
    handler.received(b"")
    handler.half_closed()
    assert (outlet.sent, outlet.status) == ([], None)
    outlet.full = False
    handler.writable()
    assert len(outlet.sent) == 1
    assert outlet.status is not None
    assert outlet.status.code is StatusCode.OK


def test_lists_of_addresses_are_made_once_for_a_decision_and_bounded() -> None:
    """Equal questions share the list until the decision changes; many services do not make it grow without end."""
    assigned, zone = Assigned(), zone_cohort(Locality("r", "z"))
    first = assigned.addresses(A, zone)
    assert assigned.addresses(A, zone) is first
    assert list(assigned.addresses(decision("a", 2, endpoint("10.0.0.9:1")), zone)) == ["10.0.0.9:1"]
    for number in range(KEPT):
        assigned.addresses(decision(f"s{number}", 1), zone)
    assert assigned.addresses(A, zone) is not first
