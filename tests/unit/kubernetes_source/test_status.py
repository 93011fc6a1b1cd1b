"""When status and Events are written: only what is new, not too often, by who may, and again after a failure."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lbcontrol.model.services import PolicyClaim
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.sources.kubernetes.objects import Json, Key
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.policies import Policy
from lbcontrol.sources.kubernetes.status import LOOK, PATIENCE, SPACING, StatusWriter
from lbcontrol.sources.kubernetes.writes import Ending
from tests.support.kube_objects import policy, service

KEY = ("shop", "p")


class Cluster:
    """Takes what is written, and brings it back by the watch when told to."""

    def __init__(self) -> None:
        """Everything succeeds."""
        self.endings: dict[str, Ending] = {}
        self.statuses: list[tuple[float, Key, list[Json]]] = []
        self.events: list[str] = []
        self.mends: list[str] = []
        self.clock = FakeClock()
        self.picture = Picture("cluster", KubernetesOptions())
        self.writer = StatusWriter(self.picture, self, identity="me", scheduler=self.clock, rng=random.Random(1))
        self.published = True
        self.writer.in_force = self.claims
        self.may_write: Callable[[], bool] = lambda: True

    def claims(self, name: str) -> Sequence[PolicyClaim] | None:
        """Return the policies of a service, as if they were in force as soon as they are told."""
        name, _, namespace = name.partition(".")
        found = [each.claim for each in self.picture.policies.ranked((namespace, name)) if each.claim]
        return found if self.published else None

    async def status(self, policy: Policy, ancestors: Sequence[Json]) -> Ending:
        """Take a status."""
        self.statuses.append((self.clock.now(), policy.key, list(ancestors)))
        return self.endings.get("status", Ending.OK)

    async def event(self, event: Json) -> Ending:
        """Take an Event."""
        self.events.append(f"{event['reason']} {event['regarding']['name']}")
        return self.endings.get("event", Ending.OK)

    async def repeat(self, key: Key, patch: Json) -> Ending:
        """Count an Event up."""
        self.events.append(f"again {patch['series']['count']} {key[1].split('.')[0]}")
        return self.endings.get("repeat", Ending.OK)

    def mended(self, kind: str) -> None:
        """Note that nothing fails any more."""
        self.mends.append(kind)

    async def run(self, seconds: float = 0.0, *, watch: bool = True) -> None:
        """Let time pass; turn whenever something is due, and bring back what was written."""
        end = self.clock.now() + seconds
        while True:
            self.picture.take(100)
            seen = len(self.statuses)
            await self.writer.turn(self.may_write)
            if watch and len(self.statuses) > seen and self.endings.get("status", Ending.OK) is Ending.OK:
                self.bring_back(self.statuses[seen:])
            step = max(0.05, self.writer.next_at() - self.clock.now())
            if self.clock.now() + step > end:
                break
            self.clock.advance(step)
        self.clock.advance(end - self.clock.now())

    def bring_back(self, written: Sequence[tuple[float, Key, list[Json]]]) -> None:
        """The watch tells of what was written."""
        for _, key, ancestors in written:
            held = self.picture.policies.find(key)
            if held is not None:
                mark = f"{held.newest.mark}+"
                self.picture.put_policy(dataclasses.replace(held.newest, ancestors=tuple(ancestors), mark=mark))

    def reasons(self) -> list[Any]:
        """Return the reasons of the conditions that were written last."""
        return [each["reason"] for each in self.statuses[-1][2][0]["conditions"]]


def cluster(*policies: Policy, services: Sequence[str] = ("echo",)) -> Cluster:
    """Return a cluster with balanced Services and these policies, nothing written yet."""
    made = Cluster()
    for name in services:
        made.picture.put_service(service(name, enabled="true"))
    for each in policies:
        made.picture.put_policy(each)
    return made


async def test_status_is_written_once_and_only_when_it_differs() -> None:
    """What the watch brings back is what was written; a later look at everything finds nothing."""
    made = cluster(policy())
    await made.run()
    assert made.reasons() == ["Accepted", "Programmed"]
    made.writer.all_again()
    await made.run(10 * LOOK)
    assert len(made.statuses) == 1


async def test_what_is_pending_is_waited_for() -> None:
    """The first word is the one that stays, unless it takes long."""
    made = cluster(policy())
    made.published = False
    await made.run(PATIENCE / 2)
    assert made.statuses == []
    made.published = True
    await made.run(PATIENCE)
    assert [made.reasons(), len(made.statuses)] == [["Accepted", "Programmed"], 1]


async def test_what_stays_pending_is_said_and_looked_at_again() -> None:
    """And without anything moving, the end of it is found."""
    made = cluster(policy())
    made.published = False
    await made.run(PATIENCE + 1.0)
    assert made.reasons() == ["Accepted", "Pending"]
    made.published = True
    await made.run(2 * SPACING)
    assert [made.reasons(), len(made.statuses)] == [["Accepted", "Programmed"], 2]


async def test_object_is_written_once_in_five_seconds() -> None:
    """However often it changes."""
    made = cluster()
    for generation in range(1, 41):
        made.picture.put_policy(policy(generation=generation, timeout=f"{generation}s"))
        await made.run(0.5, watch=False)
    times = [at for at, *_ in made.statuses]
    assert all(later - earlier >= SPACING for earlier, later in itertools.pairwise(times))
    assert len(times) == 5
    await made.run(SPACING)
    assert made.statuses[-1][2][0]["conditions"][0]["observedGeneration"] == 40


async def test_conflict_is_tried_again_when_the_watch_has_told() -> None:
    """409: what we knew was old."""
    made = cluster(policy())
    made.endings["status"] = Ending.CONFLICT
    await made.run()
    made.endings.clear()
    made.picture.put_policy(policy(mark="9"))
    await made.run(SPACING / 2)
    assert len(made.statuses) == 1
    await made.run(SPACING)
    assert len(made.statuses) == 2


async def test_refusal_makes_it_rest_and_is_mended_by_success() -> None:
    """403 and failures: tried again with growing pauses of at most 30 s; every object gets its turn."""
    made = cluster(policy("p"), policy("q", "chat"), services=("echo", "chat"))
    made.endings["status"] = Ending.REFUSED
    await made.run(120.0)
    tries = len(made.statuses)
    assert 4 <= tries <= 40
    assert made.mends == []
    made.endings.clear()
    await made.run(60.0)
    assert {key for _, key, _ in made.statuses[tries:]} == {("shop", "p"), ("shop", "q")}
    assert made.mends == ["status"]


async def test_failure_of_an_object_that_goes_is_mended() -> None:
    """Nothing is left that could succeed."""
    made = cluster(policy())
    made.endings["status"] = Ending.FAILED
    await made.run()
    made.picture.drop_policy(KEY)
    await made.run(60.0)
    assert (len(made.statuses), made.mends) == (1, ["status"])


@pytest.mark.parametrize("ending", [Ending.INVALID, Ending.MISSING])
async def test_status_that_finds_no_place_keeps_nobody_up(ending: Ending) -> None:
    """422, and 404 of an object that is there: the same again would end the same; others go on at once."""
    made = cluster(policy("p"), policy("q", "chat"), services=("echo", "chat"))
    made.endings["status"] = ending
    await made.run(SPACING * 3)
    assert len(made.statuses) == 2
    made.writer.all_again()
    await made.run(1.0)
    assert len(made.statuses) == 4
    made.picture.drop_policy(KEY)
    made.endings.clear()
    made.picture.put_policy(policy("q", "chat", generation=2))
    await made.run(SPACING)
    assert len(made.statuses) == 5
    assert made.mends == ["status"]


async def test_nothing_is_written_without_the_right() -> None:
    """Asked before each write; what is due stays due."""
    made = cluster(policy("p"), policy("q", "chat"), services=("echo", "chat"))
    answers = [True, False]
    made.may_write = lambda: answers.pop(0) if answers else False
    await made.run()
    assert len(made.statuses) == 1
    made.may_write = lambda: True
    await made.run(1.0)
    assert len(made.statuses) == 2


async def test_rejection_is_an_event_and_said_once() -> None:
    """Conflict and missing target; again only when it comes again."""
    made = cluster(policy("p", "echo"), policy("older", "echo", age=9), policy("q", "gone"))
    await made.run()
    assert sorted(made.events) == ["Conflicted p", "TargetNotFound q"]
    await made.run(3 * LOOK)
    assert len(made.events) == 2
    made.picture.drop_policy(("shop", "older"))
    await made.run(SPACING)
    made.picture.put_policy(policy("older", "echo", age=9))
    await made.run(SPACING)
    assert made.events[2:] == ["again 2 p"]


async def test_event_that_is_gone_is_made_again() -> None:
    """The API server keeps them for an hour."""
    made = cluster(policy("q", "gone"))
    await made.run()
    made.picture.put_service(service("gone", enabled="true"))
    await made.run(SPACING)
    made.endings["repeat"] = Ending.MISSING
    made.picture.drop_service(("shop", "gone"))
    await made.run(SPACING)
    assert made.events == ["TargetNotFound q", "again 2 q", "TargetNotFound q"]


async def test_event_that_fails_is_tried_again_and_holds_up_no_status() -> None:
    """A missing right to one does not take the other."""
    made = cluster(policy("q", "gone"), policy("r", "gone2"))
    made.endings["event"] = Ending.REFUSED
    await made.run(10.0)
    assert len(made.statuses) == 2
    assert len(made.events) >= 2
    made.endings.clear()
    await made.run(60.0)
    assert made.mends == ["event"]
    assert set(made.events[-2:]) == {"TargetNotFound q", "TargetNotFound r"}


async def test_malformed_annotation_is_an_event_of_its_service() -> None:
    """Also of a Service that is not balanced; gone with the Service, and said again of the next one of its name."""
    made = cluster()
    made.picture.put_service(service("typo", enabled="ja"))
    await made.run(1.0)
    assert made.events == ["MalformedAnnotation typo"]
    made.picture.drop_service(("shop", "typo"))
    await made.run(1.0)
    again = dataclasses.replace(service("typo", enabled="ja"), uid="another")
    made.picture.put_service(again)
    await made.run(1.0)
    made.picture.put_service(dataclasses.replace(again, uid="a third"))
    await made.run(1.0)
    assert made.events == ["MalformedAnnotation typo"] * 3


async def test_decision_of_a_service_has_its_policies_looked_at() -> None:
    """Another source may have put something else in force."""
    made = cluster(policy())
    await made.run()
    made.published = False
    made.writer.decided([("shop", "echo"), ("shop", "nobody")])
    await made.run(SPACING + PATIENCE + 1.0)
    assert made.reasons() == ["Accepted", "Pending"]


async def test_begin_forgets_all_but_when_it_wrote() -> None:
    """Another replica wrote meanwhile: everything is looked at, and the spacing kept."""
    made = cluster(policy("p", "gone"))
    await made.run(watch=False)
    made.writer.begin()
    made.writer.all_again()
    await made.run(SPACING / 2)
    assert (len(made.statuses), made.events) == (1, ["TargetNotFound p"])
    await made.run(SPACING)
    assert (len(made.statuses), made.events) == (2, ["TargetNotFound p"] * 2)


async def test_many_policies_are_looked_at_in_slices() -> None:
    """Others run in between."""
    made = cluster(*(policy(f"p{n}", age=n) for n in range(60)))
    await made.run()
    assert len(made.statuses) == 60
