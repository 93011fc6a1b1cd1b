"""A service whose data cannot be worked with stays as it is; all others go on."""

from __future__ import annotations

import pytest

from lbcontrol.engine import ledger
from lbcontrol.engine.events import OverrideSet
from lbcontrol.model.assignment import Urgency
from lbcontrol.model.errors import ConflictError
from lbcontrol.model.findings import Finding
from tests.support.builders import Fed, cleared, endpoint, set_weight, snapshot, updated, weights


def test_bad_data_freezes_one_service_with_a_finding() -> None:
    """The list stays, the finding names value and place, the neighbour's change goes through."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1, weight=4)])))
    bad = snapshot([endpoint(1, weight=0, origin="greeter.yaml:4")])
    cart, greeter = fed.feed(updated(bad, snapshot([endpoint(2)], service="cart")))
    assert (cart.service, cart.findings) == ("cart", ())
    assert (weights(fed.greeter()), greeter.urgency, greeter.mark.revision) == ({"1": 4}, Urgency.WEIGHT, 2)
    assert [each.code for each in greeter.findings] == ["LB415"]
    assert "10.0.0.1:50051 (greeter.yaml:4) has weight 0" in greeter.findings[0].what
    assert fed.engine.frozen() == {"greeter": greeter.findings[0]}
    case = fed.engine.case("greeter")
    assert case is not None
    assert case.snapshots[0].endpoints[0].weight == 4


def test_frozen_service_is_not_decided_twice_for_one_reason() -> None:
    """The same finding is no news; another one replaces it."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), updated(snapshot([endpoint(1, weight=0)])))
    assert fed.feed(updated(snapshot([endpoint(1, weight=0)], mark="2"))) == ()
    again = fed.one(updated(snapshot([endpoint(1, weight=-3)])))
    assert [each.what for each in again.findings] == [fed.engine.frozen()["greeter"].what]


def test_frozen_service_thaws_when_the_data_is_right() -> None:
    """The finding goes and the change that waited comes."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), updated(snapshot([endpoint(1, weight=0)])))
    decision = fed.one(updated(snapshot([endpoint(1, weight=3)])))
    assert (weights(fed.greeter()), decision.findings, decision.cause) == ({"1": 3}, (), "weight")
    assert fed.engine.frozen() == {}


def test_service_that_never_had_a_decision_gets_none() -> None:
    """Clients go on waiting; people see why; taking the service back ends it."""
    fed = Fed()
    assert fed.feed(updated(snapshot([endpoint(1, priority=-1)]))) == ()
    assert set(fed.engine.frozen()) == {"greeter"}
    assert not fed.engine.is_unknown("greeter")
    assert fed.feed(updated(removed=["greeter"])) == ()
    assert fed.engine.frozen() == {}


def test_impossible_override_freezes_until_it_is_taken_back() -> None:
    """A weight override without a number is refused by the arithmetic, not by luck."""
    fed = Fed()
    fed.feed(updated(snapshot([endpoint(1)])), OverrideSet(set_weight(1, None)))
    assert "the operator's weight of 10.0.0.1:50051 is 0" in fed.engine.frozen()["greeter"].what
    fed.feed(cleared(set_weight(1, None)))
    assert fed.engine.frozen() == {}


def test_error_of_our_own_tree_freezes_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step may refuse with a finding; anything else rises."""
    fed = Fed()

    def refuse(*_: object, **__: object) -> None:
        raise ConflictError(Finding("LB499", "cannot be"))

    monkeypatch.setattr(ledger, "decide", refuse)
    assert fed.feed(updated(snapshot([endpoint(1)]))) == ()
    assert '"greeter" is frozen: cannot be' in fed.engine.frozen()["greeter"].what
    monkeypatch.setattr(ledger, "decide", len)
    with pytest.raises(TypeError):
        fed.feed(updated(snapshot([endpoint(1)])))
