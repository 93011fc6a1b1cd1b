"""The table of clients: what each kind does with what it is told, and the measurement that proves it.

One row is one fact about one kind from one version on. Rows are read in order and a later one wins, so that a kind
begins with what holds for every version. ``docs/reference/clients.md`` is made from these rows. Adding a kind is adding
rows (and its user agent in ``capabilities.py``); the tests then compile every fixture for it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbcontrol.model.services import LoadBalancerType

Version = tuple[int, ...]
"""A version as numbers: ``(1, 85)``; a prefix compares as less or equal."""


class Carrier(enum.StrEnum):
    """How weights reach a client."""

    LOCALITY = "locality"  # One locality per endpoint, the weight on the locality.
    CLASSES = "classes"  # One locality per weight class: what LOCALITY becomes for a long list.
    REAL = "real"  # Real localities, the sum of the weights on the locality.
    ENDPOINT = "endpoint"  # Real localities, the weight on the endpoint.
    NATIVE = "native"  # As ENDPOINT, for our own clients.


class Drain(enum.StrEnum):
    """How a draining endpoint is shown to a client."""

    LEFT_OUT = "left out"
    KEPT = "kept"  # Listed with health DRAINING.


Value = Carrier | Drain | LoadBalancerType | bool | int | float
"""What a row can say."""

POLICY = "policy"
"""Feature of rows that add one client policy to what the kind can be asked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact about one kind of client."""

    kind: str
    feature: str
    """A field of ``Capabilities``, or ``policy``."""
    value: Value
    proof: str
    """The measurement or text behind it, for people."""
    since: Version = ()
    """First version it holds for; empty: every version, also an unreadable one."""
    until: Version | None = None
    """First version it no longer holds for; None: still holds."""

    def covers(self, version: Version) -> bool:
        """True when the row speaks about ``version``; an unreadable one is ``()``, older than all."""
        return version >= self.since and (self.until is None or version < self.until)


_CPP = "measured 2026-11-23, grpcio 1.85.1 (C-core 58.0.0)"
_GO = "measured 2026-11-23, grpc-go 1.85.0"
_JAVA = "measured 2026-11-23, grpc-java 1.75.0 and 1.84.0"
_JAVA_TESTED = "measured 2026-11-25, grpc-java 1.85.1 (tests/interop)"
_NODE = "measured 2026-11-23, grpc-js-xds 1.14.1 on grpc-js 1.14.7"
_ENVOY = "measured 2026-11-23, Envoy 1.40.0"
_FEATURES = "grpc/grpc doc/grpc_xds_features.md"

_RING = LoadBalancerType.RING_HASH
_LEAST = LoadBalancerType.LEAST_REQUEST
_FIRST = LoadBalancerType.PICK_FIRST
_WEIGHTED = LoadBalancerType.CLIENT_WEIGHTED

_GRPC_CPP = (
    Row("grpc-cpp", "carrier", Carrier.LOCALITY, f"{_CPP}: 1:2:5 over 1,600 calls gave 203/409/988, no reconnect"),
    Row("grpc-cpp", "stand_in", True, f"{_CPP}: absence is believed after 15.0 s, no routes after 0.01 s"),
    Row(
        "grpc-cpp",
        "stand_in_words",
        True,
        f"{_CPP}: a call fails with 'RDS resource NAME: could not find VirtualHost' where no host fits",
    ),
    Row("grpc-cpp", POLICY, _RING, f"{_CPP}: ring_hash works, 207/395/998; {_FEATURES}: lists since 1.55", (1, 55)),
    Row("grpc-cpp", POLICY, _WEIGHTED, f"{_CPP}: 200/400/1000, exact; {_FEATURES}: since 1.55", (1, 55)),
    Row("grpc-cpp", POLICY, _FIRST, f"{_CPP}: pick_first works; {_FEATURES}: since 1.58", (1, 58)),
)

_GRPC_GO = (
    Row("grpc-go", "carrier", Carrier.LOCALITY, f"{_GO}: 1:2:5 over 1,600 calls gave 165/418/1017, no reconnect"),
    Row("grpc-go", "stand_in", True, f"{_GO}: absence is believed after 15.1 s, no routes after 0.01 s"),
    Row(
        "grpc-go",
        POLICY,
        _RING,
        f"{_GO}: works when XX_HASH is said, else NACK; {_FEATURES}: lists since 1.56",
        (1, 56),
    ),
    Row("grpc-go", POLICY, _WEIGHTED, f"{_GO}: 100/200/500, exact; {_FEATURES}: since 1.56", (1, 56)),
    Row("grpc-go", POLICY, _FIRST, f"{_GO}: pick_first works; {_FEATURES}: since 1.56", (1, 56)),
    Row("grpc-go", POLICY, _LEAST, f"{_GO}: least_request works; older versions not tested", (1, 85)),
)

_GRPC_JAVA = (
    Row("grpc-java", "carrier", Carrier.LOCALITY, f"{_JAVA}: 1:2:5 over 1,600 calls gave 206/402/992"),
    Row(
        "grpc-java",
        "stand_in",
        True,
        f"{_JAVA_TESTED}: an unknown name fails within 1.4 s of a cold start; the protocol lets it wait 15 s",
    ),
    Row(
        "grpc-java",
        "stand_in_words",
        True,
        f"{_JAVA_TESTED}: where no host fits UNAVAILABLE 'Failed to find virtual host matching hostname: NAME'; "
        "without routes INTERNAL 'No child policy provided for cluster_manager LB policy'",
    ),
    Row("grpc-java", POLICY, _RING, f"{_JAVA}: ring_hash works, 181/395/1024; {_FEATURES}: lists since 1.47", (1, 47)),
    Row("grpc-java", POLICY, _WEIGHTED, f"{_JAVA}: 210/404/986; {_FEATURES}: since 1.54", (1, 54)),
    Row("grpc-java", POLICY, _LEAST, f"not tested; {_FEATURES}: since 1.48 (gRFC A48)", (1, 48)),
    Row("grpc-java", POLICY, _FIRST, f"not tested; {_FEATURES}: since 1.58.1 (gRFC A62)", (1, 58, 1)),
)

_GRPC_NODE = (
    Row("grpc-node", "carrier", Carrier.LOCALITY, f"{_NODE}: 1:2:5 over 1,600 calls gave 223/369/1008"),
    Row(
        "grpc-node",
        "stand_in",
        True,
        f"{_NODE}: calls fail in 0.1 s without routes, hang until their deadline otherwise",
    ),
    Row("grpc-node", "weight_delay", 1.0, f"{_NODE}: reconnects to every endpoint on any EDS update"),
    Row("grpc-node", "restart_jitter", 5.0, f"{_NODE}: reconnects to every endpoint on any EDS update"),
    Row("grpc-node", "ring_sizes", False, f'{_NODE}: NACK "min_ring_size must be a number"'),
    Row("grpc-node", POLICY, _RING, f"{_NODE}: works with XX_HASH and no sizes, 202/425/973", (1, 10)),
)

_ENVOY_ROWS = (
    Row("envoy", "carrier", Carrier.ENDPOINT, f"{_ENVOY}: endpoint weights under ROUND_ROBIN, 100/200/500, exact"),
    Row(
        "envoy",
        "drain",
        Drain.KEPT,
        f"{_ENVOY}: DRAINING is excluded, also when 2 of 3 drain (panic off, measured 2026-11-24)",
    ),
    Row("envoy", "listeners", False, "Envoy refuses an ApiListener that comes by LDS; listeners are static there"),
    Row(
        "envoy",
        "enums",
        True,
        f'{_ENVOY}: NACK "only supports ClientSideWeightedRoundRobin" of wrr_locality[round_robin]',
    ),
    Row("envoy", "http2", True, "Envoy speaks HTTP/1.1 to a backend unless told otherwise"),
    Row(
        "envoy",
        "locality_weights",
        False,
        f"{_ENVOY}: ignored without locality_weighted_lb_config, with it 100/200/500",
    ),
    Row("envoy", "spills", True, f"{_ENVOY}: a first priority that serves by half loses 30-34 % to the next"),
    Row("envoy", "one_drop", True, "endpoint.proto: a list with more than one drop_overload is rejected"),
    Row("envoy", POLICY, _LEAST, f"{_ENVOY}: LEAST_REQUEST works"),
    Row(
        "envoy", POLICY, _RING, "measured 2026-11-24, Envoy 1.40.0: RING_HASH with endpoint weights, 64/164/412 of 640"
    ),
    Row("envoy", POLICY, _WEIGHTED, f"{_ENVOY}: wrr_locality[cswrr] with ORCA per call, 100/200/500, exact", (1, 40)),
)

_LOOKASIDE = (
    Row("lookaside", "carrier", Carrier.NATIVE, "our own client: exact weights by the native API"),
    Row("lookaside", "locality_weights", False, "our own client: reads endpoint weights as they are"),
    Row("lookaside", "drain", Drain.KEPT, "our own client: lets calls in flight end"),
    *(
        Row("lookaside", POLICY, policy, "our own client: pickers by name")
        for policy in (_RING, _LEAST, _FIRST, _WEIGHTED)
    ),
)

_UNKNOWN = (
    Row(
        "unknown",
        "carrier",
        Carrier.LOCALITY,
        "every xDS client measured that has no row of its own reads locality weights",
    ),
    Row("unknown", "stand_in", False, "a client that believes in absence is told the truth"),
)

TABLE: tuple[Row, ...] = (
    *_GRPC_CPP,
    *_GRPC_GO,
    *_GRPC_JAVA,
    *_GRPC_NODE,
    *_ENVOY_ROWS,
    *_LOOKASIDE,
    *_UNKNOWN,
)
"""Every row; a later one wins over an earlier one of the same kind and feature."""
