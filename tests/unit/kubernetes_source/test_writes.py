"""Requests that write, how they end, and what is said of it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.kubernetes.api import Api
from lbcontrol.sources.kubernetes.writes import EVENT, LEASE, STATUS, Ending, Writes
from tests.support.kube_objects import policy

LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"


class Sent:
    """Keeps requests, and answers all alike."""

    def __init__(self, status: int = 200, body: object = None) -> None:
        """Answer with this; status 0 for no answer at all."""
        self.host = "https://kube"
        self.requests: list[tuple[str, str, Any, bool]] = []
        self.status, self.body = status, body

    async def send(self, method: str, path: str, *, body: object = None, merge: bool = False) -> tuple[int, str]:
        """Answer."""
        self.requests.append((method, path, body, merge))
        if not self.status:
            raise SourceUnavailableError(Finding("LB234", "x", why="no route"))
        return self.status, self.body if isinstance(self.body, str) else json.dumps(self.body or {})


def writes(sent: Sent) -> tuple[Writes, Metrics]:
    """Return writes over fake requests, and where they are counted."""
    metrics = Metrics()
    return Writes(cast("Api", sent), metrics=metrics), metrics


def counted(metrics: Metrics, kind: str, result: str) -> float | None:
    """Return how many writes of a kind ended so."""
    labels = {"kind": kind, "result": result}
    return metrics.registry.get_sample_value("lbcontrol_kubernetes_writes_total", labels)


async def test_status_is_a_merge_patch_of_the_version_that_was_seen() -> None:
    """So that what another controller wrote meanwhile is not lost."""
    sent = Sent()
    made, metrics = writes(sent)
    assert await made.status(policy(mark="7"), [{"a": 1}]) is Ending.OK
    ((method, path, body, merge),) = sent.requests
    assert (method, merge) == ("PATCH", True)
    assert path == "/apis/lbcontrol.io/v1alpha1/namespaces/shop/servicepolicies/p/status"
    assert body == {"metadata": {"resourceVersion": "7"}, "status": {"ancestors": [{"a": 1}]}}
    assert counted(metrics, STATUS, "ok") == 1.0


async def test_events_are_created_and_counted_up() -> None:
    """One that is there already is no failure, nor one that is gone."""
    sent = Sent(409)
    made, metrics = writes(sent)
    assert await made.event({"metadata": {"namespace": "shop", "name": "e"}}) is Ending.CONFLICT
    sent.status = 404
    assert await made.repeat(("shop", "e"), {"series": {}}) is Ending.MISSING
    assert [each[:2] for each in sent.requests] == [
        ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events"),
        ("PATCH", "/apis/events.k8s.io/v1/namespaces/shop/events/e"),
    ]
    assert made.findings() == ()
    assert (counted(metrics, EVENT, "conflict"), counted(metrics, EVENT, "missing")) == (1.0, 1.0)


async def test_lease_is_created_or_replaced() -> None:
    """By whether it has a version."""
    sent = Sent(200, {"spec": {}})
    made, _ = writes(sent)
    assert (await made.read_lease(("shop", "l"))).body == {"spec": {}}
    await made.write_lease({"metadata": {"namespace": "shop", "name": "l"}})
    await made.write_lease({"metadata": {"namespace": "shop", "name": "l", "resourceVersion": "3"}})
    assert [each[:2] for each in sent.requests] == [
        ("GET", f"{LEASES}/l"),
        ("POST", LEASES),
        ("PUT", f"{LEASES}/l"),
    ]
    sent.body = "no JSON"
    assert (await made.read_lease(("shop", "l"))).body == {}


ENDINGS = {401: Ending.REFUSED, 403: Ending.REFUSED, 422: Ending.INVALID, 429: Ending.FAILED, 500: Ending.FAILED}


@pytest.mark.parametrize("status", ENDINGS)
async def test_failure_is_a_finding_until_a_success(status: int) -> None:
    """With the words of the API server, and the right that is missing."""
    sent = Sent(status, {"message": "because"})
    made, metrics = writes(sent)
    assert await made.status(policy(), []) is ENDINGS[status]
    (finding,) = made.findings()
    assert finding.code == "LB241"
    assert finding.why.endswith(f"status {status}: because")
    right = "give the service account patch on servicepolicies/status of lbcontrol.io"
    assert finding.do == (right if status in (401, 403) else "")
    assert counted(metrics, STATUS, ENDINGS[status].value) == 1.0
    sent.status = 200
    await made.status(policy(), [])
    assert made.findings() == ()


async def test_silence_is_a_failure_and_mended_by_word() -> None:
    """What failed may be gone, so that no success follows."""
    made, metrics = writes(Sent(0))
    assert (await made.read_lease(("shop", "l"))).ending is Ending.FAILED
    assert await made.event({"metadata": {"namespace": "shop"}}) is Ending.FAILED
    assert [each.why for each in made.findings()] == ["no route", "no route"]
    made.mended(EVENT)
    assert [each.at for each in made.findings()] == [LEASE]
    assert counted(metrics, LEASE, "failed") == 1.0
