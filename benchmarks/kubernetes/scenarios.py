"""What is measured: how many clients follow the service that changes, and what its figures must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.fanout.scenarios import Gate

OURS = "lbcontrol"
INFORMER = "client-go informer, LinearCache"
ISTIO = "Istio"
ISTIO_AT_ONCE = "Istio, EDS debounce off"
SERVERS = (OURS, INFORMER, ISTIO, ISTIO_AT_ONCE)
SERVICES = 100
"""In the cluster, each with one slice; svc-0 changes."""
ENDPOINTS = 100
"""Of each service."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many clients, and what they follow."""

    name: str
    """How it is asked for."""
    title: str
    clients: int
    types: str = "eds"
    """Resource types each asks for: one, because Istio answers a change with all that was asked for."""
    spread: bool = False
    """True when each client follows one of all services in turn; else all follow the one that changes."""
    rounds: int = 10
    passes: int = 2
    """How often the servers take turns."""
    gates: tuple[Gate, ...] = ()
    alone: str = ""
    """Scenario in which only those who follow the changed service are there."""
    most_of_alone: float = 0.0
    """What a change may cost of what it costs there."""

    def flags(self) -> Mapping[str, object]:
        """Return the generator's flags."""
        spread = {"of": SERVICES} if self.spread else {}
        return {"connections": self.clients, "types": self.types, "timeout": "60s", **spread}


LATENCY = (
    Gate("after_last_ms", 1.0, INFORMER),
    Gate("after_p99_ms", 0.5, ISTIO),
    Gate("after_p99_ms", 1.0, ISTIO_AT_ONCE),
    Gate("us_per_change_and_stream", 0.4, INFORMER),
    Gate("failures", 0),
)

SCENARIOS = (
    Scenario("1k", "1,000 clients of the service that changes", 1_000, gates=LATENCY),
    Scenario("5k", "5,000 clients of the service that changes", 5_000, gates=LATENCY),
    Scenario(
        "1k-all-types",
        "1,000 clients of the service that changes, which ask for all types as gRPC does",
        1_000,
        types="lds,rds,cds,eds",
        rounds=5,
        passes=1,
        gates=LATENCY,
    ),
    Scenario("alone", "50 clients of the service that changes", 50, rounds=30, passes=1),
    Scenario(
        "one-of-100",
        "5,000 clients of 100 services, 50 of each",
        5_000,
        spread=True,
        rounds=30,
        passes=1,
        gates=(Gate("messages_to_others", 0), Gate("failures", 0)),
        alone="alone",
        most_of_alone=1.5,
    ),
)
"""In the order in which they are measured and shown."""
