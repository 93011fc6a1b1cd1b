"""What has to be written into a policy's status."""

from __future__ import annotations

from typing import Any

from lbcontrol.sources.kubernetes.ancestors import CONTROLLER, MOST, Said, ancestors
from lbcontrol.sources.kubernetes.objects import Json
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.verdicts import Condition
from tests.support.kube_objects import policy

NOON, LATER = "2026-11-25T12:00:00Z", "2026-11-25T12:30:00Z"


def said(*names: str, holds: bool = True, message: str = "m") -> Said:
    """Return the same conditions for each Service."""
    return {
        name: (Condition("Accepted", holds=True, reason="Accepted", message="a"),
               Condition("Programmed", holds=holds, reason="Programmed" if holds else "Pending", message=message))
        for name in names
    }  # fmt: skip


def written(of: Policy, what: Said, *, now: str) -> list[Json]:
    """Return the entries to write; there must be some."""
    made = ancestors(of, what, now=now)
    assert made is not None
    return made


def foreign(name: str) -> dict[str, Any]:
    """Return an entry of another controller."""
    return {"ancestorRef": {"name": name}, "controllerName": "other.io/x", "conditions": []}


def times(entry: Any) -> list[str]:
    """Return the times of an entry's conditions."""
    return [each["lastTransitionTime"] for each in entry["conditions"]]


def test_entry_names_service_controller_and_generation() -> None:
    """The first time everything is new."""
    (entry,) = written(policy(generation=7), said("echo"), now=NOON)
    assert entry == {
        "ancestorRef": {"group": "", "kind": "Service", "namespace": "shop", "name": "echo"},
        "controllerName": CONTROLLER,
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "observedGeneration": 7,
                "lastTransitionTime": NOON,
                "reason": kind,
                "message": message,
            }
            for kind, message in (("Accepted", "a"), ("Programmed", "m"))
        ],
    }


def test_nothing_is_to_be_written_twice() -> None:
    """What is there is what is said: None, at whatever time."""
    there = written(policy(), said("echo", "chat"), now=NOON)
    assert ancestors(policy(ancestors=there), said("echo", "chat"), now=LATER) is None


def test_time_moves_with_the_status_alone() -> None:
    """Another message or generation is written and has the old time; another status has the new one."""
    before = written(policy(), said("echo"), now=NOON)
    (worded,) = written(policy(ancestors=before), said("echo", message="n"), now=LATER)
    assert times(worded) == [NOON, NOON]
    (newer,) = written(policy(ancestors=before, generation=2), said("echo"), now=LATER)
    assert times(newer) == [NOON, NOON]
    (turned,) = written(policy(ancestors=before), said("echo", holds=False), now=LATER)
    assert times(turned) == [NOON, LATER]


def test_entries_of_others_stay_where_they_are() -> None:
    """Ours are replaced, dropped with their target, and added behind."""
    ours = written(policy(), said("old", "echo"), now=NOON)
    there = [foreign("echo"), *ours, foreign("chat")]
    made = written(policy(ancestors=there), said("echo", "new", holds=False), now=LATER)
    names = [(each["ancestorRef"]["name"], each["controllerName"] == CONTROLLER) for each in made]
    assert names == [("echo", False), ("echo", True), ("chat", False), ("new", True)]
    assert [each for each in made if each["controllerName"] != CONTROLLER] == [foreign("echo"), foreign("chat")]


def test_there_are_as_many_entries_as_the_resource_has() -> None:
    """Those of others come first: they are not ours to drop."""
    there = [foreign(f"s{n}") for n in range(MOST - 1)]
    made = written(policy(ancestors=there), said("echo", "chat"), now=NOON)
    assert len(made) == MOST
    assert made[:-1] == there


def test_odd_entries_are_ours_to_mend() -> None:
    """An entry under our name that is no entry is written anew."""
    odd = [{"controllerName": CONTROLLER}, {"controllerName": CONTROLLER, "ancestorRef": {}, "conditions": ["x"]}]
    (entry,) = written(policy(ancestors=odd), said("echo"), now=NOON)
    assert times(entry) == [NOON, NOON]
