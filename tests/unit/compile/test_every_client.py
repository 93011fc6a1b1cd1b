"""Every decision for every row of the table: what is sent is what that client accepts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lbcontrol.engine.compile import capabilities_for, forms, problems, share_key, stand_in
from lbcontrol.frontends.xds.encode import encode
from lbcontrol.model.assignment import EVERYONE, Decision
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.rendering import EndpointsForm, Form, ListenerForm, ResourceType
from tests.support.client_rules import cluster_rejected, endpoints_rejected, listener_rejected, route_rejected
from tests.support.decisions import DECISIONS, profiles

TYPES = (ResourceType.CLUSTER, ResourceType.ENDPOINTS, ResourceType.LISTENER, ResourceType.ROUTE)
PROFILES = [pytest.param(one, id=f"{one.kind}-{one.version}-{''.join(one.metadata.values())}") for one in profiles()]


def compiled(decision: Decision, profile: ClientProfile) -> Iterator[tuple[ResourceType, Form]]:
    """Yield everything such a client is told of a service."""
    capabilities = capabilities_for(profile)
    for type_ in TYPES:
        for form in forms(decision, type_, cohort=EVERYONE, capabilities=capabilities, previous=None):
            yield type_, form


def rejected(kind: str, type_: ResourceType, body: bytes) -> list[str]:
    """Return why a client of that kind would reject a resource."""
    if type_ is ResourceType.ENDPOINTS:
        return list(endpoints_rejected(kind, body))
    if type_ is ResourceType.CLUSTER:
        return list(cluster_rejected(kind, body))
    return list(listener_rejected(body) if type_ is ResourceType.LISTENER else route_rejected(body))


@pytest.mark.parametrize("profile", PROFILES)
def test_forms_are_accepted_by_the_client(profile: ClientProfile) -> None:
    """Neither our own check nor the rules written from measurements find anything a client would reject."""
    for name, decision in DECISIONS.items():
        for type_, form in compiled(decision, profile):
            assert problems(form) == (), name
            assert rejected(profile.kind, type_, encode(form)) == [], name


@pytest.mark.parametrize("type_", TYPES)
def test_equal_share_keys_give_equal_forms(type_: ResourceType) -> None:
    """Kinds that share a key are told the same, byte for byte, so that it is encoded once."""
    seen: dict[object, tuple[tuple[Form, ...], ...]] = {}
    different = {capabilities_for(profile) for profile in profiles()}
    for capabilities in different:
        told = tuple(
            forms(decision, type_, cohort=EVERYONE, capabilities=capabilities, previous=None)
            for name, decision in DECISIONS.items()
            if name not in ("500", "510 of very different weight")  # as "501", and this test is about kinds
        )
        key = share_key(capabilities, type_)
        assert seen.setdefault(key, told) == told
    assert len(seen) < len(different)


def test_grpc_kinds_share_one_endpoint_list() -> None:
    """Four languages and the unknown client cost one encoding of the list, not five."""
    kinds = ("grpc-cpp", "grpc-go", "grpc-java", "grpc-node", "unknown")
    found = {share_key(capabilities_for(ClientProfile(kind=kind)), ResourceType.ENDPOINTS) for kind in kinds}
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go"])
@pytest.mark.parametrize("type_", [ResourceType.LISTENER, ResourceType.ROUTE])
def test_stand_in_is_accepted_and_leads_nowhere(type_: ResourceType, kind: str) -> None:
    """What an unknown name is told passes every rule, and says why: in a dump, and where a kind can show it."""
    form = stand_in("nobody", type_, capabilities=capabilities_for(ClientProfile(kind=kind)))
    assert form is not None
    assert problems(form) == ()
    assert rejected(kind, type_, encode(form)) == []
    words = (b'LB310: nobody serves "nobody"' in encode(form), b"LB310: nobody serves this name" in encode(form))
    assert words == (kind == "grpc-cpp" and type_ is ResourceType.LISTENER, type_ is ResourceType.ROUTE)


def test_stand_in_of_a_name_too_long_for_words_goes_without() -> None:
    """What the client asks for next is a name as well, and has the same limit."""
    form = stand_in("n" * 500, ResourceType.LISTENER, capabilities=capabilities_for(ClientProfile(kind="grpc-cpp")))
    assert form == ListenerForm("n" * 500, "n" * 500)


@pytest.mark.parametrize("kind", ["grpc-cpp", "grpc-go", "grpc-java", "grpc-node"])
@pytest.mark.parametrize("type_", [ResourceType.CLUSTER, ResourceType.ENDPOINTS])
def test_cluster_that_nobody_serves_is_one_without_endpoints(kind: str, type_: ResourceType) -> None:
    """A client that waited for it would hold back all calls of the route that names it."""
    form = stand_in("nobody", type_, capabilities=capabilities_for(ClientProfile(kind=kind, version="9.0")))
    assert form is not None
    assert problems(form) == ()
    assert rejected(kind, type_, encode(form)) == []
    assert not isinstance(form, EndpointsForm) or form.localities == ()


def test_native_assignments_have_no_stand_in() -> None:
    """The native API says by itself that a name is unknown."""
    capabilities = capabilities_for(ClientProfile(kind="grpc-cpp"))
    assert stand_in("nobody", ResourceType.ASSIGNMENT, capabilities=capabilities) is None


@pytest.mark.parametrize("profile", PROFILES)
def test_encoding_is_the_same_twice(profile: ClientProfile) -> None:
    """Equal input gives equal bytes, also where the same objects are not at hand."""
    for name, decision in DECISIONS.items():
        one = [encode(form) for _, form in compiled(decision, profile)]
        assert [encode(form) for _, form in compiled(decision, profile)] == one, name
