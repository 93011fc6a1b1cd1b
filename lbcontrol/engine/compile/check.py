"""What a client would reject, found before it is sent: a NACK of the first list is a service that does not work.

The rules are those of gRFC A27 and what was seen rejected (measured 2026-11-23, grpcio 1.85.1, grpc-go 1.85.0,
grpc-js-xds 1.14.1, Envoy 1.40.0): addresses are unique, weights begin at 1 and add up within 32 bits, priorities have
no gap, and a locality stands once in a priority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

from lbcontrol.model.endpoints import MAX_WEIGHT_SUM
from lbcontrol.model.findings import Finding
from lbcontrol.model.rendering import AssignmentForm, ClusterForm, EndpointsForm, Form, LocalityForm, RouteForm
from lbcontrol.model.services import MAX_NAME_BYTES

T = TypeVar("T", bound=Hashable)


def _finding(code: str, what: str) -> Finding:
    return Finding(code, what, effect="it is not sent; clients keep what they were told before")


def _repeated(things: Iterable[T]) -> list[T]:
    return [thing for thing, count in Counter(things).items() if count > 1]


def _names(form: Form) -> Iterator[Finding]:
    names = [form.name]
    if isinstance(form, RouteForm):
        names += [name for name, _ in form.backends]
    elif not isinstance(form, EndpointsForm | ClusterForm | AssignmentForm):
        names.append(form.route_name)
    for name in names:
        size = len(name.encode())
        if not 1 <= size <= MAX_NAME_BYTES:
            yield _finding("LB302", f'name "{name[:64]}" has {size} bytes; a name has 1 to {MAX_NAME_BYTES}')


def _weights(place: str, weights: Iterable[int]) -> Iterator[Finding]:
    every = list(weights)
    for weight in sorted({weight for weight in every if weight < 1}):
        yield _finding("LB303", f"{place}: weight {weight}; a weight is at least 1")
    if sum(every) > MAX_WEIGHT_SUM:
        yield _finding("LB303", f"{place}: weights add up to {sum(every)}; the most is {MAX_WEIGHT_SUM}")


def _locality(name: str, form: LocalityForm) -> Iterator[Finding]:
    place = f"{name}, locality {form.locality}"
    if not form.endpoints:
        yield _finding("LB304", f"{place}: no endpoints")
    yield from _weights(place, [one.weight for one in form.endpoints if one.weight is not None])


def _endpoints(form: EndpointsForm) -> Iterator[Finding]:
    for address in _repeated(one.address for locality in form.localities for one in locality.endpoints):
        yield _finding("LB304", f"{form.name}: address {address} is listed twice")
    for priority, where in _repeated((locality.priority, locality.locality) for locality in form.localities):
        yield _finding("LB304", f"{form.name}: locality {where} stands twice in priority {priority}")
    present = sorted({locality.priority for locality in form.localities})
    if present != list(range(len(present))):
        yield _finding("LB304", f"{form.name}: priorities {present}; they count from 0 without a gap")
    for priority in present:
        weights = [locality.weight for locality in form.localities if locality.priority == priority]
        yield from _weights(f"{form.name}, priority {priority}", weights)
    for locality in form.localities:
        yield from _locality(form.name, locality)
    for drop in form.drops:
        if not (drop.category and 0 <= drop.percent <= 100):
            yield _finding("LB305", f'{form.name}: drop "{drop.category}" of {drop.percent} %; it is named, 0 to 100 %')


def _cluster(form: ClusterForm) -> Iterator[Finding]:
    if not form.balancers or (len(form.balancers) > 1 and any(one.is_enum for one in form.balancers)):
        yield _finding("LB306", f"{form.name}: policies {list(map(str, form.balancers))}; a list or one enum")
    if form.connect_timeout is not None and form.connect_timeout <= 0:
        yield _finding("LB306", f"{form.name}: connect timeout {form.connect_timeout} s; it is more than 0")
    if form.max_requests is not None and not 0 <= form.max_requests < 2**32:
        yield _finding("LB306", f"{form.name}: {form.max_requests} requests at most; it is a number of 32 bits")


def _route(form: RouteForm) -> Iterator[Finding]:
    for name in _repeated(name for name, _ in form.backends):
        yield _finding("LB306", f"{form.name}: backend {name} is listed twice")
    yield from _weights(f"{form.name}, backends", [weight for _, weight in form.backends])
    if form.timeout is not None and form.timeout < 0:
        yield _finding("LB306", f"{form.name}: timeout {form.timeout} s; it is not negative")


def problems(form: Form) -> tuple[Finding, ...]:
    """Return what a client would reject in ``form``; empty when it may be sent."""
    found = list(_names(form))
    if isinstance(form, EndpointsForm):
        found += _endpoints(form)
    elif isinstance(form, AssignmentForm):
        found += _endpoints(form.endpoints)
    elif isinstance(form, ClusterForm):
        found += _cluster(form)
    elif isinstance(form, RouteForm):
        found += _route(form)
    return tuple(found)
