"""What a client can do, read from the table of clients by its kind and version."""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass
from typing import Any

from lbcontrol.engine.compile.client_table import POLICY, TABLE, Carrier, Drain, Version
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.services import LoadBalancerType

CARRIER_KEY = "lbcontrol.carrier"
"""Key of node metadata by which a client chooses its carrier itself."""

CHOOSABLE = {carrier.value: carrier for carrier in (Carrier.LOCALITY, Carrier.REAL, Carrier.ENDPOINT)}
"""Values of ``CARRIER_KEY``; any other is as if nothing had been said."""

_CORE_MINOR = 23
"""C-core 32 was gRPC 1.55 and the distance has only grown, so core + 23 is never newer than the client is."""

_KINDS = (
    ("grpc c-core", "grpc-cpp"),
    ("grpc-c", "grpc-cpp"),
    ("grpc go", "grpc-go"),
    ("grpc java", "grpc-java"),
    ("grpc node", "grpc-node"),
    ("grpc-node", "grpc-node"),
    ("envoy", "envoy"),
    ("lookaside", "lookaside"),
)
"""How a user agent begins, in lower case, and whose it is."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one kind of client, in one range of versions, does with what it is told.

    The defaults are those of a plain gRPC client that can only be asked for round robin.
    """

    kind: str = "unknown"
    carrier: Carrier = Carrier.LOCALITY
    """How weights reach it under round robin."""
    weight_delay: float = 0.0
    """Seconds that weight-only changes are held back at least."""
    restart_jitter: float = 0.0
    """Seconds over which first answers after our restart are spread."""
    stand_in: bool = False
    """An unknown name is told as a listener without routes, because absence would be believed late."""
    stand_in_words: bool = False
    """Tells its caller the name of a route configuration without a fitting host, which can so say what is wrong."""
    listeners: bool = True
    """Takes an ApiListener by LDS."""
    max_localities: int = 500
    """Endpoints that are told as one locality each; longer lists use weight classes."""
    few_localities: int = 400
    """A list with weight classes goes back to one locality per endpoint below this many endpoints."""
    drain: Drain = Drain.LEFT_OUT
    enums: bool = False
    """Reads policies from ``lb_policy``; wants no list but for ClientWeighted."""
    http2: bool = False
    """Must be told that backends speak HTTP/2."""
    locality_weights: bool = True
    """Reads locality weights unasked."""
    spills: bool = False
    """Spills to the next priority and panics by its own arithmetic unless told not to."""
    one_drop: bool = False
    """Rejects more than one drop category."""
    ring_sizes: bool = True
    """Takes ring sizes."""
    policies: frozenset[LoadBalancerType] = frozenset({LoadBalancerType.ROUND_ROBIN})
    """Client policies it can be asked for."""
    namespace: str = ""
    """Of this client: its services are known to it by their bare names, too."""

    def without_namespace(self) -> Capabilities:
        """Return those of clients that are alike in all else."""
        return dataclasses.replace(self, namespace="") if self.namespace else self

    def policy(self, asked: LoadBalancerType) -> LoadBalancerType:
        """Return the policy it will run when ``asked`` is wanted: that one, or round robin in its place."""
        return asked if asked in self.policies else LoadBalancerType.ROUND_ROBIN

    def carrier_under(self, asked: LoadBalancerType) -> Carrier:
        """Return its carrier when ``asked`` is wanted: only round robin can ride on a locality per endpoint.

        What the kind will really run does not count, so that all kinds with one carrier share one list.
        """
        if self.carrier is Carrier.LOCALITY and asked is not LoadBalancerType.ROUND_ROBIN:
            return Carrier.REAL
        return self.carrier


def kind_of(user_agent_name: str) -> str:
    """Return the kind of client behind ``node.user_agent_name``; ``unknown`` for one without rows."""
    name = user_agent_name.strip().lower()
    return next((kind for begin, kind in _KINDS if name.startswith(begin)), "unknown")


@functools.lru_cache(maxsize=1024)
def version_of(kind: str, text: str) -> Version:
    """Read ``node.user_agent_version`` as numbers; ``()``, older than all, when there are none.

    C-core says ``C-core 58.0.0 Python 1.85.3``: the last number with dots is the release people know. With the core's
    own number alone, the release is estimated, never too new.
    """
    found = re.findall(r"\d{1,9}(?:\.\d{1,9})+", text[:256])
    if not found:
        return ()
    numbers = tuple(int(part) for part in found[-1].split("."))
    return (1, numbers[0] + _CORE_MINOR) if kind == "grpc-cpp" and numbers[0] > 1 else numbers


@functools.lru_cache(maxsize=1024)
def _of(kind: str, version: Version) -> Capabilities:
    rows = [row for row in TABLE if row.kind == kind and row.covers(version)]
    said: dict[str, Any] = {row.feature: row.value for row in rows if row.feature != POLICY}
    policies = {LoadBalancerType(str(row.value)) for row in rows if row.feature == POLICY}
    return Capabilities(kind=kind, policies=frozenset(policies | {LoadBalancerType.ROUND_ROBIN}), **said)


KINDS = tuple(dict.fromkeys(row.kind for row in TABLE))
"""Every kind with rows."""


def capabilities_for(profile: ClientProfile) -> Capabilities:
    """Return what a client like this can do; equal for clients that may share every form.

    A kind without rows is served as ``unknown``. ``lbcontrol.carrier`` in the metadata overrides the carrier.
    """
    kind = profile.kind if profile.kind in KINDS else "unknown"
    found = _of(kind, version_of(kind, profile.version))
    chosen = CHOOSABLE.get(profile.metadata.get(CARRIER_KEY, ""), found.carrier)
    if chosen is found.carrier and not profile.namespace:
        return found
    return dataclasses.replace(found, carrier=chosen, namespace=profile.namespace)
