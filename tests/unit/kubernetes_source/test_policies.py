"""ServicePolicies of a cluster, read by the code that reads files."""

from __future__ import annotations

from typing import Any

import pytest

from lbcontrol.model.services import LoadBalancerType, PolicyRank
from lbcontrol.sources.documents import read_documents
from lbcontrol.sources.kubernetes.policies import policy_of
from tests.support.kube_objects import policy

FILE = """
apiVersion: lbcontrol.io/v1alpha1
kind: ServicePolicy
metadata: {name: p, namespace: shop, creationTimestamp: "2026-11-25T11:59:59Z"}
spec:
  targetRefs: [{group: "", kind: Service, name: echo}]
  loadBalancer: {type: PickFirst}
  drop: [{category: shed, percent: 5}]
  timeout: 1m30s
"""


def test_says_what_the_same_document_says_in_a_file() -> None:
    """Claim and targets are equal, rank, origin and age too."""
    (entry,) = read_documents(FILE, path="f.yaml").policies
    drop = [{"category": "shed", "percent": 5}]
    found = policy("p", loadBalancer={"type": "PickFirst"}, drop=drop, timeout="1m30s")
    assert (found.claim, found.targets) == (entry.claim, entry.targets)
    assert found.claim is not None
    assert found.claim.rank is PolicyRank.SERVICE_POLICY
    assert found.claim.spec.load_balancer.type is LoadBalancerType.PICK_FIRST
    assert found.targeted() == {("shop", "echo")}
    assert not found.findings


def test_metadata_that_files_do_not_know_is_no_fault() -> None:
    """Labels, managed fields and whatever else the API server adds."""
    meta = {"namespace": "shop", "name": "p", "labels": {"a": "b"}, "managedFields": [{}], "generation": "odd"}
    found = policy_of({"metadata": meta, "spec": {"targetRefs": [{"name": "echo"}], "perClient": None}})
    assert found.claim is not None
    assert found.generation == 0


def test_malformed_one_says_nothing_and_names_its_place() -> None:
    """The findings are those of a file, at the object instead of a line; its targets are known as far as possible."""
    found = policy("p", "echo", "chat", timeout="0s", wieght=2)
    assert found.claim is None
    assert found.targets == ("echo", "chat")
    assert sorted((each.code, each.at) for each in found.findings) == [
        ("LB104", "ServicePolicy shop/p, spec.wieght"),
        ("LB119", "ServicePolicy shop/p, spec.timeout"),
    ]
    assert {each.effect for each in found.findings} == {"its last good form, if it had one, stays in force"}


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": {"namespace": "shop", "name": "p"}, "spec": []},
        {"metadata": {"namespace": "shop", "name": "p"}, "spec": {"targetRefs": {"name": "echo"}}},
        {"metadata": {"namespace": "shop", "name": "p"}, "spec": {"targetRefs": ["echo", {"name": 1}, {}]}},
        {"metadata": {"namespace": "shop", "name": "p"}, "spec": {}, "status": {"ancestors": [1, "x", None]}},
    ],
)
def test_whatever_the_api_server_holds_is_read_or_refused(item: Any) -> None:
    """Nothing raises."""
    found = policy_of(item)
    assert found.claim is None
    assert found.findings
    assert (found.targets, found.ancestors) == ((), ())
