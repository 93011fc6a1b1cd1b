"""Native messages out of model values: encoded once per (name, cohort, decision) and shared by all streams."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial

from google.protobuf.duration_pb2 import Duration
from lookaside.api.lbcontrol.v1 import assignment_pb2, common_pb2, lookaside_service_pb2

from lbcontrol.frontends.status import error_detail
from lbcontrol.model.assignment import AssignedEndpoint, Assignment, Decision, Mark
from lbcontrol.model.clients import ClientProfile
from lbcontrol.model.endpoints import Health, Locality
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import Payload
from lbcontrol.model.services import LoadBalancerType, PolicySpec
from lbcontrol.model.text import printable
from lbcontrol.runtime.worker import BIG, Background

HEALTHS = {
    Health.SERVING: common_pb2.HEALTH_SERVING,
    Health.DRAINING: common_pb2.HEALTH_DRAINING,
    Health.NOT_SERVING: common_pb2.HEALTH_NOT_SERVING,
    Health.UNKNOWN: common_pb2.HEALTH_UNKNOWN,
}
"""Our health in the API's words."""

PICKERS = {
    LoadBalancerType.ROUND_ROBIN: assignment_pb2.PICKER_ROUND_ROBIN,
    LoadBalancerType.RING_HASH: assignment_pb2.PICKER_RING_HASH,
    LoadBalancerType.LEAST_REQUEST: assignment_pb2.PICKER_LEAST_REQUEST,
    LoadBalancerType.PICK_FIRST: assignment_pb2.PICKER_PICK_FIRST,
    LoadBalancerType.CLIENT_WEIGHTED: assignment_pb2.PICKER_CLIENT_WEIGHTED,
}
"""Our client policies in the API's words."""


def duration(seconds: float) -> Duration:
    """Return seconds as a message."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def seconds(message: Duration) -> float:
    """Return a message's length in seconds."""
    return message.seconds + message.nanos / 1e9


def mark_message(mark: Mark) -> common_pb2.Mark:
    """Return a mark as a message."""
    return common_pb2.Mark(epoch=mark.epoch, revision=mark.revision)


def locality_message(locality: Locality) -> common_pb2.Locality:
    """Return a locality as a message."""
    return common_pb2.Locality(region=locality.region, zone=locality.zone, sub_zone=locality.sub_zone)


def locality_of(message: common_pb2.Locality) -> Locality:
    """Read a locality."""
    return Locality(message.region, message.zone, message.sub_zone)


def profile_of(message: common_pb2.ClientProfile) -> ClientProfile:
    """Read who a client says it is; a kind outside the closed set counts as unknown."""
    known = message.user_agent_name == "lookaside"
    return ClientProfile(
        id=printable(message.node_id),
        kind="lookaside" if known else "unknown",
        version=printable(message.user_agent_version),
        locality=locality_of(message.locality),
        features=frozenset(message.features),
    )


def _endpoint_message(endpoint: AssignedEndpoint) -> assignment_pb2.AssignedEndpoint:
    return assignment_pb2.AssignedEndpoint(
        address=str(endpoint.address),
        weight=endpoint.weight,
        health=HEALTHS[endpoint.health],
        locality=locality_message(endpoint.locality),
        priority=endpoint.priority,
    )


def _policy_message(policy: PolicySpec) -> assignment_pb2.ClientPolicy:
    return assignment_pb2.ClientPolicy(
        picker=PICKERS[policy.load_balancer.type],
        hash_header=policy.load_balancer.hash_header,
        timeout=None if policy.timeout is None else duration(policy.timeout),
        connect_timeout=None if policy.connect_timeout is None else duration(policy.connect_timeout),
        max_requests=policy.max_requests or 0,
        drops=[assignment_pb2.Drop(category=drop.category, percent=drop.percent) for drop in policy.drops],
    )


def assignment_message(assignment: Assignment, mark: Mark) -> assignment_pb2.Assignment:
    """Return an assignment as a message; its version is the digest of all but the mark."""
    message = assignment_pb2.Assignment(service=assignment.service, policy=_policy_message(assignment.policy))
    for endpoint in assignment.endpoints:
        message.endpoints.append(_endpoint_message(endpoint))
    message.version = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]
    message.mark.CopyFrom(mark_message(mark))
    return message


class Encoded:
    """One assignment made ready once: its message, its version, its bytes for the watch."""

    __slots__ = ("body", "decision", "message")

    def __init__(self, decision: Decision, cohort: str) -> None:
        """Encode ``cohort``'s assignment of ``decision``."""
        self.decision = decision
        self.message = assignment_message(decision.assignments[cohort], decision.mark)
        self.body = lookaside_service_pb2.WatchAssignmentsResponse(assignment=self.message).SerializeToString()

    def payload(self, name: str) -> Payload:
        """Return the response for a stream that asked for ``name``: the bytes are shared, only the name differs."""
        return Payload(self.body, lookaside_service_pb2.WatchAssignmentsResponse(name=name).SerializeToString())


class Encoder:
    """Keeps the newest encoding of each (service, cohort), as long as the decision is in force.

    Bound: the number of services times their cohorts; an entry is replaced with its decision and dropped with it.
    """

    def __init__(
        self,
        encoded: Callable[[float], None] = lambda _: None,
        *,
        worker: Background | None = None,
        big: int = BIG,
    ) -> None:
        """Begin empty.

        Args:
            encoded: Told the seconds each encoding took.
            worker: Encodes big assignments; without one everything is done on the loop's thread.
            big: Endpoints above which the worker does it: 10,000 took 35 ms.
        """
        self._encoded = encoded
        self._worker = worker
        self._big = big
        self._making: dict[tuple[str, str], list[Callable[[], None]]] = {}
        """Service and cohort to who waits for it."""
        self._kept: dict[str, tuple[Decision, dict[str, Encoded]]] = {}
        self.encodes = 0
        """Encodings made since the start."""

    def encoded(self, decision: Decision, cohort: str, *, ready: Callable[[], None]) -> Encoded | None:
        """Return the encoding of one cohort's assignment; made at most once for each decision.

        Returns:
            None for a big one that is being made: then ``ready`` is called, once, when it is time to ask again.
        """
        kept = self._kept.get(decision.service)
        found = kept[1].get(cohort) if kept is not None and kept[0] is decision else None
        if found is not None:
            return found
        if self._worker is None or len(decision.assignments[cohort].endpoints) <= self._big:
            return self._keep(decision, cohort, _timed(decision, cohort))
        waiting = self._making.get((decision.service, cohort))
        if waiting is not None:
            waiting.append(ready)
            return None
        self._making[decision.service, cohort] = [ready]
        self._worker.start(partial(_timed, decision, cohort), partial(self._made, decision, cohort))
        return None

    def _made(self, decision: Decision, cohort: str, timed: tuple[Encoded, float]) -> None:
        """Keep what the worker made, and have those ask who wait; of a newer decision they get another turn."""
        self._keep(decision, cohort, timed)
        for ready in self._making.pop((decision.service, cohort)):
            ready()

    def _keep(self, decision: Decision, cohort: str, timed: tuple[Encoded, float]) -> Encoded:
        made, seconds = timed
        kept = self._kept.get(decision.service)
        if kept is None or kept[0] is not decision:
            kept = self._kept[decision.service] = (decision, {})
        kept[1][cohort] = made
        self._encoded(seconds)
        self.encodes += 1
        return made

    def forget(self, service: str) -> None:
        """Drop what is kept of a service that is gone."""
        self._kept.pop(service, None)


def _timed(decision: Decision, cohort: str) -> tuple[Encoded, float]:
    """Return an encoding and the seconds it took."""
    began = time.perf_counter()
    made = Encoded(decision, cohort)
    return made, time.perf_counter() - began


def unknown_payload(name: str, finding: Finding) -> Payload:
    """Return the response that says that nobody serves ``name``."""
    unknown = lookaside_service_pb2.UnknownService(service=name, error=error_detail(finding))
    return Payload(lookaside_service_pb2.WatchAssignmentsResponse(name=name, unknown=unknown).SerializeToString())
