"""The Lease that makes one replica the one that writes status (coordination.k8s.io/v1): decisions, without I/O.

A holder renews every 3 s and may write for 10 s after its last renewal. Another takes the Lease when it has not seen it
move for the 15 s written into it, by its own clock: clocks of different machines are never compared. The 5 s between
are the time a last write may take, so that two never write at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lbcontrol.sources.kubernetes.objects import Json

DURATION = 15
"""Seconds after which a Lease that does not move is free."""
VALID = 10.0
"""Seconds after a renewal for which its holder may write."""
RENEW = 3.0
"""Seconds between renewals, and between looks of those who wait; jittered by a fifth."""


class Move(enum.Enum):
    """What to do about the Lease."""

    CREATE = "create"
    TAKE = "take"
    """Replace it: renew it, or take it over."""
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What one replica knows of the Lease."""

    identity: str
    seen: tuple[str, str] = ("", "")
    """Holder and resourceVersion, as seen last."""
    seen_at: float = 0.0
    """Monotonic seconds at which they were first seen."""
    renewed_at: float | None = None
    """Monotonic seconds at which the last renewal was sent that succeeded; None while another holds it."""

    def is_held(self, now: float) -> bool:
        """True while this replica may write."""
        return self.renewed_at is not None and now - self.renewed_at < VALID


def looked(state: LeaseState, lease: Json | None, *, now: float) -> tuple[LeaseState, Move]:
    """Take in what the API server has; None when there is no Lease."""
    if lease is None:
        return replace(state, renewed_at=None), Move.CREATE
    holder, version = holder_of(lease), str(_part(lease, "metadata").get("resourceVersion", ""))
    if (holder, version) != state.seen:
        state = replace(state, seen=(holder, version), seen_at=now)
    if holder == state.identity:
        return state, Move.TAKE
    state = replace(state, renewed_at=None)
    return state, Move.TAKE if not holder or now - state.seen_at >= _duration(lease) else Move.WAIT


def wrote(state: LeaseState, *, sent_at: float, succeeded: bool) -> LeaseState:
    """Take in how a move ended; what failed may have succeeded unseen, so nothing but time takes the right away."""
    return replace(state, renewed_at=sent_at) if succeeded else state


def lost(state: LeaseState) -> LeaseState:
    """Another replica was faster (409): it may hold the Lease now."""
    return replace(state, renewed_at=None)


def renewed(lease: Json | None, *, name: str, namespace: str, identity: str, wall: float) -> dict[str, Any]:
    """Return the Lease to write: an existing one keeps its resourceVersion, so that only one replica can take it."""
    old = _part(lease, "spec") if lease else {}
    meta = dict(_part(lease, "metadata")) if lease else {"name": name, "namespace": namespace}
    changes = 0 if lease is None else int(old.get("leaseTransitions") or 0) + (holder_of(lease) != identity)
    now = micro_time(wall)
    spec = {
        **old,
        "holderIdentity": identity,
        "leaseDurationSeconds": DURATION,
        "acquireTime": old.get("acquireTime", now) if lease and holder_of(lease) == identity else now,
        "renewTime": now,
        "leaseTransitions": changes,
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def released(lease: Json, *, wall: float) -> dict[str, Any]:
    """Return the Lease that nobody holds, so that the next replica need not wait."""
    spec = {**_part(lease, "spec"), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": micro_time(wall)}
    return {**lease, "spec": spec}


def holder_of(lease: Json) -> str:
    """Return who holds the Lease; empty for nobody."""
    return str(_part(lease, "spec").get("holderIdentity") or "")


def micro_time(wall: float) -> str:
    """Return a time as the API's MicroTime."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _duration(lease: Json) -> float:
    seconds = _part(lease, "spec").get("leaseDurationSeconds")
    return float(seconds) if isinstance(seconds, int) else float(DURATION)


def _part(lease: Json | None, name: str) -> Mapping[str, Any]:
    found = lease.get(name) if lease else None
    return found if isinstance(found, Mapping) else {}
