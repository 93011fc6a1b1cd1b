"""Bytes that a kind rejects are withheld from it; removals and drains reach it all the same."""

from __future__ import annotations

from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm, Resource
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.runtime.parking import MOST_PEERS, MOST_RECORDS, Parking, without_gone
from tests.unit.runtime.fakes import CLUSTER, ENDPOINTS, Stream, World, body, ports_of


def read(stream: Stream) -> Resource:
    """Return what a stream read last."""
    answer = stream.read[ENDPOINTS, "a"]
    assert isinstance(answer, Resource)
    return answer


def reject(stream: Stream, resource: Resource, *peers: str) -> None:
    """Let peers refuse the bytes."""
    for peer in peers:
        stream.view.rejected(resource, peer=peer, reason="duplicate")


def accepted_world(streams: int = 5, *weights: int) -> tuple[World, list[Stream]]:
    """Return streams that accepted service a."""
    world = World()
    world.decide("a", *(weights or (1, 2, 3)))
    found = [world.stream((ENDPOINTS, "a")) for _ in range(streams)]
    for stream in found:
        stream.view.acknowledged(read(stream))
    return world, found


def parked_world(*weights: int) -> tuple[World, Stream, Resource, Resource]:
    """Return a world in which the kind rejected the second list, a stream, and the two lists."""
    world, streams = accepted_world()
    good = read(streams[0])
    world.decide("a", *weights)
    world.clock.advance(5)
    bad = read(streams[0])
    reject(streams[0], bad, "p1", "p2", "p3")
    world.clock.advance(5)
    return world, streams[0], good, bad


def test_three_peers_and_a_fifth_of_the_kind_park() -> None:
    """The kind falls back to the last good bytes and hears of it; the cause is shown; other kinds are not touched."""
    world, streams = accepted_world(20)
    other = world.stream((ENDPOINTS, "a"), kind="grpc-cpp")
    good = read(streams[0])
    world.decide("a", 9, 2, 3)
    world.clock.advance(5)
    bad = read(streams[0])
    reject(streams[0], bad, "p1", "p2", "p2", "p3")
    world.clock.advance(5)
    assert read(streams[0]) is bad
    reject(streams[1], bad, "p4")
    world.clock.advance(5)
    assert all(read(stream) is good for stream in streams)
    assert read(other) is bad
    assert world.sample("parked_resources", client_kind="grpc-go") == 1
    assert [(f.code, f.why) for f in world.publisher.findings()] == [("LB905", "duplicate")]


def test_parked_bytes_are_tried_again_only_when_they_change() -> None:
    """The same decision again stays parked; another weight is sent, and the gauge falls."""
    world, stream, good, _ = parked_world(9, 2, 3)
    assert read(stream) is good
    world.decide("a", 9, 2, 3)
    world.clock.advance(5)
    assert stream.view.resource(ENDPOINTS, "a") is good
    world.decide("a", 8, 2, 3)
    world.clock.advance(5)
    assert b"weight=8" in body(read(stream))
    assert world.sample("parked_resources", client_kind="grpc-go") == 0


def test_drain_and_removal_are_taken_out_of_the_last_good_list() -> None:
    """What was rejected stays withheld, but endpoints that drain or left are no longer dialled."""
    world, stream, good, _ = parked_world(9, 2, 3)
    world.decide("a", 9, 0, 3)
    world.clock.advance(5)
    shown = read(stream)
    assert isinstance(shown.form, EndpointsForm)
    assert ports_of(shown.form) == [50_000, 50_002]
    assert b"weight=9" not in shown.body
    assert shown.version != good.version
    world.decide("a", 9, 0)
    world.clock.advance(5)
    assert isinstance(read(stream).form, EndpointsForm)
    assert b"weight=1" in body(read(stream))
    assert b"50002" not in body(read(stream))
    assert world.sample("parked_resources", client_kind="grpc-go") == 1


def test_list_of_which_nothing_is_left_is_not_kept() -> None:
    """When every good endpoint is gone the rejected list is better than none."""
    world, stream, _, _ = parked_world(9, 2, 3, 4)
    world.decide("a", 0, 0, 0, 4)
    world.clock.advance(5)
    assert b"weight=4" in body(read(stream))
    assert world.sample("parked_resources", client_kind="grpc-go") == 0


def test_bytes_without_anything_good_before_are_not_parked() -> None:
    """Silence would help nobody: the client is told what it rejects, and why is shown by its stream."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((ENDPOINTS, "a"))
    reject(stream, read(stream), "p1", "p2", "p3")
    world.clock.advance(5)
    assert stream.told == []
    assert world.sample("parked_resources", client_kind="grpc-go") == 0


def test_parked_gauge_falls_when_the_last_follower_leaves() -> None:
    """Nothing is withheld from nobody."""
    world, _, _, _ = parked_world(9, 2, 3)
    for followers in list(world.view().followers._by_change.values()):
        for follower in list(followers):
            assert isinstance(follower, Stream)
            follower.leave()
    assert world.sample("parked_resources", client_kind="grpc-go") == 0


def test_other_types_fall_back_whole() -> None:
    """A rejected cluster is replaced by the one before; stale and strange rejections do not count."""
    world = World()
    world.decide("a", 1)
    stream = world.stream((CLUSTER, "a"))
    first = stream.read[CLUSTER, "a"]
    assert isinstance(first, Resource)
    stream.view.acknowledged(first)
    stream.view.rejected(Resource(CLUSTER, "zzz", version="1", body=b"", form=None), peer="p", reason="")
    stream.view.acknowledged(Resource(CLUSTER, "zzz", version="1", body=b"", form=None))
    reject(stream, first, "p1", "p2", "p3")
    world.clock.advance(5)
    assert stream.view.resource(CLUSTER, "a") is first


def test_acks_are_timed_for_the_first_few() -> None:
    """Five per publication, and none for a stream that reads what was published long ago."""
    world, streams = accepted_world(9)
    assert world.sample("change_to_ack_seconds_count") == 0
    world.decide("a", 5, 5, 5)
    world.clock.advance(1)
    for stream in streams:
        stream.view.acknowledged(read(stream))
    assert world.sample("change_to_ack_seconds_count") == 5
    assert world.sample("change_to_ack_seconds_sum") == 5


def test_priorities_stay_contiguous_when_a_tier_leaves() -> None:
    """A list whose first tier drained begins at priority 0 again."""

    def tier(port: int, priority: int, health: Health = Health.SERVING) -> LocalityForm:
        endpoint = EndpointForm(Address("127.0.0.1", port), health)
        return LocalityForm(Locality("r", "z", str(port)), priority, 1, (endpoint,))

    good = EndpointsForm("a", (tier(1, 0), tier(2, 1), tier(3, 2)))
    newest = EndpointsForm("a", (tier(1, 0, Health.DRAINING), tier(2, 1), tier(3, 2)))
    assert [(each.priority, each.endpoints[0].address.port) for each in without_gone(good, newest).localities] == [
        (0, 2),
        (1, 3),
    ]
    assert without_gone(good, good) is good
    pair = LocalityForm(Locality("r"), 0, 2, tier(1, 0).endpoints + tier(2, 0).endpoints)
    left = without_gone(EndpointsForm("a", (pair,)), newest)
    assert [endpoint.address.port for endpoint in left.localities[0].endpoints] == [2]


def test_parking_is_bounded() -> None:
    """The oldest rejections and the last peers are forgotten; a storm of NACKs does not grow memory."""
    parking = Parking(Metrics())
    for number in range(MOST_RECORDS + 10):
        parking.reject(("grpc-go", CLUSTER, f"s{number}", "v"), peer="p", reason="", followers=1)
    for number in range(MOST_PEERS + 10):
        parking.reject(("grpc-go", CLUSTER, "s300", "v"), peer=str(number), reason="x" * 1000, followers=10**6)
    assert len(parking._records) == MOST_RECORDS
    assert len(parking._records["grpc-go", CLUSTER, "s300", "v"].peers) == MOST_PEERS
    assert parking.findings() == []
