"""What we know of a client: who it says it is, where it runs, what it can do."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from lbcontrol.model.endpoints import Locality


class Role(enum.StrEnum):
    """What an identity may be allowed to do."""

    READ = "read"
    REGISTER = "register"
    OPERATE = "operate"
    INSPECT = "inspect"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is on the other side, as authenticated by the transport."""

    name: str = "anonymous"
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a stream."""

    address: str
    """``ip:port``, ``unix:`` or empty when unknown; for people and per-address limits, never authority."""
    identity: Identity = Identity()

    @property
    def host(self) -> str:
        """The IP without port, or the whole text when there is none."""
        return self.address.rpartition(":")[0].strip("[]") if ":" in self.address else self.address


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """What a client told about itself in its first message. Claims, not facts."""

    id: str = ""
    """``node.id``, at most 256 bytes."""
    kind: str = "unknown"
    """Closed set: grpc-cpp, grpc-go, grpc-java, grpc-node, envoy, lookaside, unknown."""
    version: str = ""
    locality: Locality = Locality()
    features: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Only keys that begin with ``lbcontrol.``."""
    namespace: str = ""
    """Where names without a namespace are looked for first."""
