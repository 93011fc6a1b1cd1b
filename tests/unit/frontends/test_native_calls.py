"""GetAssignment, ListServices, ReportLoad, Register and Withdraw, with their limits at the boundary."""

from __future__ import annotations

import asyncio

import pytest
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api.lbcontrol.v1 import common_pb2, load_pb2
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.frontends.admin_ports import ClientView, SubscriptionView
from lbcontrol.model.assignment import EVERYONE, Assignment, Decision, Mark
from lbcontrol.model.clients import ClientProfile, Identity, Peer, Role
from lbcontrol.model.endpoints import Health
from lbcontrol.runtime.metrics import REFUSALS
from lbcontrol.runtime.ports import Status, StatusCode, StatusError
from tests.unit.frontends.fakes import PEER, World, decision, endpoint

A = decision("a", 1, endpoint("10.0.0.1:1", 5), endpoint("10.0.0.2:1", health=Health.DRAINING), aliases=("alias",))


def failure(world: World, word: str, request: bytes, peer: Peer = PEER) -> Status:
    """Call a method that must fail and return its status."""
    with pytest.raises(StatusError) as caught:
        asyncio.run(world.call(word, request, peer))
    return caught.value.status


def code_of(status: Status) -> str:
    """Return the LB code in a status's details."""
    detail = common_pb2.ErrorDetail()
    rpc = RpcStatus.FromString(status.details)
    assert (rpc.code, rpc.message) == (status.code, status.message)
    assert rpc.details[0].Unpack(detail)
    return detail.code


def registration(**changes: object) -> bytes:
    """Return a registration of the peer's own address."""
    values = {"service": "a", "address": "192.0.2.7:50051", **changes}
    return pb.RegisterRequest(**values).SerializeToString()  # type: ignore[arg-type]


def test_get_assignment_answers_in_readable_addresses() -> None:
    """One call by alias gives the whole list with text addresses, weights and states."""
    world = World()
    world.directory.put(A)
    raw = asyncio.run(world.call("GetAssignment", pb.GetAssignmentRequest(service="alias").SerializeToString()))
    assignment = pb.GetAssignmentResponse.FromString(raw).assignment
    assert [(e.address, e.weight, e.health) for e in assignment.endpoints] == [
        ("10.0.0.1:1", 5, common_pb2.HEALTH_SERVING),
        ("10.0.0.2:1", 1, common_pb2.HEALTH_DRAINING),
    ]


def test_get_assignment_takes_the_cohort_of_the_clients_zone() -> None:
    """A client that says its zone gets the list made for that zone; another zone gets everyone's."""
    world = World()
    everyone = Assignment("a", EVERYONE, (endpoint("10.0.0.1:1"),))
    near = Assignment("a", "zone=r/z", (endpoint("10.0.0.2:1"),))
    world.directory.put(Decision("a", Mark(1, 1), {EVERYONE: everyone, near.cohort: near}))
    seen = []
    for zone in ("z", "other"):
        request = pb.GetAssignmentRequest(service="a", client={"locality": {"region": "r", "zone": zone}})
        raw = asyncio.run(world.call("GetAssignment", request.SerializeToString()))
        seen.append(pb.GetAssignmentResponse.FromString(raw).assignment.endpoints[0].address)
    assert seen == ["10.0.0.2:1", "10.0.0.1:1"]


def test_get_assignment_answers_unknown_and_forbidden_alike() -> None:
    """Both are NOT_FOUND with LB310 in the details, so that nobody learns what exists."""
    world = World(denied=((Role.READ, "a"),))
    world.directory.put(A)
    forbidden = failure(world, "GetAssignment", pb.GetAssignmentRequest(service="a").SerializeToString())
    unknown = failure(world, "GetAssignment", pb.GetAssignmentRequest(service="b").SerializeToString())
    assert forbidden.code is unknown.code is StatusCode.NOT_FOUND
    assert code_of(forbidden) == code_of(unknown) == "LB310"
    assert forbidden.message.replace('"a"', '"b"') == unknown.message


def test_malformed_request_is_an_invalid_argument() -> None:
    """Bytes that are no message end the call with a code of ours, not with a stack."""
    status = failure(World(), "GetAssignment", b"\xff\xff\xff")
    assert (status.code, code_of(status)) == (StatusCode.INVALID_ARGUMENT, "LB320")


def test_list_services_pages_through_what_the_caller_may_read() -> None:
    """Pages are sorted, end with an empty token and leave out what is forbidden."""
    world = World(denied=((Role.READ, "s2"),))
    world.directory.put(*(decision(f"s{n}", n, endpoint("10.0.0.1:1")) for n in (3, 1, 2)))
    names, token = [], ""
    for _ in range(2):
        request = pb.ListServicesRequest(page_size=1, page_token=token).SerializeToString()
        page = pb.ListServicesResponse.FromString(asyncio.run(world.call("ListServices", request)))
        names += [service.name for service in page.services]
        token = page.next_page_token
    assert (names, token) == (["s1", "s3"], "")


def test_list_services_counts_clients_of_every_protocol_and_tells_the_age() -> None:
    """A stock client follows a service as much as one of ours; it may follow it by several resources."""
    world = World()
    world.directory.put(decision("s", 1, endpoint("10.0.0.1:1"), aliases=("a",)), decision("t", 1))
    world.directory.changed = {"s": world.clock.now()}
    follows = (SubscriptionView("s"), SubscriptionView("other"))
    world.others = [ClientView(ClientProfile("c"), PEER, "xds", "locality", 0.0, follows)] * 2
    handler, _ = world.open("WatchAssignments")
    handler.received(pb.WatchAssignmentsRequest(subscribe=["a"]).SerializeToString())
    world.clock.advance(7.0)
    page = pb.ListServicesResponse.FromString(asyncio.run(world.call("ListServices", b"")))
    assert [(each.name, each.clients, each.age.seconds) for each in page.services] == [("s", 3, 7), ("t", 0, 0)]
    assert [each.HasField("age") for each in page.services] == [True, False]


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
def test_page_size_holds_at_its_boundary(size: int, fits: bool) -> None:
    """1,000 services may be asked for at once, not 1,001."""
    request = pb.ListServicesRequest(page_size=size).SerializeToString()
    if fits:
        asyncio.run(World().call("ListServices", request))
    else:
        assert code_of(failure(World(), "ListServices", request)) == "LB325"


def reported(world: World, *samples: dict[str, object], **report: object) -> pb.ReportLoadResponse:
    """Report samples of service "a" on a new stream and return the answer."""
    handler, outlet = world.open("ReportLoad")
    one = {"service": "a", "interval": {"seconds": 1}, "samples": list(samples), **report}
    handler.received(pb.ReportLoadRequest(reports=[one]).SerializeToString())
    assert outlet.status is None
    return pb.ReportLoadResponse.FromString(outlet.sent[-1].message)


def test_load_report_is_stored_with_its_voice_and_our_time() -> None:
    """A good sample reaches the store with peer, service, interval, our own clock and only what was measured."""
    world = World()
    world.directory.put(A)
    answer = reported(world, {"address": "10.0.0.1:1", "rps": 10.0, "latency_seconds": 0.02}, service="alias")
    (testimony,) = world.loads.stored
    assert (answer.accepted, testimony.peer, testimony.service) == (1, PEER, "a")
    assert (testimony.interval, testimony.received_at) == (1.0, world.clock.now())
    assert (testimony.samples[0].rps, testimony.samples[0].latency, testimony.samples[0].eps) == (10.0, 0.02, None)


OUT, NAMES = load_pb2.SAMPLE_REFUSAL_OUT_OF_RANGE, load_pb2.SAMPLE_REFUSAL_TOO_MANY_NAMES


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"utilization": 10.0}, None),
        ({"utilization": 10.001}, OUT),
        ({"utilization": -0.001}, OUT),
        ({"rps": 1e7}, None),
        ({"rps": 1e7 + 1}, OUT),
        ({"eps": 1e7}, None),
        ({"eps": float("nan")}, OUT),
        ({"latency_seconds": float("inf")}, OUT),
        ({"named": {str(n): 1.0 for n in range(32)}}, None),
        ({"named": {str(n): 1.0 for n in range(33)}}, NAMES),
        ({"named": {"n" * 64: 1.0}}, None),
        ({"named": {"n" * 65: 1.0}}, NAMES),
        ({"named": {"n": -1.0}}, OUT),
        ({"address": "10.9.9.9:1"}, load_pb2.SAMPLE_REFUSAL_NOT_ASSIGNED),
        ({"address": "localhost:1"}, load_pb2.SAMPLE_REFUSAL_BAD_ADDRESS),
    ],
)
def test_sample_limits_hold_at_their_boundary(values: dict[str, object], refusal: int | None) -> None:
    """A sample at the limit is stored; beyond it, it is dropped and counted by reason, and the stream lives."""
    world = World()
    world.directory.put(A)
    answer = reported(world, {"address": "10.0.0.1:1", **values})
    assert [(each.reason, each.count) for each in answer.refused] == ([] if refusal is None else [(refusal, 1)])
    assert len(world.loads.stored) == answer.accepted == (refusal is None)
    words = (
        []
        if refusal is None
        else [(load_pb2.SampleRefusal.Name(load_pb2.SampleRefusal.ValueType(refusal))[15:].lower(), 1)]
    )
    assert world.loads.refusals == words
    assert {reason for reason, _ in words} <= set(REFUSALS)


def test_reports_of_a_service_are_half_a_second_apart() -> None:
    """A second report within 0.5 s on the stream is dropped; at 0.5 s it counts."""
    world = World()
    world.directory.put(A)
    handler, outlet = world.open("ReportLoad")
    one = {"service": "a", "interval": {"seconds": 1}, "samples": [{"address": "10.0.0.1:1", "rps": 1.0}]}
    for pause in (0.0, 0.499, 0.001):
        world.clock.advance(pause)
        handler.received(pb.ReportLoadRequest(reports=[one]).SerializeToString())
    assert [pb.ReportLoadResponse.FromString(sent.message).accepted for sent in outlet.sent] == [1, 0, 1]


def test_load_answers_add_up_while_the_reader_is_slow() -> None:
    """Answers never queue: what waits is one sum, and the stream ends after it."""
    world = World()
    world.directory.put(A)
    handler, outlet = world.open("ReportLoad")
    outlet.full = True
    one = {"service": "a", "interval": {"seconds": 1}, "samples": [{"address": "10.0.0.1:1", "rps": 1.0}]}
    for _ in range(3):
        handler.received(pb.ReportLoadRequest(reports=[one]).SerializeToString())
        world.clock.advance(1.0)
    handler.half_closed()
    outlet.full = False
    handler.writable()
    assert [pb.ReportLoadResponse.FromString(sent.message).accepted for sent in outlet.sent] == [3]
    assert outlet.status is not None and outlet.status.code is StatusCode.OK


def test_register_announces_the_peers_own_address() -> None:
    """An all-zero IP stands for the caller's; defaults are weight 1, serving, 30 s, renewed after 10 s."""
    world = World()
    raw = asyncio.run(world.call("Register", registration(address="0.0.0.0:50051")))
    answer = pb.RegisterResponse.FromString(raw)
    (held,) = world.registrar.held.values()
    assert (answer.address, answer.ttl.seconds, answer.renew_after.seconds) == ("192.0.2.7:50051", 30, 10)
    assert (held.endpoint.weight, held.endpoint.health, held.ttl) == (1, Health.SERVING, 30.0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ttl": {"seconds": 10}}, None),
        ({"ttl": {"seconds": 9, "nanos": 999_999_999}}, "LB328"),
        ({"ttl": {"seconds": 600}}, None),
        ({"ttl": {"seconds": 600, "nanos": 1}}, "LB328"),
        ({"ttl": {"seconds": 0}}, "LB328"),
        ({"service": "x" * 512}, None),
        ({"service": "x" * 513}, "LB321"),
        ({"locality": {"zone": "z" * 512}}, None),
        ({"locality": {"zone": "z" * 513}}, "LB323"),
        ({"address": "backend:50051"}, "LB324"),
        ({"address": "192.0.2.8:50051"}, "LB503"),
        ({"health": 99}, "LB327"),
    ],
)
def test_register_limits_hold_at_their_boundary(changes: dict[str, object], code: str | None) -> None:
    """What is allowed is registered; the next value is refused with its code and registers nothing."""
    world = World()
    if code is None:
        asyncio.run(world.call("Register", registration(**changes)))
    else:
        assert code_of(failure(world, "Register", registration(**changes))) == code
    assert len(world.registrar.held) == (code is None)


def test_register_refuses_what_nobody_can_dial_even_where_its_network_is_allowed() -> None:
    """A multicast address draws no call to a backend."""
    world = World(allow=("0.0.0.0/0",))
    assert code_of(failure(world, "Register", registration(address="224.0.0.1:1"))) == "LB324"
    asyncio.run(world.call("Register", registration(address="198.51.100.4:1")))
    assert [str(each.endpoint.address) for each in world.registrar.held.values()] == ["198.51.100.4:1"]


def test_registered_text_that_a_terminal_obeys_is_refused() -> None:
    """Neither as name nor as place: both stand in tables, logs and metrics."""
    place = common_pb2.Locality(zone="z\x1b[2J")
    evil = (pb.RegisterRequest(service="a\nb", address="192.0.2.7:1"), pb.RegisterRequest(service="a", locality=place))
    evil[1].address = "192.0.2.7:1"
    codes = [code_of(failure(World(), "Register", each.SerializeToString())) for each in evil]
    assert codes == ["LB321", "LB323"]


def test_peer_holds_sixteen_registrations_and_renews_them_at_the_limit() -> None:
    """The seventeenth is RESOURCE_EXHAUSTED; renewing one of the sixteen is not."""
    world = World()
    for port in range(1, 17):
        asyncio.run(world.call("Register", registration(address=f"192.0.2.7:{port}")))
    status = failure(world, "Register", registration(address="192.0.2.7:17"))
    asyncio.run(world.call("Register", registration(address="192.0.2.7:16", weight=9)))
    assert (status.code, code_of(status)) == (StatusCode.RESOURCE_EXHAUSTED, "LB403")
    assert len(world.registrar.held) == 16


def test_registration_allow_opens_a_network_but_nobody_takes_over_a_lease() -> None:
    """An allowed network may be registered by another peer; a lease in force stays with who began it."""
    world = World(allow=("192.0.2.0/28",))
    asyncio.run(world.call("Register", registration(address="192.0.2.8:1")))
    other = Peer("192.0.2.8:5555")
    for word, request in (
        ("Register", registration(address="192.0.2.8:1")),
        ("Withdraw", pb.WithdrawRequest(service="a", address="192.0.2.8:1").SerializeToString()),
    ):
        assert code_of(failure(world, word, request, other)) == "LB504"
    assert code_of(failure(world, "Register", registration(address="192.0.2.16:1"))) == "LB503"


def test_authenticated_owner_withdraws_from_another_address_and_twice() -> None:
    """Once there are identities they own the lease; withdrawing what is gone is not an error."""
    world = World(allow=("192.0.2.0/24",))
    identity = Identity("spiffe://x/backend", authenticated=True)
    asyncio.run(world.call("Register", registration(), Peer("192.0.2.7:1", identity)))
    request = pb.WithdrawRequest(service="a", address="192.0.2.7:50051").SerializeToString()
    existed = []
    for _ in range(2):
        raw = asyncio.run(world.call("Withdraw", request, Peer("192.0.2.9:1", identity)))
        existed.append(pb.WithdrawResponse.FromString(raw).existed)
    assert existed == [True, False]


def test_register_needs_its_role() -> None:
    """Without the role "register" on the service the call is PERMISSION_DENIED."""
    status = failure(World(denied=((Role.REGISTER, "a"),)), "Register", registration())
    assert (status.code, code_of(status)) == (StatusCode.PERMISSION_DENIED, "LB502")
