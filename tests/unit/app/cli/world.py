"""A small fleet behind the two listeners that the command line asks, and one way to run a command against it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from lbcontrol.app.cli import run
from lbcontrol.frontends.admin import AdminFrontEnd, AdminParts
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
from lbcontrol.model.assignment import Decision, ExplainedStep, Explanation, Mark
from lbcontrol.model.clients import ClientProfile, Peer
from lbcontrol.model.endpoints import Address, Health, Locality
from lbcontrol.model.errors import NotFoundError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.overrides import Override, OverrideKind
from lbcontrol.runtime.clock import FakeClock
from tests.support.front_end_server import Loop
from tests.unit.frontends.fakes import World as Native
from tests.unit.frontends.fakes import decision, endpoint

A, B, C = "10.0.1.7:50051", "10.0.2.9:50051", "10.0.3.1:50051"
NACK = Finding("LB301", 'the client rejected "cart"', why="LB policy is not supported", effect="it stays on 975")
FORBIDDEN = Finding("LB204", "forbidden: list endpointslices in namespace shop", why="the API server answered 403")


def greeter(revision: int = 41, weights: Sequence[int] = (100, 200, 500), draining: str = "") -> Decision:
    """Return a service of three."""
    health = [Health.DRAINING if each == draining else Health.SERVING for each in (A, B, C)]
    ends = [endpoint(address, weights[i], health[i]) for i, address in enumerate((A, B, C))]
    return decision("greeter", revision, *ends, aliases=("greeter.shop:50051",))


def client(name: str, *subscriptions: SubscriptionView, kind: str = "grpc-cpp", version: str = "1.85.0") -> ClientView:
    """Return a client."""
    profile = ClientProfile(name, kind, version, Locality("r1", "a"))
    return ClientView(profile, Peer("192.0.2.1:5"), "xds", "locality", 21_600.0, subscriptions)


def at(service: str, sent: int, acknowledged: int | None = None, behind: float | None = None) -> SubscriptionView:
    """Return a subscription; without ``acknowledged`` it is up to date."""
    return SubscriptionView(service, Mark(1, sent), Mark(1, sent if acknowledged is None else acknowledged), behind)


class Fleet:
    """Operations over lists that a test may change."""

    durable = False

    def __init__(self) -> None:
        self.held: dict[object, Override] = {}
        self.parked = dataclasses.replace(at("cart", 977, 975, 14.0), rejection=NACK)
        self.views = [client("client-7f2", at("greeter", 41)), client("client-9c1", self.parked, version="1.62.0")]
        self.found: list[ProblemView] = []
        self.known = [SourceView("local", "file", True, True, True, 1_700_000_000.0, 2, 8)]
        self.change = Change(3, 0.25, 0.0, Mark(1, 42))

    async def apply(self, override: Override, *, dry_run: bool) -> Change:
        """Keep an override."""
        if dry_run:
            return dataclasses.replace(self.change, mark=None)
        self.held[override.key] = override
        return self.change

    async def clear(self, override: Override, *, dry_run: bool) -> Change:
        """Drop an override."""
        if override.key not in self.held:
            raise NotFoundError(Finding("LB313", f"{override.address} is not drained", do="lbcontrol get greeter"))
        if not dry_run:
            del self.held[override.key]
        return Change(3, 0.0, 0.25, Mark(1, 43))

    def find(self, service: str, address: Address, kind: OverrideKind) -> Override | None:
        """Return one override."""
        return self.held.get((service, address, kind))

    def overrides(self) -> Sequence[Override]:
        """Return all overrides."""
        return list(self.held.values())

    def explain(self, service: str, cohort: str, *, only: Address | None) -> Sequence[Explanation]:
        """Return why A has a weight and B has none."""
        steps = (
            ExplainedStep("merge", {"sources": 2}, {}, "in 2 of 2 sources (local greeter.yaml:4, registry)", "e1"),
            ExplainedStep("health", {}, {"health": "serving"}, "serving: the sources say so", ""),
            ExplainedStep("weights", {"static": 134}, {"weight": 134}, "134 static", "e2"),
        )
        none = (ExplainedStep("health", {}, {}, "draining: ana, deploy", "e3"),)
        mark = Mark(1, 41)
        both = [
            Explanation(service, Address.parse(A), cohort, mark, steps, 134, 134 / 600),
            Explanation(service, Address.parse(B), cohort, mark, none, None, 0.0),
        ]
        return [each for each in both if only in (None, each.address)]

    def clients(self) -> Sequence[ClientView]:
        """Return the clients."""
        return self.views

    def told(self, client: ClientView, service: str) -> Told:
        """Return two endpoints, one of them left out."""
        place = Locality("r1", "a")
        sent = ToldEndpoint(Address.parse(A), Health.SERVING, 134, 134 / 600, place, 0, "locality sub_zone=e1 134")
        gone = ToldEndpoint(Address.parse(B), Health.DRAINING, 0, 0.0, Locality("r1", "b"), 0, "left out since 40")
        return Told(next(s for s in client.subscriptions if s.service == service), (sent, gone))

    def sources(self) -> Sequence[SourceView]:
        """Return the sources."""
        return self.known

    def documents(self, service: str) -> Documents:
        """Return a document."""
        return Documents(f"services:\n- name: {service}\n", ("local",))

    async def problems(self) -> Sequence[ProblemView]:
        """Return the problems."""
        return self.found

    def server(self) -> ServerInfo:
        """Return a server."""
        return ServerInfo("0.1.0", 1_700_000_000.0)

    def break_source(self) -> None:
        """Let a second source go stale, as the server tells of it."""
        self.known.append(SourceView("cluster", "kubernetes", False, True, True, None, 0, 0, 252.0, (FORBIDDEN,)))
        warning = Finding("LB305", "weights by locality reconnect on change", severity=Severity.WARNING)
        self.found += [ProblemView(FORBIDDEN, "source cluster"), ProblemView(warning, "client client-9c1")]


class Outcome:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class Cli:
    """Runs commands against the listeners."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.fleet = Fleet()
        self.native = Native()
        cart = [endpoint(f"10.0.9.{i}:50051", 1, Health.DRAINING if i == 5 else Health.SERVING) for i in range(1, 6)]
        self.native.directory.put(greeter(), decision("cart", 977, *cart))
        directory = self.native.directory
        self.admin = AdminFrontEnd(AdminParts(self.fleet, directory, self.native.permits, FakeClock()))
        self.server_address, self.admin_address = f"unix:{folder}/grpc.sock", f"unix:{folder}/admin.sock"
        self._capture = capture
        self.loop: Loop
        """Where the listeners run: changes of what they show are made there."""

    def __call__(self, *arguments: str) -> Outcome:
        """Run one command line."""
        code = run(arguments)
        printed = self._capture.readouterr()
        return Outcome(code, printed.out, printed.err)
