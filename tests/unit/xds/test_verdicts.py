"""ACK and NACK: what is parked, for how long, and what it is about."""

from __future__ import annotations

import pytest

from lbcontrol.frontends.xds.entries import blamed_of
from lbcontrol.model.rendering import Resource, ResourceType
from tests.unit.xds.fakes import Bench


def test_nack_in_a_full_set_keeps_the_last_good_one_in_the_next_set() -> None:
    """A listener whose update was rejected is sent in its last good form when another one changes the set."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("LDS", ["a", "late"])
    (good,) = stream.news()
    stream.ask("LDS", ["a", "late"])
    bench.publish(late=[3])
    (update,) = stream.news()
    stream.ask("LDS", ["a", "late"], error='resource "late" is no good')
    stream.ask("LDS", ["a", "late", "more"])
    (full,) = stream.news()
    assert sorted(full.bodies) == ["a", "late", "more"]
    assert full.bodies["late"] == good.bodies["late"] != update.bodies["late"]


def test_nack_in_a_full_set_leaves_out_what_was_never_good() -> None:
    """A listener rejected from the start is not in the next set, and comes once its bytes change."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open()
    stream.ask("LDS", ["a", "b"])
    stream.news()
    stream.ask("LDS", ["a", "b"], error='resource "b" is no good')
    stream.ask("LDS", ["a", "b", "more"])
    assert stream.told() == [("LDS", ["a", "more"])]
    bench.publish(without="b")
    assert stream.told() == [("LDS", ["a", "b", "more"])]


@pytest.mark.parametrize("variant", ["sotw", "delta"])
def test_nack_names_what_it_is_about(variant: str) -> None:
    """Of a response with two lists only the one named in the reason is parked; the other counts as accepted."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open(variant)
    stream.ask("EDS", ["a", "b"])
    stream.news()
    names = ["a", "b"] if variant == "sotw" else []
    stream.ask("EDS", names, error="[resource index 1: b: INVALID_ARGUMENT: weight]")
    assert bench.view().rejections == [("b", "192.0.2.7", "[resource index 1: b: INVALID_ARGUMENT: weight]")]
    assert [accepted.name for accepted in bench.view().acceptances] == []
    bench.publish(a=[2], b=[2])
    assert stream.told() == [("EDS", ["a", "b"])]


def test_blame_falls_on_whole_names_and_on_all_when_none_is_named() -> None:
    """``cart`` is not named by ``cart-v2``; a reason that names nothing is about everything."""

    def of(*names: str, cause: str) -> list[str]:
        made = [Resource(ResourceType.CLUSTER, n, version="v", body=b"", form=None) for n in names]
        return [each.name for each in blamed_of(tuple(made), cause)]

    assert of("cart", "cart-v2", cause='cluster "cart-v2": bad') == ["cart-v2"]
    assert of("cart", "cart-v2", cause="cart-v2 and cart are bad") == ["cart", "cart-v2"]
    assert of("a", "b", cause="no good") == ["a", "b"]
    assert of("a", cause="b is bad") == ["a"]


def test_parked_bytes_stay_parked_and_return_to_good_is_silent() -> None:
    """Good, rejected, good: nothing is sent for the last step; rejected bytes published anew are sent again."""
    bench = Bench(a=[1])
    stream = bench.refusing("no")
    bench.publish()
    bench.publish(a=[1])
    assert stream.told() == []
    bench.publish(a=[2])
    assert stream.told() == [("EDS", ["a"])]


def test_late_verdicts_count_for_what_they_are_about() -> None:
    """A NACK that crossed a newer response parks its own bytes only; its names do not count."""
    bench = Bench(a=[1], b=[1])
    stream = bench.open()
    stream.ask("EDS", ["a", "b"])
    (first,) = stream.news()
    bench.publish(b=[2])
    stream.news()
    stream.ask("EDS", ["a", "b", "c"], nonce=first.nonce, error='"a" is bad')
    assert stream.told() == []
    assert [name for name, _, _ in bench.view().rejections] == ["a"]
    assert bench.count("acks_total", verdict="stale") == 1
    stream.ask("EDS", ["a", "b"])
    assert [accepted.name for accepted in bench.view().acceptances] == ["b"]


def test_more_than_ten_nacks_a_minute_are_not_passed_on() -> None:
    """A client that rejects everything is heard ten times a minute for each resource, and counted."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    for number in range(15):
        stream.news()
        stream.ask("EDS", ["a"], error="no")
        bench.publish(a=[number + 2])
    assert len(bench.view().rejections) == 10
    assert bench.count("rejected_total", layer="xds", reason="nacks") == 5
    bench.clock.advance(61)
    stream.news()
    stream.ask("EDS", ["a"], error="no")
    assert len(bench.view().rejections) == 11


def test_bytes_accepted_once_and_rejected_later_are_parked_too() -> None:
    """A client may come to refuse what it took before; then there is no good one to fall back to."""
    bench = Bench(a=[1])
    stream = bench.open("delta")
    stream.ask("EDS", ["a"])
    stream.news()
    stream.ask("EDS")
    stream.ask("EDS", ["a"])
    stream.news()
    stream.ask("EDS", ["a"], error="")
    assert stream.told() == []
    assert bench.view().rejections == [("a", "192.0.2.7", "no reason given, code 0")]


def test_verdicts_beyond_memory_are_forgotten() -> None:
    """A client that never answers is remembered for sixteen responses, the newest ones."""
    bench = Bench(a=[1])
    stream = bench.open("delta")
    stream.ask("EDS", ["a"])
    (first,) = stream.news()
    for weight in range(2, 40):
        bench.publish(a=[weight])
    last = stream.news()[-1]
    stream.ask("EDS", nonce=first.nonce)
    assert bench.view().acceptances == []
    stream.ask("EDS", nonce=last.nonce)
    assert len({accepted.version for accepted in bench.view().acceptances}) == 1
    assert bench.count("acks_total", verdict="stale") == 1
    assert bench.count("acks_total", verdict="ack") == 1


def test_reason_is_cut_and_cleaned() -> None:
    """Of a reason 1 KB is kept, in one line."""
    bench = Bench(a=[1])
    stream = bench.open()
    stream.ask("EDS", ["a"])
    stream.news()
    stream.ask("EDS", ["a"], error="ä\n" * 5_000)
    ((_, _, reason),) = bench.view().rejections
    assert len(reason.encode()) <= 1_024
    assert set(reason) == {"ä", " "}
