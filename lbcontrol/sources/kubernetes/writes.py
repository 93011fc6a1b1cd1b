"""What is written into a cluster: the status of ServicePolicies, Events, and the Lease that says who may write them.

One request each, counted by how it ended. What fails is a finding until the same kind of write succeeds again.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbcontrol.model.errors import SourceUnavailableError
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.runtime.metrics import Metrics
from lbcontrol.sources.kubernetes.api import Api, message_of
from lbcontrol.sources.kubernetes.objects import Json, Key
from lbcontrol.sources.kubernetes.policies import GROUP, PLURAL, VERSION, Policy

STATUS, EVENT, LEASE = "status", "event", "lease"
"""Kinds of writes."""
RIGHTS = {
    STATUS: "patch on servicepolicies/status of lbcontrol.io",
    EVENT: "create and patch on events of events.k8s.io",
    LEASE: "get, create and update on leases of coordination.k8s.io",
}
"""What each kind needs."""
EFFECTS = {
    STATUS: "what the policies say is in force; kubectl does not show it",
    EVENT: "nothing else is missing",
    LEASE: "status and Events are not written; serving goes on",
}


class Ending(enum.Enum):
    """How a write ended."""

    OK = "ok"
    CONFLICT = "conflict"
    """409: the object has changed meanwhile, or is there already."""
    MISSING = "missing"
    """404."""
    REFUSED = "refused"
    """401 or 403."""
    INVALID = "invalid"
    """Any other 4xx: the same will not succeed later either."""
    FAILED = "failed"
    """No answer, too many requests (429), or a failure of the API server."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    ending: Ending
    body: Json


class Writes:
    """Writes to one cluster."""

    def __init__(self, api: Api, *, metrics: Metrics) -> None:
        """Nothing went wrong yet."""
        self._api = api
        self._metrics = metrics
        self._findings: dict[str, Finding] = {}

    def findings(self) -> Sequence[Finding]:
        """Return what cannot be written now."""
        return tuple(self._findings.values())

    def mended(self, kind: str) -> None:
        """Nothing of a kind fails any more: what failed is gone, or needs no write."""
        self._findings.pop(kind, None)

    async def status(self, policy: Policy, ancestors: Sequence[Json]) -> Ending:
        """Replace the entries of a policy's status; a conflict when it is not as it was seen (resourceVersion)."""
        namespace, name = policy.key
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}/status"
        body = {"metadata": {"resourceVersion": policy.mark}, "status": {"ancestors": list(ancestors)}}
        return (await self._send(STATUS, "PATCH", path, body=body, expected=(Ending.CONFLICT,))).ending

    async def event(self, event: Json) -> Ending:
        """Create an Event; a conflict when it is there already."""
        namespace = event["metadata"]["namespace"]
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        return (await self._send(EVENT, "POST", path, body=event, expected=(Ending.CONFLICT,))).ending

    async def repeat(self, key: Key, patch: Json) -> Ending:
        """Change an Event that was created before; missing when the API server has dropped it since."""
        path = f"/apis/events.k8s.io/v1/namespaces/{key[0]}/events/{key[1]}"
        return (await self._send(EVENT, "PATCH", path, body=patch, expected=(Ending.MISSING,))).ending

    async def read_lease(self, key: Key) -> Answer:
        """Return the Lease; missing when there is none."""
        return await self._send(LEASE, "GET", f"{_leases(key[0])}/{key[1]}", expected=(Ending.MISSING,))

    async def write_lease(self, lease: Json) -> Answer:
        """Create or replace the Lease; returns it as it is then, or a conflict when another replica was faster."""
        meta = lease["metadata"]
        path = _leases(str(meta["namespace"]))
        if not meta.get("resourceVersion"):
            return await self._send(LEASE, "POST", path, body=lease, expected=(Ending.CONFLICT,))
        expected = (Ending.CONFLICT, Ending.MISSING)
        return await self._send(LEASE, "PUT", f"{path}/{meta['name']}", body=lease, expected=expected)

    async def _send(
        self, kind: str, method: str, path: str, *, body: object = None, expected: Sequence[Ending] = ()
    ) -> Answer:
        try:
            status, text = await self._api.send(method, path, body=body, merge=method == "PATCH")
        except SourceUnavailableError as error:
            return self._ended(kind, Ending.FAILED, error.finding.why)
        ending = _ending(status)
        if ending is not Ending.OK and ending not in expected:
            return self._ended(kind, ending, f"{method} {path}: status {status}: {message_of(text)}")
        return self._ended(kind, ending, "", body=_decoded(text) if ending is Ending.OK else {})

    def _ended(self, kind: str, ending: Ending, why: str, *, body: Json | None = None) -> Answer:
        self._metrics.kubernetes_writes_total.labels(kind, ending.value).inc()
        if why:
            self._findings[kind] = Finding(
                "LB241",
                f"{'the ' if kind == LEASE else ''}{WORDS[kind]} cannot be written to {self._api.host}",
                at=kind,
                why=why,
                effect=EFFECTS[kind],
                do=f"give the service account {RIGHTS[kind]}" if ending is Ending.REFUSED else "",
                severity=Severity.WARNING,
            )
        else:
            self._findings.pop(kind, None)
        return Answer(ending, body or {})


WORDS = {STATUS: "status of ServicePolicies", EVENT: "Events", LEASE: "Lease of the status writer"}
"""What people call each kind."""


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def _ending(status: int) -> Ending:
    if 200 <= status < 300:
        return Ending.OK
    known = {401: Ending.REFUSED, 403: Ending.REFUSED, 404: Ending.MISSING, 409: Ending.CONFLICT, 429: Ending.FAILED}
    return known.get(status, Ending.INVALID if 400 <= status < 500 else Ending.FAILED)


def _decoded(text: str) -> Json:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}
