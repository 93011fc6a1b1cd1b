"""One Service and all of its EndpointSlices, made into snapshots: one for each port that clients can ask for.

The port that a name without one means is the default port: the one that the annotation ``lbcontrol.io/port`` names,
else the only one, else one that says gRPC. Its snapshot is called ``echo.shop``, another port's ``echo.shop:9090``.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lbcontrol.model.endpoints import Address, Endpoint, Locality
from lbcontrol.model.findings import Finding, Severity
from lbcontrol.model.services import ServiceSnapshot
from lbcontrol.sources.kubernetes.attachment import marks_of
from lbcontrol.sources.kubernetes.objects import ENABLED, PORT, Service, ServicePort, Slice, SliceEndpoint
from lbcontrol.sources.kubernetes.options import Choice, KubernetesOptions
from lbcontrol.sources.kubernetes.policies import Policy

GRPC_PROTOCOLS = frozenset({"grpc", "kubernetes.io/h2c", "http2", "h2c"})
"""Values of ``appProtocol`` that gRPC is spoken on."""
TRUE, FALSE = "true", "false"


@dataclass(frozen=True, slots=True)
class Names:
    """How Services are called by clients."""

    default_namespace: str
    cluster_domain: str

    def of(self, service: Service) -> tuple[str, ...]:
        """Return every form of a Service's name without port, the canonical one (``echo.shop``) first."""
        namespace, name = service.key
        long = f"{name}.{namespace}"
        forms = (long, f"{long}.svc", f"{long}.svc.{self.cluster_domain}")
        return (*forms, name) if namespace == self.default_namespace else forms


def is_chosen(service: Service, options: KubernetesOptions) -> bool:
    """True when the Service is balanced. The API server has applied the selector already."""
    said = service.annotation(ENABLED)
    if options.services is Choice.ANNOTATED:
        return said == TRUE
    return said != FALSE


def snapshots(
    service: Service, slices: Collection[Slice], *, source: str, names: Names, policies: Sequence[Policy] = ()
) -> list[ServiceSnapshot]:
    """Return the snapshots of a Service, the one of its default port first.

    Args:
        service: The Service.
        slices: All EndpointSlices that name it, of any family and in any order.
        source: Name of the source.
        names: How it is called.
        policies: Those that are for it, the one in force first; they hold for all of its ports.
    """
    ordered = sorted(slices, key=lambda each: each.key)
    findings: list[Finding] = []
    default = _default_port(service, findings)
    findings += _unserved(service, ordered)
    mark = _mark(service, ordered, policies)
    claims = tuple(each.claim for each in policies if each.claim is not None)
    forms = names.of(service)
    made: list[ServiceSnapshot] = []
    for port in sorted(service.ports, key=lambda each: (each is not default, each.number)):
        is_default = port is default
        called = tuple(_called(forms, port, is_default=is_default))
        made.append(
            ServiceSnapshot(
                service=called[0],
                source=source,
                mark=mark,
                endpoints=tuple(_endpoints(service, ordered, port)),
                aliases=called[1:],
                policies=claims,
                origin=f"Service {service.key[0]}/{service.key[1]}",
                findings=tuple(findings) if is_default else (),
            )
        )
    return made


def _called(forms: Sequence[str], port: ServicePort, *, is_default: bool) -> Iterator[str]:
    if is_default:
        yield from forms
    for suffix in (str(port.number), port.name) if port.name else (str(port.number),):
        yield from (f"{form}:{suffix}" for form in forms)


def _default_port(service: Service, findings: list[Finding]) -> ServicePort | None:
    if not service.ports:
        findings.append(_finding(service, "LB231", "has no TCP port", do="give it one in spec.ports"))
        return None
    asked = service.annotation(PORT)
    for port in service.ports:
        if asked in (port.name, str(port.number)):
            return port
    speaking = [port for port in service.ports if _says_grpc(port)] or list(service.ports)
    if len(speaking) > 1:
        findings.append(_ambiguous(service, speaking))
    return speaking[0]


def _says_grpc(port: ServicePort) -> bool:
    return port.name == "grpc" or port.name.startswith("grpc-") or port.protocol.lower() in GRPC_PROTOCOLS


def _endpoints(service: Service, slices: Sequence[Slice], port: ServicePort) -> list[Endpoint]:
    """Return each address once. While an endpoint moves it stands in two slices, and takes work when one says so."""
    found: dict[Address, Endpoint] = {}
    for each, one in _of_one_family(service, [each for each in slices if port.name in each.ports]):
        made = Endpoint(
            Address(one.host, each.ports[port.name]),
            locality=Locality(zone=one.zone),
            health=one.health,
            origin=_origin(each, one.pod, one.node),
        )
        if one.health.takes_new_work or made.address not in found:
            found[made.address] = made
    return list(found.values())


def _of_one_family(service: Service, slices: Sequence[Slice]) -> Iterator[tuple[Slice, SliceEndpoint]]:
    """Yield the endpoints of the Service's first family, and of others those of pods that have no address of it.

    A dual-stack pod stands in slices of both families and is one backend. Endpoints that are no pods are all taken from
    the first family that has any.
    """
    served: set[str] = set()
    ranked = sorted(slices, key=lambda each: (each.family != service.family, each.family))
    for _, group in itertools.groupby(ranked, key=lambda each: each.family):
        new = [(each, one) for each in group for one in each.endpoints if one.pod not in served]
        served |= {one.pod for _, one in new}
        yield from new


def _origin(each: Slice, pod: str, node: str) -> str:
    parts = [f"EndpointSlice {each.key[0]}/{each.key[1]}", f"pod {pod}" if pod else "", f"node {node}" if node else ""]
    return ", ".join(filter(None, parts))


def _mark(service: Service, slices: Sequence[Slice], policies: Sequence[Policy]) -> str:
    marks = [service.mark, *(f"{each.key[1]}@{each.mark}" for each in slices), *marks_of(policies)]
    return hashlib.blake2s("\n".join(marks).encode(), digest_size=8).hexdigest()


def _unserved(service: Service, slices: Sequence[Slice]) -> Iterator[Finding]:
    for each in slices:
        if each.family == "FQDN":
            what = f"has EndpointSlice {each.key[1]} of addressType FQDN, of which nothing is served"
            yield _finding(service, "LB232", what, do="give the slice addresses of type IPv4 or IPv6")


def _ambiguous(service: Service, speaking: Sequence[ServicePort]) -> Finding:
    ports = ", ".join(port.name or str(port.number) for port in speaking)
    return _finding(
        service, "LB233", "has several ports, and none is said to be the one for gRPC",
        why=f"ports: {ports}; names without a port mean the first",
        do=f"kubectl -n {service.key[0]} annotate service {service.key[1]} {PORT}={speaking[0].number}",
    )  # fmt: skip


def _finding(service: Service, code: str, what: str, *, why: str = "", do: str = "") -> Finding:
    name = f"{service.key[0]}/{service.key[1]}"
    return Finding(code, f"Service {name} {what}", at=f"Service {name}", why=why, do=do, severity=Severity.WARNING)
