"""The operators' API: writes become overrides, explanations survive as JSON, rights hold for every method."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TypeVar

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status as RpcStatus
from lookaside.api import METHODS
from lookaside.api.lbcontrol.v1 import admin_service_pb2 as pb
from lookaside.api.lbcontrol.v1 import common_pb2, status_pb2

from lbcontrol.frontends.admin import PREFIX, AdminFrontEnd, AdminParts
from lbcontrol.frontends.admin_ports import (
    Change,
    ClientView,
    Documents,
    ProblemView,
    ServerInfo,
    SourceView,
    SubscriptionView,
    Told,
    ToldEndpoint,
)
from lbcontrol.model.assignment import ExplainedStep, Explanation, Mark
from lbcontrol.model.clients import ClientProfile, Identity, Peer, Role
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.runtime.clock import FakeClock
from lbcontrol.runtime.ports import Status, StatusCode, StatusError
from tests.unit.frontends.fakes import MemoryDirectory, Permits, decision, endpoint

OPERATOR = Peer("unix:", Identity("ana", authenticated=True))
ONE, TWO = Address.parse("10.0.0.1:1"), Address.parse("10.0.0.2:1")
NACK = Finding("LB301", "rejected")
CLIENTS = (
    ClientView(
        ClientProfile("c1", "grpc-cpp", "1.85", Locality("r", "z")),
        Peer("192.0.2.1:5"),
        "xds",
        "locality",
        60.0,
        (SubscriptionView("a", Mark(1, 2), Mark(1, 2)), SubscriptionView("secret", Mark(1, 1), Mark(1, 1))),
    ),
    ClientView(
        ClientProfile("b2", "lookaside"),
        Peer("192.0.2.2:5"),
        "native",
        "native",
        5.0,
        (SubscriptionView("a", Mark(1, 2), Mark(1, 1), 14.0, NACK),),
    ),
)


def weighted(address: Address, static: int, factor: float, weight: int, share: float) -> Explanation:
    """Return an explanation of a static weight times an operator's factor."""
    steps = (
        ExplainedStep("merge", {"sources": ("file", "registry")}, {"static": static}, "named by two", "e1"),
        ExplainedStep("weights", {"static": static, "factor": factor}, {"weight": weight}, "static times factor", "e2"),
    )
    return Explanation("a", address, "all", Mark(1, 2), steps, weight, share)


class MemoryOperations:
    """Operations that remember what they were told."""

    durable = False

    def __init__(self) -> None:
        self.held: dict[object, Override] = {}
        self.asked: list[tuple[str, str]] = []

    async def apply(self, override: Override, *, dry_run: bool) -> Change:
        """Keep an override."""
        if not dry_run:
            self.held[override.key] = override
        return Change(3, 0.5, 0.0, None if dry_run else Mark(1, 3))

    async def clear(self, override: Override, *, dry_run: bool) -> Change:
        """Drop an override."""
        if override.key not in self.held:
            raise NotFoundError(Finding("LB313", "no such override"))
        if not dry_run:
            del self.held[override.key]
        return Change(3, 0.0, 0.5, None if dry_run else Mark(1, 4))

    def find(self, service: str, address: Address, kind: OverrideKind) -> Override | None:
        """Return one override."""
        return self.held.get((service, address, kind))

    def overrides(self) -> Sequence[Override]:
        """Return all overrides."""
        return list(self.held.values())

    def explain(self, service: str, cohort: str, *, only: Address | None) -> Sequence[Explanation]:
        """Return two explanations, the larger address first."""
        self.asked.append((service, cohort))
        both = [weighted(TWO, 2**32 - 2, 1.0, 2**32 - 2, 0.75), weighted(ONE, 100, 1.34, 134, 0.25)]
        return [each for each in both if only in (None, each.address)]

    def clients(self) -> Sequence[ClientView]:
        """Return two clients."""
        return CLIENTS

    def told(self, client: ClientView, service: str) -> Told:
        """Return one endpoint."""
        sent = ToldEndpoint(ONE, Health.SERVING, 134, 1.0, Locality("r", "z"), 0, "locality sub_zone=e1 134")
        return Told(next(s for s in client.subscriptions if s.service == service), (sent,))

    def sources(self) -> Sequence[SourceView]:
        """Return two sources."""
        bad = Finding("LB204", "forbidden")
        up = SourceView("local", "file", True, True, True, 1_700_000_000.5, 1, 2)
        return [up, SourceView("cluster", "kubernetes", False, True, True, None, 0, 0, 252.0, (bad,))]

    def documents(self, service: str) -> Documents:
        """Return a document."""
        return Documents(f"services:\n- name: {service}\n", ("local",))

    async def problems(self) -> Sequence[ProblemView]:
        """Return a warning and an error."""
        warning = Finding("LB305", "reconnects", severity=Severity.WARNING)
        return [ProblemView(warning, "client b2"), ProblemView(Finding("LB204", "forbidden"), "source cluster", 7.0)]

    def server(self) -> ServerInfo:
        """Return a server."""
        return ServerInfo("0.1.0", 1_700_000_000.0)


Answer = TypeVar("Answer", bound=Message)


class Desk:
    """An admin front end over one service "a" (alias "alias")."""

    def __init__(self, *denied: tuple[Role, str]) -> None:
        self.operations = MemoryOperations()
        self.clock = FakeClock()
        directory = MemoryDirectory()
        directory.put(decision("a", 2, endpoint("10.0.0.1:1"), aliases=("alias",)))
        self.front = AdminFrontEnd(AdminParts(self.operations, directory, Permits(*denied), self.clock))

    def raw(self, word: str, request: Message) -> bytes:
        """Call a method and return the bytes."""
        handler = next(m.unary for m in self.front.methods() if m.path == PREFIX + word)
        assert handler is not None

        async def wait() -> bytes:
            return await handler(request.SerializeToString(), OPERATOR, {})

        return asyncio.run(wait())

    def call(self, word: str, request: Message, kind: type[Answer]) -> Answer:
        """Call a method."""
        return kind.FromString(self.raw(word, request))

    def failure(self, word: str, request: Message) -> tuple[StatusCode, str]:
        """Call a method that must fail; return status and LB code."""
        with pytest.raises(StatusError) as caught:
            self.raw(word, request)
        status: Status = caught.value.status
        detail = common_pb2.ErrorDetail()
        RpcStatus.FromString(status.details).details[0].Unpack(detail)
        return status.code, detail.code


def test_admin_serves_every_method_of_its_service() -> None:
    """The method table covers AdminService exactly, all unary."""
    methods = Desk().front.methods()
    assert {m.path for m in methods} == {path for path in METHODS if path.startswith(PREFIX)}
    assert all(m.unary is not None and m.stream is None for m in methods)


def test_drain_becomes_an_override_with_author_reason_and_expiry() -> None:
    """A drain by alias is kept for the service, says who, why and until when, what it does and how to undo it."""
    desk = Desk()
    request = pb.DrainRequest(service="alias", address="10.0.0.1:1", reason="deploy", expires_after={"seconds": 60})
    answer = desk.call("Drain", request, pb.DrainResponse)
    (held,) = desk.operations.held.values()
    assert (held.service, held.address, held.kind, held.by, held.reason) == (
        "a",
        ONE,
        OverrideKind.DRAIN,
        "ana",
        "deploy",
    )
    assert held.expires_at == desk.clock.wall() + 60
    effect = answer.effect
    assert (effect.clients, effect.share_before, effect.mark.revision) == (3, 0.5, 3)
    assert (effect.undo, effect.warnings[0].what) == ("lbcontrol undrain a 10.0.0.1:1", "lost on restart")


def test_dry_run_changes_nothing() -> None:
    """The effect is shown, marked as dry run, without a mark; nothing is kept."""
    desk = Desk()
    request = pb.SetWeightRequest(service="a", address="10.0.0.1:1", weight=5, dry_run=True)
    effect = desk.call("SetWeight", request, pb.SetWeightResponse).effect
    assert (effect.dry_run, effect.HasField("mark"), desk.operations.held) == (True, False, {})


def test_weight_is_set_replaced_and_taken_back() -> None:
    """Undo names the weight before, or the way back to none; no weight at all takes the override back."""
    desk = Desk()
    undo = []
    for weight in (5, 7):
        request = pb.SetWeightRequest(service="a", address="10.0.0.1:1", weight=weight)
        undo.append(desk.call("SetWeight", request, pb.SetWeightResponse).effect.undo.split()[-1])
    listed = desk.call("ListOverrides", pb.ListOverridesRequest(), pb.ListOverridesResponse)
    gone = desk.call("SetWeight", pb.SetWeightRequest(service="a", address="10.0.0.1:1"), pb.SetWeightResponse)
    assert undo == ["--clear", "5"]
    assert [(each.kind, each.weight) for each in listed.overrides] == [(status_pb2.OVERRIDE_KIND_WEIGHT, 7)]
    assert (gone.HasField("override"), desk.operations.held) == (False, {})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (pb.DrainRequest(service="b", address="10.0.0.1:1"), (StatusCode.NOT_FOUND, "LB310")),
        (pb.DrainRequest(service="a", address="host:1"), (StatusCode.INVALID_ARGUMENT, "LB324")),
        (pb.DrainRequest(service="a", address="10.0.0.1:1", reason="x" * 512), None),
        (pb.DrainRequest(service="a", address="10.0.0.1:1", reason="x" * 513), (StatusCode.INVALID_ARGUMENT, "LB330")),
        (pb.DrainRequest(service="a", address="10.0.0.1:1", reason="a\x1b[2J"), (StatusCode.INVALID_ARGUMENT, "LB330")),
        (pb.DrainRequest(service="a\n", address="10.0.0.1:1"), (StatusCode.INVALID_ARGUMENT, "LB321")),
        (pb.DrainRequest(service="a", address="10.0.0.1:1", expires_after={"nanos": 1}), None),
        (pb.DrainRequest(service="a", address="10.0.0.1:1", expires_after={}), (StatusCode.INVALID_ARGUMENT, "LB331")),
        (pb.SetWeightRequest(service="a", address="10.0.0.1:1", weight=1), None),
        (pb.SetWeightRequest(service="a", address="10.0.0.1:1", weight=0), (StatusCode.INVALID_ARGUMENT, "LB329")),
        (pb.UndrainRequest(service="a", address="10.0.0.1:1"), (StatusCode.NOT_FOUND, "LB313")),
    ],
)
def test_write_limits_hold_at_their_boundary(request_: Message, expected: tuple[StatusCode, str] | None) -> None:
    """What is allowed is kept; the next value is refused with its code and keeps nothing."""
    desk = Desk()
    word = type(request_).__name__.removesuffix("Request")
    if expected is None:
        desk.raw(word, request_)
    else:
        assert desk.failure(word, request_) == expected
    assert len(desk.operations.held) == (expected is None)


def test_explanation_rebuilds_each_weight_and_share_from_its_json() -> None:
    """From the JSON alone: static times factor is the weight, exactly up to 2^32, and it is the one announced."""
    answer = Desk().call("Explain", pb.ExplainRequest(service="alias"), pb.ExplainResponse)
    explained = json.loads(json_format.MessageToJson(answer))["explanations"]
    assert [each["address"] for each in explained] == ["10.0.0.1:1", "10.0.0.2:1"]
    for each in explained:
        merge, weights = each["steps"]
        assert merge["output"]["static"] == weights["input"]["static"]
        assert round(weights["input"]["static"] * weights["input"]["factor"]) == weights["output"]["weight"]
        assert weights["output"]["weight"] == each["weight"]
    assert explained[0]["steps"][0]["input"] == {"sources": ["file", "registry"]}
    assert [each["steps"][1]["eventId"] for each in explained] == ["e2", "e2"]


def test_explain_answers_for_one_endpoint_and_one_clients_cohort() -> None:
    """An address narrows the answer, a client decides the cohort; what does not exist is NOT_FOUND."""
    desk = Desk()
    request = pb.ExplainRequest(service="a", address="10.0.0.2:1", client_id="c1")
    (only,) = desk.call("Explain", request, pb.ExplainResponse).explanations
    assert (only.address, desk.operations.asked) == ("10.0.0.2:1", [("a", "all")])
    assert desk.failure("Explain", pb.ExplainRequest(service="a", address="10.9.9.9:1"))[1] == "LB311"
    assert desk.failure("Explain", pb.ExplainRequest(service="a", client_id="nobody"))[1] == "LB312"


def test_clients_are_listed_by_id_with_their_state_and_filtered() -> None:
    """A client with a rejection is parked and behind; the others are current; a hidden service is left out."""
    desk = Desk((Role.INSPECT, "secret"))
    everyone = desk.call("ListClients", pb.ListClientsRequest(), pb.ListClientsResponse).clients
    behind = desk.call("ListClients", pb.ListClientsRequest(behind=True), pb.ListClientsResponse).clients
    states = [[(s.service, s.state) for s in client.subscriptions] for client in everyone]
    assert states == [[("a", status_pb2.CLIENT_STATE_PARKED)], [("a", status_pb2.CLIENT_STATE_CURRENT)]]
    assert [(client.id, client.subscriptions[0].rejection.code) for client in behind] == [("b2", "LB301")]


@pytest.mark.parametrize("client_id", ["c1", "kind:grpc-cpp"])
def test_get_client_says_exactly_what_it_was_told(client_id: str) -> None:
    """By id or by kind: endpoint, weight, and how it was written."""
    desk = Desk()
    answer = desk.call("GetClient", pb.GetClientRequest(client_id=client_id, service="a"), pb.GetClientResponse)
    (service,) = answer.services
    assert (answer.client.id, service.service) == ("c1", "a")
    assert [(e.weight, e.sent_as) for e in service.endpoints] == [(134, "locality sub_zone=e1 134")]
    assert desk.failure("GetClient", pb.GetClientRequest(client_id="c1", service="b"))[1] == "LB312"


def test_sources_documents_and_problems_are_shown() -> None:
    """Sources by name with cause and age, documents as YAML, problems with errors first."""
    desk = Desk()
    sources = desk.call("ListSources", pb.ListSourcesRequest(), pb.ListSourcesResponse).sources
    assert [(s.name, s.up, s.stale_for.seconds, [f.code for f in s.findings]) for s in sources] == [
        ("cluster", False, 252, ["LB204"]),
        ("local", True, 0, []),
    ]
    assert (sources[0].HasField("last_event_at"), sources[1].last_event_at.ToMilliseconds()) == (False, 1700000000500)
    document = desk.call("GetService", pb.GetServiceRequest(service="alias"), pb.GetServiceResponse)
    assert (document.yaml, list(document.sources)) == ("services:\n- name: a\n", ["local"])
    answer = desk.call("ListProblems", pb.ListProblemsRequest(), pb.ListProblemsResponse)
    assert [(p.subject, p.error.severity) for p in answer.problems] == [
        ("source cluster", common_pb2.SEVERITY_ERROR),
        ("client b2", common_pb2.SEVERITY_WARNING),
    ]


WRITES = ("Drain", "Undrain", "SetWeight")


@pytest.mark.parametrize("word", [path.removeprefix(PREFIX) for path in METHODS if path.startswith(PREFIX)])
def test_every_method_needs_its_role(word: str) -> None:
    """Without "operate" no write, without "inspect" no answer, and nothing is kept."""
    request = METHODS[PREFIX + word].request()
    values = {"service": "a", "address": "10.0.0.1:1", "client_id": "c1", "weight": 3}
    for name in request.DESCRIPTOR.fields_by_name.keys() & values.keys():
        setattr(request, name, values[name])
    role = Role.OPERATE if word in WRITES else Role.INSPECT
    desk = Desk((role, "a"), (role, ""))
    if word == "ListOverrides":
        asyncio.run(desk.operations.apply(Override("a", ONE, OverrideKind.DRAIN), dry_run=False))
        assert list(desk.call(word, request, pb.ListOverridesResponse).overrides) == []
        return
    code, _ = desk.failure(word, request)
    assert code is (StatusCode.NOT_FOUND if word in ("Explain", "GetService") else StatusCode.PERMISSION_DENIED)
    assert desk.operations.held == {}
