"""The Lease: who may write, and never two at once."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lbcontrol.sources.kubernetes.lease import (
    DURATION,
    VALID,
    LeaseState,
    Move,
    holder_of,
    looked,
    lost,
    micro_time,
    released,
    renewed,
    wrote,
)

REPLICAS = ("a", "b", "c")


def lease(holder: str, version: str = "1", **spec: Any) -> dict[str, Any]:
    """Return a Lease as the API server has it."""
    meta = {"name": "l", "namespace": "n", "resourceVersion": version}
    return {"metadata": meta, "spec": {"holderIdentity": holder, "leaseDurationSeconds": DURATION, **spec}}


def test_absent_lease_is_created() -> None:
    """By whoever looks first."""
    state, move = looked(LeaseState("a"), None, now=0.0)
    assert move is Move.CREATE
    made = renewed(None, name="l", namespace="n", identity="a", wall=0.0)
    assert made["metadata"] == {"name": "l", "namespace": "n"}
    assert (made["spec"]["holderIdentity"], made["spec"]["leaseTransitions"]) == ("a", 0)
    assert wrote(state, sent_at=1.0, succeeded=True).is_held(1.0 + VALID - 0.01)
    assert not wrote(state, sent_at=1.0, succeeded=True).is_held(1.0 + VALID)
    assert not wrote(state, sent_at=1.0, succeeded=False).is_held(1.0)


def test_lease_of_another_is_taken_when_it_has_not_moved() -> None:
    """By our own clock, from when we saw it; its renewals begin that anew."""
    state, move = looked(LeaseState("a"), lease("b", "1"), now=100.0)
    assert move is Move.WAIT
    state, move = looked(state, lease("b", "2"), now=110.0)
    assert move is Move.WAIT
    assert looked(state, lease("b", "2"), now=110.0 + DURATION - 0.1)[1] is Move.WAIT
    assert looked(state, lease("b", "2"), now=110.0 + DURATION)[1] is Move.TAKE


def test_free_lease_is_taken_at_once() -> None:
    """Who gave it up said so."""
    assert looked(LeaseState("a"), released(lease("b"), wall=0.0), now=0.0)[1] is Move.TAKE
    assert looked(LeaseState("a"), {"metadata": {}, "spec": {"leaseDurationSeconds": "x"}}, now=0.0)[1] is Move.TAKE


def test_lease_in_other_hands_ends_the_right() -> None:
    """Whatever we wrote before."""
    held = wrote(LeaseState("a"), sent_at=0.0, succeeded=True)
    assert held.is_held(1.0)
    assert not looked(held, lease("b"), now=1.0)[0].is_held(1.0)
    assert not looked(held, None, now=1.0)[0].is_held(1.0)
    assert not lost(held).is_held(1.0)


def test_times_and_transitions_are_those_of_the_api() -> None:
    """A renewal keeps when it was acquired; a take-over counts."""
    first = renewed(None, name="l", namespace="n", identity="a", wall=0.0)
    first["metadata"]["resourceVersion"] = "5"
    second = renewed(first, name="l", namespace="n", identity="a", wall=60.5)
    assert second["metadata"]["resourceVersion"] == "5"
    assert second["spec"]["acquireTime"] == micro_time(0.0) == "1970-01-01T00:00:00.000000Z"
    assert second["spec"]["renewTime"] == "1970-01-01T00:01:00.500000Z"
    other = renewed(second, name="l", namespace="n", identity="b", wall=90.0)
    assert (other["spec"]["leaseTransitions"], other["spec"]["acquireTime"]) == (1, micro_time(90.0))
    assert holder_of(other) == "b"


class Election(RuleBasedStateMachine):
    """Replicas with clocks of their own look and write in any order; answers may be lost, processes may sleep."""

    def __init__(self) -> None:
        """Nobody holds it; each clock has its own zero."""
        super().__init__()
        self.now = 0.0
        self.version = 0
        self.server: dict[str, Any] | None = None
        self.states = {name: LeaseState(name) for name in REPLICAS}
        self.moves: dict[str, tuple[float, dict[str, Any]]] = {}

    def clock(self, name: str) -> float:
        """Return a replica's monotonic time."""
        return self.now + 1_000.0 * REPLICAS.index(name)

    @rule(seconds=st.floats(0.1, 20.0))
    def time_passes(self, seconds: float) -> None:
        """For all of them."""
        self.now += seconds

    @rule(name=st.sampled_from(REPLICAS))
    def look(self, name: str) -> None:
        """Read, and decide to write; the write may arrive later."""
        state, move = looked(self.states[name], copy.deepcopy(self.server), now=self.clock(name))
        self.states[name] = state
        self.moves.pop(name, None)
        if move is not Move.WAIT:
            made = renewed(copy.deepcopy(self.server), name="l", namespace="n", identity=name, wall=self.now)
            self.moves[name] = (self.clock(name), made)

    @precondition(lambda self: self.moves)
    @rule(data=st.data(), answered=st.booleans())
    def write(self, data: st.DataObject, *, answered: bool) -> None:
        """The API server takes a write that knows the newest version; the answer may be lost."""
        name = data.draw(st.sampled_from(sorted(self.moves)))
        sent_at, made = self.moves.pop(name)
        known = made["metadata"].get("resourceVersion")
        fits = known == (self.server["metadata"]["resourceVersion"] if self.server else None)
        if fits:
            self.version += 1
            made["metadata"]["resourceVersion"] = str(self.version)
            self.server = made
        if not answered:
            return
        self.states[name] = (
            wrote(self.states[name], sent_at=sent_at, succeeded=fits) if fits else lost(self.states[name])
        )

    @invariant()
    def at_most_one_may_write(self) -> None:
        """At any moment."""
        assert sum(state.is_held(self.clock(name)) for name, state in self.states.items()) <= 1


TestElection = Election.TestCase
