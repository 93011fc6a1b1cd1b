"""One replica's part in telling the cluster: election and writer together, over fake requests."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.kubernetes import reporting
from lbcontrol.sources.kubernetes.api import Api
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.picture import Picture
from lbcontrol.sources.kubernetes.reporting import Reporting, own_namespace
from tests.support.kube_objects import policy, service


class Requests:
    """An API server with a Lease and nothing else; takes every write."""

    def __init__(self) -> None:
        """There is no Lease."""
        self.host = "https://kube"
        self.lease: Any = None
        self.patched: list[list[str]] = []

    async def send(self, method: str, path: str, *, body: Any = None, merge: bool = False) -> tuple[int, str]:
        """Answer."""
        if "/leases" in path:
            if method == "GET":
                return (200, json.dumps(self.lease)) if self.lease else (404, "{}")
            self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
            return 200, json.dumps(self.lease)
        if merge:
            conditions = body["status"]["ancestors"][0]["conditions"]
            self.patched.append([each["reason"] for each in conditions])
        return 200, "{}"


class World:
    """A picture with one policy in force, and its reporting."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.requests, self.picture, self.held = Requests(), Picture("cluster", KubernetesOptions()), True
        self.picture.put_service(service(enabled="true"))
        self.picture.put_policy(policy())
        self.picture.take(100)
        self.picture.is_whole = True
        self.clock = FakeClock()
        self.reporting = Reporting(
            self.picture, KubernetesOptions(), scheduler=self.clock, rng=random.Random(1), metrics=Metrics()
        )
        self.reporting.follow(
            lambda _: [each.claim for each in self.picture.policies.ranked(("shop", "echo")) if each.claim]
        )

    async def passing(self, seconds: float) -> None:
        """Let time pass in small steps, and everything run that can."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            for _ in range(10):
                await asyncio.sleep(0)


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    """Run the reporting of a world."""
    made = World()
    task = asyncio.create_task(made.reporting.run(cast("Api", made.requests)))
    yield made
    task.cancel()
    await asyncio.wait([task])


async def test_whoever_gains_the_lease_looks_at_everything() -> None:
    """What is in force is said, and at the end the Lease is free."""
    async with running() as world:
        await world.passing(1.0)
        assert world.requests.patched == [["Accepted", "Programmed"]]
        assert world.requests.lease["metadata"]["namespace"] == "default"
        assert world.reporting.findings() == ()
    assert world.requests.lease["spec"]["holderIdentity"] == ""


async def test_decisions_wake_the_writer_when_they_concern_a_policy() -> None:
    """Of whatever port; a policy that is new is said with them."""
    async with running() as world:
        await world.passing(1.0)
        world.picture.put_policy(policy("younger", age=0))
        world.reporting.decided("unknown")
        world.reporting.decided("echo.shop:9090")
        await world.passing(1.0)
        assert world.requests.patched[1:] == [["Conflicted", "Conflicted"]]


async def test_nothing_is_said_of_half_a_picture() -> None:
    """A Service that was not listed yet would look as if it were missing."""
    async with running() as world:
        world.picture.is_whole = False
        await world.passing(1.0)
        assert world.requests.lease is not None
        assert world.requests.patched == []
        world.picture.is_whole = True
        world.reporting.wake()
        await world.passing(1.0)
        assert world.requests.patched == [["Accepted", "Programmed"]]


def test_namespace_is_that_of_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the service account's file; elsewhere there is none."""
    monkeypatch.setattr(reporting, "NAMESPACE_FILE", tmp_path / "namespace")
    assert own_namespace() == "default"
    (tmp_path / "namespace").write_text("lbcontrol\n")
    assert own_namespace() == "lbcontrol"
