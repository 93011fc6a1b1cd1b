"""Carriers: how weights reach each kind, and what stays the same when something else changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from lbcontrol.engine.compile import capabilities_for, forms
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint, Assignment
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Health, Locality
from lbcontrol.model.rendering import EndpointsForm, ResourceType
from lbcontrol.model.services import Drop, LoadBalancerType, PolicySpec
from tests.support.decisions import assigned, balanced, decided, many, weighted

GRPC = ClientProfile(kind="grpc-cpp", version="1.85.0")
ENVOY = ClientProfile(kind="envoy")


def told(
    endpoints: Sequence[AssignedEndpoint],
    profile: ClientProfile = GRPC,
    policy: PolicySpec | None = None,
    *,
    previous: EndpointsForm | None = None,
) -> EndpointsForm:
    """Return the endpoint list such a client gets."""
    decision = decided(endpoints, policy)
    capabilities = capabilities_for(profile)
    (form,) = forms(decision, ResourceType.ENDPOINTS, cohort=EVERYONE, capabilities=capabilities, previous=previous)
    assert isinstance(form, EndpointsForm)
    return form


def test_each_endpoint_has_a_locality_of_its_own() -> None:
    """gRPC: real region and zone, the address as sub-zone, the weight on the locality and not on the endpoint."""
    form = told(weighted(1, 2, 5))
    assert form.carrier == "locality"
    assert [(one.locality, one.weight) for one in form.localities] == [
        (Locality("r1", "a", "10.0.0.0:50051"), 1),
        (Locality("r1", "a", "10.0.0.1:50051"), 2),
        (Locality("r1", "b", "10.0.0.2:50051"), 5),
    ]
    assert [one.weight for group in form.localities for one in group.endpoints] == [None, None, None]


def test_envoy_has_weights_on_endpoints_of_real_localities() -> None:
    """Envoy: localities as the registry has them, and never less of a priority than serves."""
    form = told(weighted(1, 2, 5), ENVOY)
    assert (form.carrier, form.no_spill) == ("endpoint", True)
    assert [(str(one.locality), one.weight) for one in form.localities] == [("r1/a", 1), ("r1/a/rack7", 2), ("r1/b", 5)]
    assert [one.weight for group in form.localities for one in group.endpoints] == [1, 2, 5]


@pytest.mark.parametrize("asked", [one for one in LoadBalancerType if one is not LoadBalancerType.ROUND_ROBIN])
def test_other_policies_use_real_localities(asked: LoadBalancerType) -> None:
    """Only round robin can ride on a locality per endpoint."""
    form = told([assigned(0, 2), assigned(1, 3), assigned(2, 4, zone=2)], GRPC, balanced(asked))
    assert form.carrier == "real"
    assert [str(one.locality) for one in form.localities] == ["r1/a", "r1/b"]
    multiplied = asked in (LoadBalancerType.RING_HASH, LoadBalancerType.PICK_FIRST)
    assert all((one.weight is not None) == multiplied for group in form.localities for one in group.endpoints)


def test_weights_of_a_single_ring_are_sent_as_they_are() -> None:
    """With one locality in a priority the product needs no care, and small numbers stay small."""
    form = told([assigned(0, 2), assigned(1, 3)], GRPC, balanced(LoadBalancerType.RING_HASH))
    assert [(one.weight, [each.weight for each in one.endpoints]) for one in form.localities] == [(1, [2, 3])]


def test_draining_endpoints_are_left_out_for_grpc_and_kept_for_envoy() -> None:
    """For gRPC they are gone, Envoy is told DRAINING; a locality where nobody else is keeps weight 1."""
    ends = [assigned(0, 9, zone=2, health=Health.DRAINING), assigned(1, 3), assigned(2, 4, health=Health.DRAINING)]
    assert [one.weight for one in told(ends).localities] == [3]
    kept = told(ends, ENVOY)
    assert [one.weight for one in kept.localities] == [3, 1]
    assert [each.health.value for one in kept.localities for each in one.endpoints] == [
        "serving",
        "draining",
        "draining",
    ]


def test_priorities_close_up_when_one_is_left_out() -> None:
    """A gap would be rejected; the locality key does not follow the priority."""
    ends = [assigned(0, health=Health.DRAINING), assigned(1, priority=3), assigned(2, priority=7)]
    form = told(ends)
    assert [(one.priority, one.locality.sub_zone) for one in form.localities] == [
        (0, "10.0.0.1:50051"),
        (1, "10.0.0.2:50051"),
    ]
    assert [one.priority for one in told(ends, ENVOY).localities] == [0, 1, 2]


def test_classes_begin_above_500_and_end_below_400() -> None:
    """Between the two the list stays as it was, so that one endpoint to and fro changes nothing else."""
    ends = many(501)
    assert told(ends[:500]).carrier == "locality"
    form = told(ends)
    assert form.carrier == "classes"
    assert len(form.localities) <= 3 * 32
    assert told(ends[:400], previous=form).carrier == "classes"
    assert told(ends[:399], previous=form).carrier == "locality"
    assert told(ends[:450]).carrier == "locality"


@pytest.mark.parametrize("count", [3, 600])
@pytest.mark.parametrize("profile", [GRPC, ENVOY], ids=["grpc", "envoy"])
def test_what_did_not_change_is_the_same_object(count: int, profile: ClientProfile) -> None:
    """One weight that moves by a little replaces one locality; the others and their endpoints are the same objects."""
    ends = many(count)
    before = told(ends, profile)
    ends[1] = dataclasses.replace(ends[1], weight=ends[1].weight + 1)
    after = told([dataclasses.replace(one) for one in ends], profile, previous=before)
    kept = [one is other for one, other in zip(before.localities, after.localities, strict=True)]
    assert kept.count(False) == 1
    pieces = [{id(each) for group in form.localities for each in group.endpoints} for form in (before, after)]
    assert len(pieces[0] - pieces[1]) == (1 if profile is ENVOY else 0)


def test_classes_are_not_read_from_a_registrys_own_sub_zones() -> None:
    """A sub-zone that looks like a class damps nothing when the list before had none."""
    ends = [dataclasses.replace(one, locality=Locality("r", "z", "class-1-9")) for one in many(501)]
    before = told(ends, ClientProfile(metadata={"lbcontrol.carrier": "real"}))
    assert told(ends, previous=before) == told(ends)


def test_drops_become_one_for_envoy() -> None:
    """Envoy takes one category: it lets through what both would, one after the other."""
    policy = PolicySpec(drops=(Drop("shed", 50.0), Drop("test", 20.0)))
    assert told(weighted(1), GRPC, policy).drops == policy.drops
    (one,) = told(weighted(1), ENVOY, policy).drops
    assert (one.category, round(one.percent, 9)) == ("shed+test", 60.0)


def test_cohort_is_told_its_own_assignment() -> None:
    """Everyone's assignment stands in for a cohort that is gone; a removed service has nothing to tell."""
    decision = decided(weighted(1, 2))
    near = Assignment("greeter", "zone=r1/a", (assigned(7),))
    both = dataclasses.replace(decision, assignments={**decision.assignments, "zone=r1/a": near})
    capabilities = capabilities_for(GRPC)
    for cohort, count in (("zone=r1/a", 1), ("zone=r1/gone", 2), (EVERYONE, 2)):
        (form,) = forms(both, ResourceType.ENDPOINTS, cohort=cohort, capabilities=capabilities, previous=None)
        assert isinstance(form, EndpointsForm)
        assert len(form.localities) == count
    removed = dataclasses.replace(decision, assignments={}, removed=True)
    for type_ in ResourceType:
        assert forms(removed, type_, cohort=EVERYONE, capabilities=capabilities, previous=None) == ()
