"""A Kubernetes source that runs beside a test, and what a cluster shows of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from lbcontrol.runtime.clock import LoopScheduler
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.kubernetes.options import KubernetesOptions
from lbcontrol.sources.kubernetes.source import KubernetesSource
from tests.support.kube import Kube
from tests.support.service_policies import COLLECTION
from tests.support.sinks import RecordingSink

SECONDS = 90.0
Rows = dict[str, tuple[str, str, str]]
"""Service to the statuses of Accepted and Programmed, and the reason of the first that does not hold."""


class Watching:
    """A source that runs; what it told its sink counts as published."""

    def __init__(self, cluster: Kube, of: str, *, user: str = "admin", **further: object) -> None:
        """Run nothing yet; ``further`` are keys of the source."""
        given = {"kubeconfig": str(cluster.kubeconfig(user)), "namespaces": [of], "statusNamespace": of}
        options = KubernetesOptions.model_validate({**given, **further})
        self.cluster, self.namespace = cluster, of
        self.sink, self.metrics = RecordingSink(), Metrics()
        scheduler = LoopScheduler(asyncio.get_running_loop())
        self.source = KubernetesSource(
            "cluster", options, scheduler=scheduler, rng=random.Random(1), metrics=self.metrics
        )
        self.source.follow(self.claims)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Run."""
        self._task = asyncio.create_task(self.source.run(self.sink))

    async def end(self) -> None:
        """Stop; harmless when it has stopped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def claims(self, name: str) -> Any:
        """Return the policies that were told of a service, the one in force first."""
        return self.sink.picture[name].policies if name in self.sink.picture else None

    def writes(self, kind: str, result: str = "ok") -> int:
        """Return how many writes of a kind ended so."""
        labels = {"kind": kind, "result": result}
        return int(self.metrics.registry.get_sample_value("lbcontrol_kubernetes_writes_total", labels) or 0)

    @property
    def holds(self) -> bool:
        """Whether this source is the one that writes."""
        labels = {"lease": f"{self.namespace}/lbcontrol-status"}
        return bool(self.metrics.registry.get_sample_value("lbcontrol_kubernetes_lease_held", labels))

    def codes(self) -> list[str]:
        """Return the codes of what is wrong."""
        return [each.code for each in self.source.findings()]

    def rows(self, policy: str) -> Rows:
        """Return what the status of a policy says, as the API server has it."""
        found = self.cluster.ask(f"{COLLECTION.format(self.namespace)}/{policy}")
        return {
            each["ancestorRef"]["name"]: row(each["conditions"])
            for each in found.get("status", {}).get("ancestors", [])
            if each["controllerName"] == "lbcontrol.io/control-plane"
        }

    async def until(self, policy: str, expected: Rows) -> None:
        """Wait until the status of a policy says so."""
        await until(lambda: self.rows(policy) == expected)


def row(conditions: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Return the statuses of Accepted and Programmed, and the first reason why not."""
    found = {each["type"]: each for each in conditions}
    accepted, programmed = found["Accepted"], found["Programmed"]
    reasons = [each["reason"] for each in (accepted, programmed) if each["status"] == "False"]
    return accepted["status"], programmed["status"], (reasons or [""])[0]


GOOD = ("True", "True", "")


@asynccontextmanager
async def watching(cluster: Kube, of: str, *, user: str = "admin", **further: object) -> AsyncIterator[Watching]:
    """Run a source until it has synced, and stop it at the end."""
    made = Watching(cluster, of, user=user, **further)
    made.begin()
    try:
        async with asyncio.timeout(SECONDS):
            await made.sink.has_synced.wait()
        yield made
    finally:
        await made.end()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what is seen from outside."""
    async with asyncio.timeout(SECONDS):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  (the registry has no event to wait for)
            await asyncio.sleep(0.05)


async def apply(cluster: Kube, *objects: dict[str, Any]) -> None:
    """Apply without holding up the loop on which the source runs."""
    await asyncio.to_thread(cluster.apply, *objects)


async def kubectl(cluster: Kube, *arguments: str) -> str:
    """Run kubectl without holding up the loop."""
    return await asyncio.to_thread(cluster.kubectl, *arguments)


def events(cluster: Kube, namespace: str) -> str:
    """Return the Events of a namespace, a line each: kind and name of the object, reason, note."""
    found = cluster.ask(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
    about = [(each["regarding"], each) for each in found]
    return "\n".join(f"{it['kind']} {it['name']} {each['reason']}: {each['note']}" for it, each in about)


def observed(cluster: Kube, namespace: str, policy: str) -> int:
    """Return the generation that the status of a policy speaks of; 0 for none."""
    found = cluster.ask(f"{COLLECTION.format(namespace)}/{policy}").get("status", {}).get("ancestors", [])
    return min((int(each["observedGeneration"]) for entry in found for each in entry["conditions"]), default=0)


def grant(cluster: Kube, role: str, verbs: str, resources: str) -> None:
    """Give the user lb these rights everywhere."""
    cluster.kubectl("create", "clusterrole", role, f"--verb={verbs}", f"--resource={resources}")
    cluster.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=lb")


def hand_over(cluster: Kube, namespace: str, *, holder: str) -> None:
    """Give the Lease to somebody; to nobody for ""."""
    patch = json.dumps({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 60}})
    cluster.kubectl("-n", namespace, "patch", "lease", "lbcontrol-status", "--type=merge", "-p", patch)
