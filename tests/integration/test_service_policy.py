"""ServicePolicies on a real API server: what comes of them, what their status says, and when it is written."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbcontrol.sources.kubernetes import reporting
from tests.support.kube import Kube, endpoint, endpoint_slice, namespace, service
from tests.support.kube_watching import (
    GOOD,
    Watching,
    apply,
    events,
    grant,
    hand_over,
    kubectl,
    observed,
    until,
    watching,
)
from tests.support.service_policies import COLLECTION, install, lax_definition, service_policy


@pytest.fixture
def shop(kube: Kube) -> str:
    """A namespace of the test's own, with two Services, in a cluster that knows ServicePolicies."""
    install(kube)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    kube.apply(namespace(name))
    kube.apply(*(service(name, each) for each in ("echo", "chat")))
    kube.apply(endpoint_slice(name, "a", endpoint("10.0.0.1"), of="echo"))
    return name


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kube]:
    """A cluster that the test may break, with a Service."""
    with Kube(tmp_path / "own") as cluster:
        cluster.apply(namespace("shop"))
        cluster.apply(service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
        yield cluster


async def test_policy_is_in_force_and_says_so(kube: Kube, shop: str) -> None:
    """Accepted and programmed at each of its Services; changed, the service follows; deleted, it has none."""
    await apply(kube, service_policy(shop, "both", "echo", "chat", timeout="3s"))
    async with watching(kube, shop) as made:
        assert made.sink.picture[f"echo.{shop}"].policies[0].spec.timeout == 3.0
        await made.until("both", {"echo": GOOD, "chat": GOOD})
        await apply(kube, service_policy(shop, "both", "echo", timeout="5s"))
        await until(lambda: made.sink.picture[f"echo.{shop}"].policies[0].spec.timeout == 5.0)
        await made.until("both", {"echo": GOOD})
        assert not made.sink.picture[f"chat.{shop}"].policies
        found = await asyncio.to_thread(kube.ask, f"{COLLECTION.format(shop)}/both")
        conditions = found["status"]["ancestors"][0]["conditions"]
        assert {each["observedGeneration"] for each in conditions} == {found["metadata"]["generation"]}
        await kubectl(kube, "-n", shop, "delete", "svcpolicy", "both")
        await until(lambda: not made.sink.picture[f"echo.{shop}"].policies)
        assert made.codes() == []


async def test_older_policy_wins_and_the_other_is_conflicted(kube: Kube, shop: str) -> None:
    """Whatever they are called; when the older goes, the other is in force."""
    await apply(kube, service_policy(shop, "z-older", "echo", timeout="1s"))
    await asyncio.sleep(1.1)  # Ages are told in whole seconds.
    await apply(kube, service_policy(shop, "a-younger", "echo", timeout="2s"))
    async with watching(kube, shop) as made:
        await made.until("z-older", {"echo": GOOD})
        await made.until("a-younger", {"echo": ("False", "False", "Conflicted")})
        assert [each.spec.timeout for each in made.sink.picture[f"echo.{shop}"].policies] == [1.0, 2.0]
        await until(lambda: f"ServicePolicy {shop}/z-older is older" in events(kube, shop))
        assert events(kube, shop).startswith("ServicePolicy a-younger Conflicted: Service echo: ")
        await kubectl(kube, "-n", shop, "delete", "svcpolicy", "z-older")
        await made.until("a-younger", {"echo": GOOD})


async def test_policy_waits_for_its_service(kube: Kube, shop: str) -> None:
    """Not there, there and not balanced, balanced: each is said."""
    missing = ("False", "False", "TargetNotFound")
    await apply(kube, service_policy(shop, "early", "late", "echo"))
    async with watching(kube, shop) as made:
        await made.until("early", {"late": missing, "echo": GOOD})
        assert made.codes() == ["LB124"]
        await apply(kube, service(shop, "late", annotations={}))
        await until(lambda: "is not balanced by lbcontrol: kubectl" in events(kube, shop))
        await apply(kube, service(shop, "late"))
        await made.until("early", {"late": GOOD, "echo": GOOD})
        assert made.codes() == []
        await kubectl(kube, "-n", shop, "delete", "service", "late")
        await made.until("early", {"late": missing, "echo": GOOD})


async def test_malformed_policy_keeps_its_last_good_form(own: Kube) -> None:
    """What an older definition lets through is a condition, an Event and a finding; the service goes on as it was."""
    await apply(own, lax_definition())
    await kubectl(own, "wait", "--for=condition=Established", "crd/servicepolicies.lbcontrol.io")
    await apply(own, service_policy("shop", "p", "echo", timeout="3s"))
    async with watching(own, "shop") as made:
        await made.until("p", {"echo": GOOD})
        await apply(own, service_policy("shop", "p", "echo", timeout="0s"))
        await made.until("p", {"echo": ("False", "False", "Invalid")})
        assert made.sink.picture["echo.shop"].policies[0].spec.timeout == 3.0
        assert made.codes() == ["LB119"]
        await until(lambda: 'Invalid: Service echo: spec.timeout: "0s" is out of range' in events(own, "shop"))
        found = own.ask(f"{COLLECTION.format('shop')}/p")["status"]["ancestors"][0]["conditions"]
        assert "generation 1, stays in force" in found[1]["message"]
        await apply(own, service_policy("shop", "p", "echo", timeout="4s"))
        await made.until("p", {"echo": GOOD})
        assert made.codes() == []


async def test_nothing_is_written_while_nothing_changes(kube: Kube, shop: str) -> None:
    """Not by a source that is idle, not by the next one; entries of other controllers stay."""
    await apply(kube, service_policy(shop, "quiet", "echo", "chat"))
    path = f"{COLLECTION.format(shop)}/quiet"
    foreign = {"ancestorRef": {"name": "echo"}, "controllerName": "other.io/mesh", "conditions": []}
    patch = {"status": {"ancestors": [foreign]}}
    how = ("--subresource=status", "--type=merge", "-p", json.dumps(patch))
    await kubectl(kube, "-n", shop, "patch", "svcpolicy", "quiet", *how)
    async with watching(kube, shop) as made:
        await made.until("quiet", {"echo": GOOD, "chat": GOOD})
        version, written = kube.ask(path)["metadata"]["resourceVersion"], made.writes("status")
        await apply(kube, endpoint_slice(shop, "a", endpoint("10.0.0.2"), of="echo"))
        await asyncio.sleep(7.0)  # Longer than the least time between two writes.
        assert made.writes("status") == written
    async with watching(kube, shop) as made:
        await until(lambda: made.writes("lease") > 0)
        await asyncio.sleep(3.0)
        assert made.writes("status") == 0
    found = kube.ask(path)
    assert found["metadata"]["resourceVersion"] == version
    assert found["status"]["ancestors"][0] == foreign


async def test_one_object_is_written_once_in_five_seconds(kube: Kube, shop: str) -> None:
    """However often it changes; the last word is the one that stays."""
    async with watching(kube, shop) as made:
        began = asyncio.get_running_loop().time()
        for seconds in range(1, 13):
            await apply(kube, service_policy(shop, "busy", "echo", timeout=f"{seconds}s"))
            await asyncio.sleep(0.25)
        await until(lambda: observed(kube, shop, "busy") == 12)
        assert made.writes("status") <= 1 + (asyncio.get_running_loop().time() - began) / 5.0
        await made.until("busy", {"echo": GOOD})


async def test_source_works_without_the_definition(own: Kube) -> None:
    """Not installed: Services are balanced and it is a finding; installed, policies are read without a restart."""
    async with watching(own, "shop") as made:
        assert set(made.sink.weights("echo.shop")) == {"10.0.0.1:50051"}
        assert made.codes() == ["LB240"]
        assert made.sink.stale_since is None
        await asyncio.to_thread(install, own)
        await apply(own, service_policy("shop", "p", "echo", timeout="3s"))
        await made.until("p", {"echo": GOOD})
        assert made.sink.picture["echo.shop"].policies[0].spec.timeout == 3.0
        assert made.codes() == []


async def test_missing_right_to_write_hurts_nothing(own: Kube) -> None:
    """403 on the status: a finding and a count, and the policy is in force; once granted, it is written."""
    await asyncio.to_thread(install, own)
    grant(own, "reads", "list,watch", "services,endpointslices.discovery.k8s.io,servicepolicies.lbcontrol.io")
    grant(own, "leads", "get,create,update", "leases.coordination.k8s.io")
    await apply(own, service_policy("shop", "p", "echo", timeout="3s"), service_policy("shop", "q", "gone"))
    async with watching(own, "shop", user="lb") as made:
        await until(lambda: made.writes("status", "refused") >= 2)
        assert set(made.codes()) == {"LB241", "LB124"}
        assert made.sink.picture["echo.shop"].policies[0].spec.timeout == 3.0
        assert made.sink.stale_since is None
        await asyncio.to_thread(grant, own, "tells", "patch", "servicepolicies.lbcontrol.io/status")
        await asyncio.to_thread(grant, own, "notes", "create,patch", "events.events.k8s.io")
        await made.until("p", {"echo": GOOD})
        await until(lambda: "ServicePolicy q TargetNotFound" in events(own, "shop"))
        await until(lambda: made.codes() == ["LB124"])


async def test_only_the_holder_of_the_lease_writes(kube: Kube, shop: str) -> None:
    """Taken from it, it stops; free again, it goes on; at its end it gives it up."""
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{shop}/leases/lbcontrol-status"
    await apply(kube, service_policy(shop, "p", "echo", timeout="1s"))
    async with watching(kube, shop) as first:
        await first.until("p", {"echo": GOOD})
        written = first.writes("status")
        await asyncio.to_thread(hand_over, kube, shop, holder="another")
        await until(lambda: not first.holds)
        await apply(kube, service_policy(shop, "p", "echo", timeout="2s"))
        await asyncio.sleep(6.0)
        assert first.writes("status") == written
        assert kube.ask(lease)["spec"]["holderIdentity"] == "another"
        await asyncio.to_thread(hand_over, kube, shop, holder="")
        await until(lambda: observed(kube, shop, "p") == 2)
    assert kube.ask(lease)["spec"]["holderIdentity"] == ""


async def test_next_replica_goes_on_where_the_first_ended(
    kube: Kube, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two, one writes; at its end the other has the Lease at its next look, and writes only what is new."""
    await apply(kube, service_policy(shop, "p", "echo", timeout="1s"))
    async with watching(kube, shop) as first:
        await first.until("p", {"echo": GOOD})
        monkeypatch.setattr(reporting, "identity", lambda: "second")
        async with watching(kube, shop) as second:
            await apply(kube, service_policy(shop, "p", "echo", timeout="2s"))
            await until(lambda: observed(kube, shop, "p") == 2)
            assert (first.holds, second.holds, second.writes("status")) == (True, False, 0)
            await first.end()
            await until(lambda: second.holds)
            await asyncio.sleep(1.0)
            assert second.writes("status") == 0
            await apply(kube, service_policy(shop, "p", "echo", timeout="3s"))
            await until(lambda: observed(kube, shop, "p") == 3)


async def test_of_replicas_that_begin_together_one_writes(
    kube: Kube, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server lets one of them create the Lease, whoever comes first; the others wait."""
    monkeypatch.setattr(reporting, "identity", lambda: uuid.uuid4().hex)
    await apply(kube, service_policy(shop, "p", "echo", timeout="1s"))
    replicas = [Watching(kube, shop) for _ in range(4)]
    for each in replicas:
        each.begin()
    try:
        await until(lambda: observed(kube, shop, "p") == 1)
        for _ in range(40):
            assert sum(each.holds for each in replicas) <= 1
            await asyncio.sleep(0.1)
        assert sum(bool(each.writes("status")) for each in replicas) == 1
    finally:
        await asyncio.gather(*(each.end() for each in replicas))


async def test_outage_leaves_policies_in_force(own: Kube) -> None:
    """The API server killed and started again: nothing is taken away, and what is new is read and answered."""
    await asyncio.to_thread(install, own)
    await apply(own, service_policy("shop", "p", "echo", timeout="3s"))
    async with watching(own, "shop") as made:
        await made.until("p", {"echo": GOOD})
        own.kill_api()
        await until(lambda: made.sink.stale_since is not None)
        await until(lambda: not made.holds)
        assert made.sink.picture["echo.shop"].policies[0].spec.timeout == 3.0
        await asyncio.to_thread(own.start_api)
        await apply(own, service_policy("shop", "p", "echo", timeout="4s"))
        await until(lambda: observed(own, "shop", "p") == 2)
        await until(lambda: made.codes() == [])
    assert "update -echo.shop" not in made.sink.calls


async def test_source_that_shall_write_nothing_asks_for_no_lease(kube: Kube, shop: str) -> None:
    """Policies are in force all the same."""
    await apply(kube, service_policy(shop, "p", "echo", timeout="3s"))
    async with watching(kube, shop, writeStatus=False) as made:
        assert made.sink.picture[f"echo.{shop}"].policies[0].spec.timeout == 3.0
        await asyncio.sleep(1.0)
        assert made.rows("p") == {}
        assert {kind: made.writes(kind) for kind in ("lease", "status", "event")} == dict.fromkeys(
            ("lease", "status", "event"), 0
        )


async def test_malformed_annotation_is_said_once(kube: Kube, shop: str) -> None:
    """An Event and a finding; not again by the next source while the Event is there."""
    await apply(kube, service(shop, "typo", annotations={"lbcontrol.io/enabled": "ja", "lbcontrol.io/prot": "x"}))
    for _ in range(2):
        async with watching(kube, shop) as made:
            await until(lambda: made.writes("event") + made.writes("event", "conflict") == 2)
            assert made.codes() == ["LB230", "LB230"]
    said = kube.ask(f"/apis/events.k8s.io/v1/namespaces/{shop}/events")["items"]
    assert sorted((each["reason"], each["regarding"]["name"], "series" in each) for each in said) == [
        ("MalformedAnnotation", "typo", False),
        ("MalformedAnnotation", "typo", False),
    ]
    shown = kube.kubectl("-n", shop, "describe", "service", "typo")
    assert 'has annotation lbcontrol.io/enabled "ja"; accepted: true, false' in shown
