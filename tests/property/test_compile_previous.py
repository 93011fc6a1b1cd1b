"""What was published before decides only where two forms are equally right, and keeps lists calm."""

from __future__ import annotations

import dataclasses
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lbcontrol.engine.compile import capabilities_for, forms, problems
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.model.assignment import EVERYONE, AssignedEndpoint
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.rendering import EndpointsForm, ResourceType
from tests.support.decisions import assigned, decided

GRPC = capabilities_for(ClientProfile(kind="grpc-cpp", version="1.85.0"))
ENVOY = capabilities_for(ClientProfile(kind="envoy"))
CALM = settings(max_examples=15, deadline=None)


def told(ends: list[AssignedEndpoint], previous: EndpointsForm | None, *, envoy: bool = False) -> EndpointsForm:
    """Return the list after ``previous``."""
    capabilities = ENVOY if envoy else GRPC
    (form,) = forms(
        decided(ends), ResourceType.ENDPOINTS, cohort=EVERYONE, capabilities=capabilities, previous=previous
    )
    assert isinstance(form, EndpointsForm)
    return form


def homes(form: EndpointsForm) -> dict[str, str]:
    """Return the locality of each endpoint: who changes it is dialled anew."""
    return {str(one.address): str(group.locality) for group in form.localities for one in group.endpoints}


@CALM
@given(st.lists(st.integers(0, 700), min_size=1, max_size=12))
def test_carrier_has_a_memory_between_400_and_500(counts: list[int]) -> None:
    """Any walk: above 500 classes, below 400 localities, between them whatever it was."""
    previous, carrier = None, "locality"
    for count in counts:
        carrier = "classes" if count > 500 else "locality" if count < 400 else carrier
        previous = told([assigned(number) for number in range(count)], previous)
        assert previous.carrier == carrier


@CALM
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 600))
def test_repeating_a_list_changes_nothing(seed: int, envoy: bool, count: int) -> None:
    """The same decision again gives the same objects, so that nothing is encoded or sent."""
    rng = random.Random(seed)
    ends = [assigned(number, rng.randint(1, 10**6), zone=number) for number in range(count)]
    first = told(ends, None, envoy=envoy)
    again = told([dataclasses.replace(one) for one in ends], first, envoy=envoy)
    assert [one is other for one, other in zip(first.localities, again.localities, strict=True)] == [True] * len(
        first.localities
    )


@CALM
@given(st.integers(0, 2**32))
def test_reuse_never_changes_the_bytes_of_exact_carriers(seed: int) -> None:
    """With localities or endpoint weights the list after another is the list as if there had been none."""
    rng = random.Random(seed)
    for envoy in (False, True):
        previous = None
        for _ in range(4):
            numbers = rng.sample(range(30), rng.randint(0, 20))
            ends = [assigned(number, rng.randint(1, 9), zone=rng.randint(0, 5)) for number in numbers]
            previous = told(ends, previous, envoy=envoy)
            assert encode(previous) == encode(told(ends, None, envoy=envoy))


@CALM
@given(st.integers(0, 2**32))
def test_small_steps_move_nobody_between_classes(seed: int) -> None:
    """Weights that wander 4 % to and fro around a value never leave the class they are in."""
    rng = random.Random(seed)
    centres = [rng.randint(400, 10**5) for _ in range(510)]
    previous = told([assigned(number, weight, zone=number) for number, weight in enumerate(centres)], None)
    first = homes(previous)
    for _ in range(3):
        ends = [
            assigned(number, round(weight * rng.uniform(0.96, 1.04)), zone=number)
            for number, weight in enumerate(centres)
        ]
        previous = told(ends, previous)
        assert problems(previous) == ()
        assert homes(previous) == first


@CALM
@given(st.integers(0, 2**32))
def test_one_endpoint_that_goes_moves_no_other(seed: int) -> None:
    """Leaving and coming change the list where they happen, with every carrier."""
    rng = random.Random(seed)
    for count in (20, 520):
        ends = [assigned(number, rng.randint(100, 800), zone=number) for number in range(count)]
        before = told(ends, None)
        gone = ends.pop(rng.randrange(count))
        after = homes(told(ends, before))
        assert after == {address: home for address, home in homes(before).items() if address != str(gone.address)}
