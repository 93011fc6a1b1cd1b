"""What is measured: one scenario is a load and the servers that take turns under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

HTTP2, GRPCIO = "lbcontrol, transport http2", "lbcontrol, transport grpcio"
LINEAR, SNAPSHOT = "go-control-plane, linear cache", "go-control-plane, snapshot cache"
RAW = "raw C"
GO_LOADS = "grpc-go, parses and takes a mutex"

Kind = Literal["push", "burst", "reports"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a figure of lbcontrol on http2 must be at most; it is never a reason to stop."""

    key: str
    """Figure of the generator."""
    most: float
    than: str = ""
    """Server of whose figure ``most`` is a share; empty when it is a value."""
    goal: float | None = None
    """What is wanted beyond the gate."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load."""

    name: str
    """How it is asked for."""
    title: str
    servers: tuple[str, ...]
    kind: Kind = "push"
    connections: int = 1_000
    streams: int = 1
    """Of each connection."""
    services: int = 1
    """Every stream subscribes to all."""
    endpoints: int = 100
    """Of each service."""
    cohorts: int = 0
    """Zones the clients are in; each service then prefers the client's zone."""
    types: str = "lds,rds,cds,eds"
    localities: int = 1
    """Of each load report."""
    config: str = ""
    """File of configs/ that lbcontrol is started with."""
    tls: bool = False
    plain: str = ""
    """The same load in plaintext, for what handshakes may cost."""
    rounds: int = 10
    passes: int = 1
    """How often the servers take turns."""
    gates: tuple[Gate, ...] = ()

    def flags(self) -> Mapping[str, object]:
        """Return the generator's flags."""
        flags: dict[str, object] = {
            "mode": "reports" if self.kind == "reports" else "push",
            "connections": self.connections,
            "streams": self.streams,
            "services": self.services,
            "endpoints": self.endpoints,
            "cohorts": self.cohorts,
            "types": self.types,
            "localities": self.localities,
            "rounds": self.rounds,
            "tls": str(self.tls).lower(),
            "timeout": "150s",
        }
        if self.kind == "burst":
            flags |= {"burst": 50, "within": "100ms", "gap": "700ms"}
        return flags


ALL = (HTTP2, LINEAR, SNAPSHOT, RAW, GRPCIO)
CPU = (Gate("us_per_push", 0.40, LINEAR, 0.30), Gate("us_per_push", 2.8, RAW, 2.2))
LAST = Gate("last_ms", 0.6, LINEAR)
MEMORY = Gate("rss_kib_per_connection", 6.0)
STORM = (Gate("failures", 0), Gate("storm_ms", 1.0, LINEAR))
REPORTS = (Gate("us_per_report", 0.5, GO_LOADS), Gate("failures", 0))

SCENARIOS = (
    Scenario("push-1k", "1,000 connections, 100 endpoints", ALL, passes=2, gates=(*CPU, MEMORY, *STORM)),
    Scenario(
        "push-10k",
        "10,000 connections, 100 endpoints",
        (HTTP2, LINEAR, RAW),
        connections=10_000,
        rounds=8,
        gates=(*CPU, LAST, MEMORY, *STORM),
    ),
    Scenario(
        "push-10k-others",
        "10,000 connections, 100 endpoints: the other servers",
        (SNAPSHOT, GRPCIO),
        connections=10_000,
        rounds=4,
    ),
    Scenario(
        "endpoints-1k",
        "1,000 connections, 1,000 endpoints",
        (HTTP2, LINEAR, SNAPSHOT, RAW),
        endpoints=1_000,
        gates=(Gate("us_per_push", 0.45, LINEAR), Gate("failures", 0)),
    ),
    Scenario(
        "services-50",
        "1,000 connections, 50 services each, 20 zones",
        (HTTP2, LINEAR),
        services=50,
        cohorts=20,
        gates=(Gate("us_per_push", 0.40, LINEAR, 0.30), Gate("failures", 0)),
    ),
    Scenario(
        "streams-10k",
        "10,000 streams on 20 connections, endpoints only",
        (HTTP2, LINEAR),
        connections=20,
        streams=500,
        types="eds",
        rounds=4,
        config="many-streams.yaml",
        gates=(Gate("failures", 0),),
    ),
    Scenario(
        "streams-100k",
        "100,000 streams on 200 connections, endpoints only",
        (HTTP2, LINEAR),
        connections=200,
        streams=500,
        types="eds",
        rounds=2,
        config="many-streams.yaml",
        gates=(Gate("rss_mib", 250.0), Gate("failures", 0)),
    ),
    Scenario(
        "burst",
        "1,000 connections, 50 changes within 100 ms",
        (HTTP2, LINEAR, SNAPSHOT),
        kind="burst",
        rounds=5,
        config="registrations.yaml",
        gates=(Gate("most_messages_of_a_stream", 5), Gate("failures", 0)),
    ),
    Scenario("reports-1k", "1,000 streams", (HTTP2, GO_LOADS), kind="reports", passes=2, gates=REPORTS),
    Scenario("reports-5k", "5,000 streams", (HTTP2, GO_LOADS), kind="reports", connections=5_000, gates=REPORTS),
    Scenario(
        "reports-wide",
        "1,000 streams, 50 localities in each report",
        (HTTP2, GO_LOADS),
        kind="reports",
        localities=50,
        gates=REPORTS,
    ),
    Scenario(
        "tls-1k",
        "1,000 connections, 100 endpoints, TLS",
        (HTTP2, LINEAR),
        tls=True,
        plain="push-1k",
        config="tls.yaml",
        gates=(CPU[0], Gate("rss_kib_per_connection", 25.0), Gate("failures", 0)),
    ),
    Scenario(
        "tls-10k",
        "10,000 connections, 100 endpoints, TLS",
        (HTTP2, LINEAR),
        connections=10_000,
        tls=True,
        plain="push-10k",
        rounds=4,
        config="tls.yaml",
        gates=(CPU[0], LAST, Gate("rss_kib_per_connection", 25.0), Gate("failures", 0)),
    ),
)
"""In the order in which they are measured and shown."""
