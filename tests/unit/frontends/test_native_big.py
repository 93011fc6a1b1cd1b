"""Assignments of big services are encoded by the worker: who asks is answered when that is done."""

from __future__ import annotations

import asyncio

import pytest
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as pb

from lbcontrol.model.assignment import Decision
from lbcontrol.runtime.worker import BIG
from tests.unit.frontends.fakes import World, decision, endpoint
from tests.unit.runtime.fakes import HeldWorker


def big(revision: int, weight: int) -> Decision:
    """Return a decision about more endpoints than are encoded on the loop's thread."""
    ends = [endpoint(f"10.0.{number // 250}.{number % 250 + 1}:1", weight) for number in range(BIG + 1)]
    return decision("a", revision, *ends)


@pytest.fixture
def worker() -> HeldWorker:
    """Background work that a test lets go."""
    return HeldWorker()


@pytest.fixture
def world(worker: HeldWorker) -> World:
    """A front end with a worker, and a big service."""
    made = World(worker=worker)
    made.directory.put(big(1, 1))
    return made


ASKED = pb.WatchAssignmentsRequest(subscribe=["a"]).SerializeToString()


def test_watchers_are_told_when_the_worker_is_done(world: World, worker: HeldWorker) -> None:
    """It encodes once for both; one that left meanwhile is not told, and needs no care."""
    first, second, gone = (world.open("WatchAssignments") for _ in range(3))
    for handler, _ in (first, second, gone):
        handler.received(ASKED)
    gone[0].closed("client")
    assert ([outlet.news() for _, outlet in (first, second)], len(worker.jobs)) == ([[], []], 1)
    worker.step()
    (one,), (two,) = first[1].news(), second[1].news()
    assert one == two
    assert (len(one.assignment.endpoints), gone[1].news()) == (BIG + 1, [])


def test_decision_that_comes_meanwhile_follows(world: World, worker: HeldWorker) -> None:
    """What was being made is kept for nobody; the newest is told."""
    handler, outlet = world.open("WatchAssignments")
    handler.received(ASKED)
    world.directory.put(big(2, 7))
    worker.step()
    assert outlet.news() == []
    worker.step()
    (news,) = outlet.news()
    assert (news.assignment.mark.revision, news.assignment.endpoints[0].weight) == (2, 7)
    assert not worker.jobs


async def test_single_question_waits_too(world: World, worker: HeldWorker) -> None:
    """GetAssignment has the whole list."""
    asking = asyncio.create_task(world.call("GetAssignment", pb.GetAssignmentRequest(service="a").SerializeToString()))
    await asyncio.sleep(0)  # it runs as far as it can
    worker.step()
    answer = pb.GetAssignmentResponse.FromString(await asking)
    assert len(answer.assignment.endpoints) == BIG + 1
