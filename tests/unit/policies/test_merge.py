"""Merge: one list of many snapshots."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM, Address, Endpoint, Health, Locality
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.policies import merge
from lbcontrol.policies.merge import MergeOutput, MergeState
from tests.support.builders import address, endpoint, snapshot


def merged(*snapshots: ServiceSnapshot, state: MergeState | None = None) -> tuple[MergeState, MergeOutput]:
    """Run the step."""
    return merge.step(state or MergeState(), snapshots, 0.0, None)


def test_endpoints_of_several_sources_add_up_sorted() -> None:
    """The list holds each address once, by locality and then address."""
    _, output = merged(snapshot([endpoint(3), endpoint(1, zone="b")]), snapshot([endpoint(2, zone="a")], source="two"))
    assert [each.address for each in output.endpoints] == [address(3), address(2), address(1)]
    assert set(output.changed) == {address(1), address(2), address(3)}


@pytest.mark.parametrize(
    ("healths", "counts"),
    [
        ((Health.SERVING, Health.DRAINING), Health.DRAINING),
        ((Health.DRAINING, Health.NOT_SERVING), Health.NOT_SERVING),
        ((Health.UNKNOWN, Health.SERVING), Health.SERVING),
        ((Health.UNKNOWN, Health.DRAINING), Health.DRAINING),
        ((Health.UNKNOWN, Health.UNKNOWN), Health.UNKNOWN),
    ],
)
def test_most_pessimistic_health_counts(healths: tuple[Health, Health], counts: Health) -> None:
    """One registry that knows of trouble is enough, whichever it is; not knowing says nothing."""
    for first, second in (healths, healths[::-1]):
        _, output = merged(
            snapshot([endpoint(1, health=first, weight=3)]),
            snapshot([endpoint(1, health=second, weight=9)], source="two"),
        )
        assert [(each.health, each.weight) for each in output.endpoints] == [(counts, 3)]


def test_duplicate_within_a_snapshot_is_settled_by_content() -> None:
    """Of two slices of one source the smaller origin counts, in whatever order they come."""
    twins = [endpoint(1, weight=7, origin="slice-b"), endpoint(1, weight=5, origin="slice-a", health=Health.DRAINING)]
    for order in (twins, twins[::-1]):
        _, output = merged(snapshot(order))
        assert [(each.weight, each.health) for each in output.endpoints] == [(5, Health.DRAINING)]


def test_last_good_yields_to_every_source() -> None:
    """What was served before a restart fills gaps, and neither its health nor its weight counts elsewhere."""
    old = snapshot([endpoint(1, weight=9, health=Health.DRAINING), endpoint(2, weight=4)], source=merge.LAST_GOOD)
    _, output = merged(snapshot([endpoint(1, weight=3)]), old)
    assert [(each.weight, each.health) for each in output.endpoints] == [(3, Health.SERVING), (4, Health.SERVING)]


def test_snapshot_that_does_not_define_the_service_adds_nothing() -> None:
    """A document that only attaches a policy names no endpoints."""
    attached = snapshot([endpoint(1)], defines=False)
    assert merged(attached)[1].endpoints == ()
    assert merge.claims([attached]) == {}


def test_unchanged_endpoint_keeps_its_object() -> None:
    """Only what differs is new, even when every value was made afresh and the file's lines moved."""
    state, first = merged(snapshot([endpoint(1, zone="a"), endpoint(2, zone="a"), endpoint(3)]))
    again = snapshot([endpoint(1, zone="a", origin="moved"), endpoint(2, zone="a", weight=5)])
    _, second = merged(again, state=state)
    assert first.endpoints[1] is second.endpoints[0]
    assert (second.changed, second.gone) == ((address(2),), (address(3),))


@pytest.mark.parametrize("field", [{"health": Health.DRAINING}, {"priority": 1}, {"locality": Locality("r2")}])
def test_each_field_makes_a_difference(field: dict[str, Any]) -> None:
    """Health, priority and place are looked at like the weight."""
    state, _ = merged(snapshot([endpoint(1)]))
    assert merged(snapshot([endpoint(1, **field)]), state=state)[1].changed == (address(1),)


def test_same_snapshots_are_not_merged_again() -> None:
    """When an override changes, the list of before is used as it is."""
    one = snapshot([endpoint(1)])
    state, first = merged(one)
    again, second = merged(one, state=state)
    assert again is state
    assert second == MergeOutput(first.endpoints)


def test_list_without_changes_is_the_same_list() -> None:
    """A snapshot made afresh with equal content gives the tuple of before."""
    state, first = merged(snapshot([endpoint(1)]))
    _, second = merged(snapshot([endpoint(1)]), state=state)
    assert second.endpoints is first.endpoints
    assert second.changed == second.gone == ()


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"weight": 0}, "has weight 0; accepted: 1 to"),
        ({"weight": MAX_WEIGHT_SUM + 1}, "accepted: 1 to 4294967295"),
        ({"priority": -1}, "has priority -1; accepted: 0 and above"),
    ],
)
def test_value_outside_the_model_is_refused(field: dict[str, Any], words: str) -> None:
    """The message quotes address, place and value."""
    with pytest.raises(ValueError, match=r"10\.0\.0\.1:50051") as refused:
        merged(snapshot([endpoint(1, origin="greeter.yaml:4", **field)]))
    assert words in str(refused.value)
    assert "greeter.yaml:4" in str(refused.value)


def test_claims_come_in_the_order_in_which_they_count() -> None:
    """The first claim is the winner's; those that yield are left out."""
    one, two = snapshot([endpoint(1, weight=1)]), snapshot([endpoint(1, weight=2), endpoint(2)], source="two")
    old = snapshot([endpoint(1, weight=3), endpoint(3)], source=merge.LAST_GOOD)
    found = merge.claims([two, one, old])
    assert [(source, each.weight) for source, each in found[address(1)]] == [("two", 2), ("one", 1)]
    assert [source for source, _ in found[address(3)]] == ["last-good"]
    assert set(merge.claims([one, two], {address(2)})) == {address(2)}


def test_order_is_by_text_of_host_and_number_of_port() -> None:
    """Ports sort as numbers; equal localities keep together."""
    two = [dataclasses.replace(endpoint(1), address=Address("10.0.0.1", port)) for port in (10000, 9000)]
    _, output = merged(snapshot([*two, Endpoint(Address("10.0.0.0", 1))]))
    assert [each.address.port for each in output.endpoints] == [1, 9000, 10000]
