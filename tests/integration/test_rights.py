"""Who may do what, with real tokens of a real API server: every method of both listeners against every identity."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from envoy.service.load_stats.v3 import lrs_pb2
from grpc_health.v1 import health_pb2
from lookaside.api import METHODS
from lookaside.api.lbcontrol.v1 import admin_service_pb2 as admin
from lookaside.api.lbcontrol.v1 import lookaside_service_pb2 as native

from lbcontrol.pb.grpc.reflection.v1 import reflection_pb2
from tests.support.kube import Kube, Object, endpoint, endpoint_slice, namespace, service
from tests.support.kube_plane import KubePlane

AUDIENCE = "lbcontrol.test"
SECONDS = 20.0
EDS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
LRS = "/envoy.service.load_stats.v3.LoadReportingService/"
HEALTH = "/grpc.health.v1.Health/"
NATIVE, ADMIN = "/lbcontrol.v1.LookasideService/", "/lbcontrol.v1.AdminService/"
OWN, OTHER, UNKNOWN = "echo.shop", "vault.bank", "none.shop"
"""The last, which nobody has, is as long as the first, so that answers can be compared byte by byte."""
Probe = Callable[[str, str, str | None], str]
"""Address, path and token to a word: sees, hidden, denied, or the code of the answer."""
RULES = [
    {"roles": ["inspect", "operate"], "identities": ["local"], "services": ["*.shop"]},
    {"roles": ["inspect"], "identities": ["system:serviceaccount:shop:prometheus"]},
    {"roles": ["register"], "identities": ["system:serviceaccount:shop:web"], "services": ["self-*"]},
]


def account(space: str, name: str) -> Object:
    """Return a service account."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": space, "name": name}}


def made_plane(cluster: Kube, home: Path) -> KubePlane:
    """Start a control plane that takes tokens."""
    login = cluster.kubeconfig()
    made = KubePlane(home, login, namespaces=["shop", "bank"])
    extra = {
        "authentication": {"kubernetes": {"audience": AUDIENCE, "kubeconfig": str(login)}},
        "authorization": {"rules": RULES},
    }
    made.config.write_text(made.config.read_text() + yaml.safe_dump(extra))
    made.start()
    return made


@pytest.fixture(scope="module")
def plane(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubePlane]:
    """A control plane that takes tokens, beside two namespaces with a service each."""
    for name, space in (each.split(".") for each in (OWN, OTHER)):
        kube.apply(namespace(space), account(space, "web"), account(space, "prometheus"))
        kube.apply(service(space, name), endpoint_slice(space, name, endpoint("10.0.0.1"), of=name))
    made = made_plane(kube, tmp_path_factory.mktemp("rights"))
    yield made
    made.kill9()


@pytest.fixture(scope="module")
def tokens(kube: Kube, plane: KubePlane) -> Mapping[str, str]:
    """Tokens by who has them."""
    del plane  # It made the accounts.
    return {
        "web of shop": kube.account_token("shop", "web", AUDIENCE),
        "web of bank": kube.account_token("bank", "web", AUDIENCE),
        "prometheus of shop": kube.account_token("shop", "prometheus", AUDIENCE),
        "for the API server": kube.account_token("shop", "web"),
        "for somebody else": kube.account_token("shop", "web", "vault.example"),
        "forged": kube.account_token("shop", "web", AUDIENCE)[:-6] + "AAAAAA",
        "static": "admin-token",
    }


def metadata(token: str | None) -> tuple[tuple[str, str | bytes], ...]:
    """Return what a call with a token brings."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def call(address: str, path: str, request: bytes, token: str | None = None) -> tuple[str, bytes]:
    """Make a unary call, or a streaming one of one request; returns the code and the first answer."""
    with grpc.insecure_channel(address) as channel:
        method: Any = channel.stream_stream(path)
        made = method(iter([request]), timeout=SECONDS, metadata=metadata(token))
        try:
            return "OK", next(made, b"")
        except grpc.RpcError as error:
            return error.code().name, b""
        finally:
            made.cancel()


def endpoints(address: str, name: str, token: str | None, *, method: str = "StreamAggregatedResources") -> bytes:
    """Return the list that a client of gRPC is told under a name, less that name; no answer is an error."""
    request: Any = discovery_pb2.DiscoveryRequest(type_url=EDS, resource_names=[name], node=node())
    kind: Any = discovery_pb2.DiscoveryResponse
    if method.startswith("Delta"):
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=EDS, resource_names_subscribe=[name], node=node())
        kind = discovery_pb2.DeltaDiscoveryResponse
    code, raw = call(address, ADS + method, request.SerializeToString(), token)
    assert code == "OK", code
    (resource,) = kind.FromString(raw).resources
    body: bytes = (resource.resource if method.startswith("Delta") else resource).value
    return body.replace(name.encode(), b"N" * len(name))


def node(agent: str = "gRPC Go") -> base_pb2.Node:
    """Return a client that says this of itself."""
    return base_pb2.Node(id="x", user_agent_name=agent, user_agent_version="1.85.0")


def sees(shown: bool) -> str:
    """Return the word for what a method shows of the service OWN."""
    return "sees" if shown else "hidden"


def unary(request: Any) -> Probe:
    """Return a probe whose code is the answer; what may not be read is not found."""

    def probe(address: str, path: str, token: str | None) -> str:
        code, _ = call(address, path, request.SerializeToString(), token)
        return {"OK": "sees", "NOT_FOUND": "hidden", "PERMISSION_DENIED": "denied"}.get(code, code)

    return probe


def shown(request: Any, answer: Any, has: Callable[[Any], bool]) -> Probe:
    """Return a probe of a method that leaves out what may not be read."""

    def probe(address: str, path: str, token: str | None) -> str:
        code, raw = call(address, path, request.SerializeToString(), token)
        return sees(has(answer.FromString(raw))) if code == "OK" else code

    return probe


def assigned(address: str, path: str, token: str | None) -> str:
    """Whether xDS tells the service, or what it tells of names that nobody has."""
    method = path.rpartition("/")[2]
    told = endpoints(address, OWN, token, method=method)
    return sees(told != endpoints(address, UNKNOWN, token, method=method))


GET = native.GetAssignmentRequest(service=OWN)
WATCH = native.WatchAssignmentsRequest(client={"node_id": "x"}, subscribe=[OWN])
REPORT = {"service": OWN, "interval": {"seconds": 1}, "samples": [{"address": "10.0.0.1:50051", "rps": 1.0}]}
LOAD = native.ReportLoadRequest(client={"node_id": "x"}, reports=[REPORT])
REGISTER = native.RegisterRequest(service="self-a", address="127.0.0.1:1")
REFLECTION = reflection_pb2.ServerReflectionRequest(list_services="")
STATS = lrs_pb2.LoadStatsRequest(node=node())
CHECK = health_pb2.HealthCheckRequest(service=OWN)
SERVING = health_pb2.HealthCheckResponse.SERVING
WRITE: dict[str, Any] = {"service": OWN, "address": "10.0.0.1:50051", "reason": "test", "dry_run": True}
PROBES: dict[str, Probe] = {
    NATIVE + "GetAssignment": unary(GET),
    NATIVE + "ListServices": shown(
        native.ListServicesRequest(), native.ListServicesResponse, lambda a: OWN in [each.name for each in a.services]
    ),
    NATIVE + "WatchAssignments": shown(WATCH, native.WatchAssignmentsResponse, lambda a: a.HasField("assignment")),
    NATIVE + "ReportLoad": shown(LOAD, native.ReportLoadResponse, lambda a: a.accepted == 1),
    NATIVE + "Register": unary(REGISTER),
    NATIVE + "Withdraw": unary(native.WithdrawRequest(service="self-a", address="127.0.0.1:1")),
    ADS + "StreamAggregatedResources": assigned,
    ADS + "DeltaAggregatedResources": assigned,
    LRS + "StreamLoadStats": shown(STATS, lrs_pb2.LoadStatsResponse, lambda a: OWN in a.clusters),
    HEALTH + "Check": unary(CHECK),
    HEALTH + "List": shown(health_pb2.HealthListRequest(), health_pb2.HealthListResponse, lambda a: OWN in a.statuses),
    HEALTH + "Watch": shown(CHECK, health_pb2.HealthCheckResponse, lambda a: a.status == SERVING),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": unary(REFLECTION),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": unary(REFLECTION),
    ADMIN + "Drain": unary(admin.DrainRequest(**WRITE)),
    ADMIN + "Undrain": unary(admin.UndrainRequest(**WRITE)),
    ADMIN + "SetWeight": unary(admin.SetWeightRequest(**WRITE, weight=2)),
    ADMIN + "ListOverrides": unary(admin.ListOverridesRequest(service=OWN)),
    ADMIN + "Explain": unary(admin.ExplainRequest(service=OWN)),
    ADMIN + "ListClients": unary(admin.ListClientsRequest()),
    ADMIN + "GetClient": unary(admin.GetClientRequest(client_id="kind:grpc-go", service=OWN)),
    ADMIN + "ListSources": unary(admin.ListSourcesRequest()),
    ADMIN + "GetService": unary(admin.GetServiceRequest(service=OWN)),
    ADMIN + "ListProblems": unary(admin.ListProblemsRequest()),
}
"""How to find out what a method shows or lets do; a method without one fails a test."""

READERS = {"web of shop": "sees", "prometheus of shop": "sees", "web of bank": "hidden", "nobody": "hidden"}
REGISTRANTS = {**dict.fromkeys(READERS, "denied"), "web of shop": "sees"}
INSPECTORS = {**dict.fromkeys(READERS, "denied"), "prometheus of shop": "sees"}
OPERATORS = {**dict.fromkeys(READERS, "denied"), "nobody": "sees"}
"""On the operators' listener, nobody in particular from this machine is ``local``."""
WHOLE = ("ListClients", "ListSources", "ListProblems")
"""What concerns no service, and needs the role only."""
EXPECTED: dict[str, Mapping[str, str]] = {
    **dict.fromkeys(PROBES, READERS),
    **{path: REGISTRANTS for path in PROBES if path.endswith(("/Register", "/Withdraw"))},
    **{path: INSPECTORS for path in PROBES if "Reflection" in path},
    **{path: OPERATORS for path in PROBES if path.startswith(ADMIN)},
    **{ADMIN + each: {**dict.fromkeys(READERS, "hidden"), "nobody": "sees"} for each in ("Explain", "GetService")},
    **{ADMIN + each: {**OPERATORS, "prometheus of shop": "sees"} for each in WHOLE},
    ADMIN + "ListOverrides": dict.fromkeys(READERS, "sees"),
    ADMIN + "Undrain": {**OPERATORS, "nobody": "hidden"},
    ADMIN + "GetClient": {**OPERATORS, "nobody": "hidden"},
}
"""Who sees what. ``sees`` means that it worked; Undrain and GetClient have nothing to find."""
BAD = ("for the API server", "for somebody else", "forged", "static")


def address_of(plane: KubePlane, path: str) -> str:
    """Return the listener of a method."""
    return plane.admin if path.startswith(ADMIN) else plane.grpc


@pytest.mark.parametrize("path", PROBES)
def test_every_method_keeps_to_the_table(plane: KubePlane, tokens: Mapping[str, str], path: str) -> None:
    """For each identity, with its real token; and nobody gets in with a token that is not for us."""
    probe, address = PROBES[path], address_of(plane, path)
    found = {who: probe(address, path, tokens.get(who)) for who in EXPECTED[path]}
    assert found == EXPECTED[path]
    assert {who: call(address, path, b"", tokens[who])[0] for who in BAD} == dict.fromkeys(BAD, "UNAUTHENTICATED")


def test_no_method_is_left_out(plane: KubePlane, tokens: Mapping[str, str]) -> None:
    """What reflection names on both listeners is probed above."""
    for address in (plane.grpc, plane.admin):
        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        _, raw = call(address, path, REFLECTION.SerializeToString(), tokens["prometheus of shop"])
        listed = reflection_pb2.ServerReflectionResponse.FromString(raw).list_services_response
        names = [each.name for each in listed.service]
        assert names
        assert {name for name in names if not any(probe.startswith(f"/{name}/") for probe in PROBES)} == set()
    assert set(METHODS) <= set(PROBES)


def test_lists_show_what_may_be_read(plane: KubePlane, tokens: Mapping[str, str]) -> None:
    """A namespace's own services and no name of another's."""
    for who, names in (("web of shop", [OWN]), ("web of bank", [OTHER])):
        _, raw = call(plane.grpc, NATIVE + "ListServices", b"", tokens[who])
        assert [each.name for each in native.ListServicesResponse.FromString(raw).services] == names


def test_forbidden_is_told_as_unknown(plane: KubePlane, tokens: Mapping[str, str]) -> None:
    """To a client of gRPC byte by byte, less the name; so that a guess finds out nothing."""
    for method in ("StreamAggregatedResources", "DeltaAggregatedResources"):
        forbidden = endpoints(plane.grpc, OWN, tokens["web of bank"], method=method)
        assert forbidden == endpoints(plane.grpc, UNKNOWN, tokens["web of bank"], method=method)


def page(plane: KubePlane, path: str, token: str | None) -> tuple[int, str]:
    """Ask the probe listener."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://{plane.probe}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  ours
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_figures_need_the_role_and_the_two_words_do_not(plane: KubePlane, tokens: Mapping[str, str]) -> None:
    """Prometheus with its token; a kubelet without any."""
    assert page(plane, "/livez", None) == (200, "ok\n")
    assert page(plane, "/readyz?verbose", None) == (200, "ready\n")
    assert [page(plane, "/metrics", tokens.get(who))[0] for who in ("nobody", "web of shop", "forged")] == [
        401,
        403,
        403,
    ]
    assert "source cluster" in page(plane, "/readyz?verbose", tokens["prometheus of shop"])[1]
    code, text = page(plane, "/metrics", tokens["prometheus of shop"])
    assert (code, 'lbcontrol_authn_total{result="denied"}' in text) == (200, True)


def test_no_token_is_in_the_log(plane: KubePlane, tokens: Mapping[str, str]) -> None:
    """Neither a good one nor a bad one."""
    log = plane.log.read_text()
    assert not [who for who, token in tokens.items() if token in log]


def test_api_server_that_is_away_keeps_out_the_new_only(tmp_path: Path) -> None:
    """A stream that is open goes on, a token checked a moment ago still opens one; others are told to try again."""
    with Kube(tmp_path / "own") as own:
        own.apply(namespace("shop"), account("shop", "web"), account("shop", "late"))
        own.apply(service("shop", "echo"), endpoint_slice("shop", "a", endpoint("10.0.0.1"), of="echo"))
        plane = made_plane(own, tmp_path / "plane")
        known, late = (own.account_token("shop", each, AUDIENCE) for each in ("web", "late"))
        try:
            assert PROBES[NATIVE + "GetAssignment"](plane.grpc, NATIVE + "GetAssignment", known) == "sees"
            own.kill_api()
            began = time.monotonic()
            assert PROBES[NATIVE + "GetAssignment"](plane.grpc, NATIVE + "GetAssignment", late) == "UNAVAILABLE"
            assert time.monotonic() - began < 5.0
            assert PROBES[NATIVE + "GetAssignment"](plane.grpc, NATIVE + "GetAssignment", known) == "sees"
        finally:
            plane.kill9()
