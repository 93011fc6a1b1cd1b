"""The CustomResourceDefinition on a real API server: it takes what files take and refuses the rest in clear words."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.test_documents import NAMES, POLICIES
from tests.support.kube import Kube, namespace
from tests.support.service_policies import (
    install,
    known_documents,
    refusal_of_api,
    refusal_of_files,
    service_policy,
)
from tests.unit.sources.test_schema_walk import DOCUMENT

SPACE = "schemas"


@pytest.fixture(scope="module")
def served(kube: Kube) -> Kube:
    """A cluster that knows ServicePolicies."""
    kube.apply(namespace(SPACE))
    install(kube)
    return kube


def test_known_documents_are_taken_or_refused_by_both(served: Kube) -> None:
    """Every document of the other tests: the API server and the reader of files agree."""
    documents = list(known_documents())
    assert len(documents) > 80
    differing = [
        (document["spec"], by_api, by_files)
        for document in documents
        if bool(by_api := refusal_of_api(served, document, namespace=SPACE))
        != bool(by_files := refusal_of_files(document))
    ]
    assert not differing


def spots(node: Any) -> Iterator[tuple[Any, str | int]]:
    """Return every place of a tree as its container and the step into it."""
    for step in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, step
        if isinstance(node[step], dict | list):
            yield from spots(node[step])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries({"targetRefs": st.lists(NAMES, min_size=1, max_size=3)}),
    POLICIES,
    st.sampled_from([0, 1, 16, 1.5, 1e-5, "", "x", "30s", "0s", "x-user", [], {}, True, "Zone", "Static"]),
    st.integers(0, 1_000),
)
def test_made_documents_are_taken_or_refused_by_both(
    served: Kube, targets: dict[str, Any], policy: dict[str, Any], wrong: object, where: int
) -> None:
    """Right ones, and the same with one value replaced by another (null aside: to the API server it says nothing)."""
    policy = copy.deepcopy(policy)
    spec = {"targetRefs": [{"name": name} for name in targets["targetRefs"]], **policy}
    document = {**DOCUMENT, "spec": spec}
    assert (refusal_of_api(served, document, namespace=SPACE), refusal_of_files(document)) == ("", "")
    places = list(spots(spec))
    container, step = places[where % len(places)]
    container[step] = wrong
    by_api, by_files = refusal_of_api(served, document, namespace=SPACE), refusal_of_files(document)
    assert bool(by_api) == bool(by_files), (spec, by_api, by_files)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"targetRefs": []}, "spec.targetRefs in body should have at least 1 items"),
    "many targets": ({"targetRefs": [{"name": f"s{n}"} for n in range(17)]}, "must have at most 16 items"),
    "another kind": ({"targetRefs": [{"name": "a", "kind": "Pod"}]}, 'supported values: "Service"'),
    "later key": ({"subset": {"size": 20}}, "spec.subset: Forbidden: subset is not supported yet: it would have no"),
    "later objective": ({"weighting": {"objective": "Latency"}}, "objective Latency is not supported yet"),
    "duration": ({"timeout": "30"}, "whole numbers with units h, m, s, ms: 30s, 1m30s, 250ms"),
    "no duration": ({"timeout": "0s"}, "a duration is above 0 and at most 365 days"),
    "header": (
        {"loadBalancer": {"type": "RingHash", "ringHash": {"header": "X-User"}}},
        "header names are lower-case letters, digits, - _ .",
    ),
    "hash of another picker": (
        {"loadBalancer": {"ringHash": {"header": "x"}}},
        "spec.loadBalancer.ringHash: Invalid value: ringHash says what the type RingHash hashes: write type: RingHash",
    ),
    "category twice": (
        {"drop": [{"category": "a", "percent": 1}, {"category": "a", "percent": 2}]},
        'spec.drop[1]: Duplicate value: {"category":"a"}',
    ),
    "fine percent": ({"drop": [{"category": "a", "percent": 1e-5}]}, "a percent has at most 4 decimals"),
    "unknown key": ({"wieght": 2}, 'unknown field "spec.wieght"'),
    "control character": ({"drop": [{"category": "a\u0007", "percent": 1}]}, "contains a control character: remove it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_says_what_is_wrong(served: Kube, case: str) -> None:
    """The words of the API server name the key and what is accepted."""
    spec, words = REFUSED[case]
    document = service_policy(SPACE, "greeter", "greeter")
    document["spec"] |= spec
    assert words in refusal_of_api(served, document, namespace=SPACE)


def test_columns_show_what_became_of_a_policy(served: Kube) -> None:
    """People see the target and, once there is a status, what lbcontrol says; not what other controllers do."""
    served.apply(service_policy(SPACE, "shown", "greeter", timeout="3s"))
    head, row = served.kubectl("-n", SPACE, "get", "svcpolicy", "shown").splitlines()
    assert head.split() == ["NAME", "TARGET", "ACCEPTED", "PROGRAMMED", "AGE"]
    assert row.split()[:2] == ["shown", "greeter"]
    assert served.kubectl("-n", SPACE, "get", "lbcontrol", "-o", "name") == "servicepolicy.lbcontrol.io/shown\n"
