"""Start-up: nothing is decided on half a picture, and what was served before is served at once."""

from __future__ import annotations

import dataclasses

from lbcontrol.engine.engine import Engine
from lbcontrol.engine.events import GraceEnded, OverrideSet, Restored, SourceAdded, SourceSynced
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment, Decision, Mark, Urgency
from lbcontrol.model.endpoints import Endpoint, Health
from lbcontrol.model.services import PolicySpec
from tests.support.builders import (
    Fed,
    claim,
    cleared,
    drain,
    endpoint,
    set_weight,
    snapshot,
    updated,
    weights,
)


def stored(*endpoints: Endpoint, service: str = "greeter", epoch: int = 1, revision: int = 41) -> Restored:
    """Return what was served before the restart."""
    mark = Mark(epoch, revision)
    listed = tuple(
        AssignedEndpoint(each.address, each.weight, each.locality, each.priority, each.health) for each in endpoints
    )
    assignment = Assignment(service, EVERYONE, listed, PolicySpec(timeout=7.0))
    aliases = (f"{service}.shop",)
    return Restored(Decision(service, mark, {EVERYONE: assignment}, aliases=aliases, policy=assignment.policy))


def test_nothing_is_decided_before_every_source_has_synced() -> None:
    """The last source to sync brings the decisions on everything, made of all sources."""
    fed = Fed("one", "two", sync=False)
    assert fed.feed(updated(snapshot([endpoint(1)])), SourceSynced("one"), OverrideSet(drain(2))) == ()
    assert fed.feed(updated(snapshot([endpoint(2)], source="two"))) == ()
    assert (fed.engine.started, fed.engine.case("greeter"), fed.engine.services()) == (False, None, ())
    decision = fed.one(SourceSynced("two", complete=False))
    assert (fed.engine.started, fed.engine.services()) == (True, ("greeter",))
    assert [each.health for each in decision.assignments[EVERYONE].endpoints] == [Health.SERVING, Health.DRAINING]
    assert (decision.mark, decision.urgency, decision.cause) == (Mark(1, 1), Urgency.ADDITION, "endpoints")


def test_without_sources_nothing_starts() -> None:
    """Nobody has said yet that nothing exists."""
    engine = Engine(epoch=1)
    assert engine.apply(OverrideSet(drain(1)), now=0.0, wall=0.0) == ()
    assert (engine.started, engine.settled, engine.is_unknown("greeter")) == (False, False, False)


def test_grace_ends_the_wait_for_a_slow_source() -> None:
    """What is there is decided; names stay possible until the slow source has synced."""
    fed = Fed("one", "two", sync=False)
    fed.feed(updated(snapshot([endpoint(1)])), SourceSynced("one"))
    assert fed.one(GraceEnded()).service == "greeter"
    assert (fed.engine.started, fed.engine.settled) == (True, False)
    assert fed.one(updated(snapshot([endpoint(2)], source="two"))).cause == "endpoints"
    fed.feed(SourceSynced("two"))
    assert (fed.engine.started, fed.engine.settled) == (True, True)
    assert fed.engine.is_unknown("greter")


def test_source_added_later_holds_nothing_up() -> None:
    """The engine stays started; only what is unknown is open again."""
    fed = Fed("one")
    fed.feed(SourceAdded("two"), SourceAdded("one"))
    assert (fed.engine.started, fed.engine.settled) == (True, False)
    assert fed.one(updated(snapshot([endpoint(1)]))).service == "greeter"


def test_incomplete_source_leaves_names_open() -> None:
    """A name that an unreadable file might define is not unknown until the file can be read."""
    fed = Fed("one", sync=False)
    fed.feed(SourceSynced("one", complete=False))
    assert (fed.engine.started, fed.engine.settled) == (True, False)
    fed.feed(SourceSynced("one"))
    assert (fed.engine.started, fed.engine.settled) == (True, True)


def test_last_good_is_served_at_once_and_marked_stale() -> None:
    """The decision says where it is from, and its mark is above the stored one in the new epoch."""
    fed = Fed(sync=False, epoch=2)
    decision = fed.one(stored(endpoint(1, weight=5)))
    assert (decision.mark, decision.cause, decision.urgency) == (Mark(2, 42), "restored", Urgency.IMMEDIATE)
    assert decision.stale_sources == ("last-good",)
    assert decision.policy.timeout == 7.0
    assert weights(fed.greeter()) == {"1": 5}
    assert decision.aliases == ("greeter.shop",)


def test_mark_stays_above_a_stored_one_of_a_higher_epoch() -> None:
    """A wrong epoch after a restored backup does not send marks backwards."""
    assert Fed(sync=False, epoch=1).one(stored(endpoint(1), epoch=9, revision=3)).mark == Mark(9, 4)


def test_last_good_only_fills_gaps_until_all_have_synced() -> None:
    """A source's endpoint counts as the source says, others stay; then what no source names goes."""
    fed = Fed("one", "two", sync=False)
    fed.feed(stored(endpoint(1, weight=5), endpoint(2)), stored(endpoint(3), service="cart"))
    assert fed.feed(updated(snapshot([endpoint(1, weight=3)], policies=(claim(timeout=1.0),)))) == ()
    merged = fed.one(GraceEnded())
    assert weights(fed.greeter()) == {"1": 3, "2": 1}
    assert (merged.policy.timeout, merged.stale_sources) == (1.0, ("last-good",))
    assert fed.feed(SourceSynced("one")) == ()
    cart, greeter = fed.feed(SourceSynced("two"))
    assert (cart.service, cart.removed, cart.cause) == ("cart", True, "removed")
    assert (weights(fed.greeter()), greeter.stale_sources, greeter.aliases) == ({"1": 3}, (), ())
    assert fed.engine.services() == ("greeter",)


def test_last_good_of_an_unread_service_stays_while_a_source_is_incomplete() -> None:
    """A service may be in the file that cannot be read; one that a source defines is the source's."""
    fed = Fed("one", sync=False)
    fed.feed(stored(endpoint(1), endpoint(2)), stored(endpoint(3), service="cart"))
    fed.feed(updated(snapshot([endpoint(1)])))
    assert [each.service for each in fed.feed(SourceSynced("one", complete=False))] == ["greeter"]
    assert fed.engine.services() == ("cart", "greeter")
    assert fed.one(updated(snapshot([endpoint(4)], service="cart"))).stale_sources == ()
    assert [each.removed for each in fed.feed(SourceSynced("one"))] == []


def test_operators_are_obeyed_on_last_good_before_the_start() -> None:
    """A drain does not wait for a slow source, and can be taken back."""
    fed = Fed(sync=False)
    fed.feed(stored(endpoint(1), endpoint(2, health=Health.DRAINING)), OverrideSet(drain(2)))
    assert fed.one(OverrideSet(drain(1))).cause == "drain"
    assert [each.health for each in fed.greeter()] == [Health.DRAINING, Health.DRAINING]
    fed.feed(cleared(drain(2)), OverrideSet(set_weight(1, 9)), cleared(set_weight(1, 9)))
    assert [each.health for each in fed.greeter()] == [Health.DRAINING, Health.UNKNOWN]
    fed.feed(cleared(drain(1)))
    assert [each.health for each in fed.greeter()] == [Health.SERVING, Health.UNKNOWN]


def test_drain_that_ended_while_we_were_down_is_over() -> None:
    """A stored override whose time has passed undrains what was stored as draining."""
    fed = Fed(sync=False)
    fed.feed(stored(endpoint(1, health=Health.DRAINING)))
    assert fed.one(OverrideSet(drain(1, expires_at=5.0))).cause == "drain"
    assert [each.health for each in fed.greeter()] == [Health.UNKNOWN]


def test_restoring_one_service_is_no_restoration_of_another() -> None:
    """Who loses an alias to one that is restored later hears of that and of nothing else."""
    fed = Fed(sync=False)
    claims = {name: dataclasses.replace(stored(endpoint(1), service=name).decision, aliases=("x",)) for name in "abc"}
    assert [each.service for each in fed.feed(Restored(claims["b"]), Restored(claims["c"]))] == ["b", "c"]
    late = fed.feed(Restored(claims["a"]))
    assert [(each.service, each.cause) for each in late] == [("a", "restored"), ("b", "policy"), ("c", "endpoints")]


def test_last_good_is_ignored_once_everything_is_known() -> None:
    """A late one changes nothing but the mark that new services begin above."""
    fed = Fed()
    assert fed.feed(stored(endpoint(1))) == ()
    assert fed.one(updated(snapshot([endpoint(1)]))).mark == Mark(1, 42)


def test_late_last_good_of_a_defined_service_yields_at_once() -> None:
    """Where all have synced but not completely, a source's word stands against the past."""
    fed = Fed(sync=False)
    fed.feed(SourceSynced("one", complete=False), updated(snapshot([endpoint(1)])))
    assert fed.feed(stored(endpoint(1), endpoint(2))) == ()
    assert fed.one(updated(snapshot([endpoint(1, weight=2)]))).mark == Mark(1, 42)


def test_stored_removal_only_moves_the_mark() -> None:
    """A service that was gone before the restart stays gone; its revisions are not used again."""
    gone = dataclasses.replace(stored(endpoint(1)).decision, removed=True, assignments={})
    fed = Fed(sync=False, epoch=2)
    assert fed.feed(Restored(gone), SourceSynced("one")) == ()
    assert fed.one(updated(snapshot([endpoint(1)]))).mark == Mark(2, 42)
