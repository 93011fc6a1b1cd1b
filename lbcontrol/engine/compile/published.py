"""What such clients were told last: so that what did not change is the same object, and is not encoded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbcontrol.model.assignment import AssignedEndpoint
from lbcontrol.model.rendering import EndpointForm, EndpointsForm, LocalityForm

Before = tuple[EndpointForm, str] | None
"""Form and sub-zone of an endpoint when it was told last; None when it was not."""
Listed = tuple[AssignedEndpoint, int, Before]
"""An endpoint to tell, its weight once sums are in range, and what was said of it last.

A plain tuple: there is one for each of 10,000 endpoints, and a dataclass takes ten times as long to make.
"""


def form_of(one: Listed, weight: int | None) -> EndpointForm:
    """Return the form of an endpoint; the one of last time when that is the same."""
    endpoint, _, before = one
    if before is not None and before[0].health is endpoint.health and before[0].weight == weight:
        return before[0]
    return EndpointForm(endpoint.address, endpoint.health, weight)


class Published:
    """The list that was published last, indexed."""

    def __init__(self, form: EndpointsForm | None) -> None:
        """Index ``form``; None when nothing was published."""
        localities = () if form is None else form.localities
        self.carrier = "" if form is None else form.carrier
        self.sub_zones = {locality.locality.sub_zone for locality in localities}
        self._localities = {(locality.priority, locality.locality): locality for locality in localities}
        self._endpoints = {
            endpoint.address: (endpoint, locality.locality.sub_zone)
            for locality in localities
            for endpoint in locality.endpoints
        }

    def listed(self, endpoints: Sequence[AssignedEndpoint], weights: Iterable[int]) -> list[Listed]:
        """Return endpoints with their weights and what was said of them last."""
        known = self._endpoints.get
        return list(zip(endpoints, weights, [known(one.address) for one in endpoints], strict=True))

    def kept(self, forms: Iterable[LocalityForm]) -> tuple[LocalityForm, ...]:
        """Return the localities, each the published object when it equals that."""
        return tuple([self._kept(form) for form in forms])

    def _kept(self, form: LocalityForm) -> LocalityForm:
        known = self._localities.get((form.priority, form.locality))
        return known if known is not None and known == form else form
