"""Options of ``type: kubernetes``."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from lbcontrol.sources.spec import Options

LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""A DNS label, as names of namespaces and Services are (RFC 1123)."""

SUBDOMAIN = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
"""A DNS subdomain, as names of most objects are (RFC 1123)."""


class Choice(enum.StrEnum):
    """Which Services are balanced."""

    ANNOTATED = "Annotated"
    """Those with the annotation ``lbcontrol.io/enabled: "true"``."""
    SELECTED = "Selected"
    """Those that the label selector finds."""
    ALL = "All"
    """All of the namespaces that are named."""


class KubernetesOptions(Options):
    """Options of ``type: kubernetes``."""

    namespaces: Annotated[tuple[Annotated[str, StringConstraints(pattern=LABEL)], ...], Field(max_length=100)] = ()
    """Namespaces that are watched; none means all."""
    services: Choice = Choice.ANNOTATED
    """Which Services are balanced: Annotated | Selected | All. An annotation ``"false"`` always keeps one out."""
    selector: Annotated[str, Field(max_length=1_024)] = ""
    """Label selector of Services, for ``services: Selected``; in the syntax of kubectl."""
    default_namespace: Annotated[str, StringConstraints(pattern=LABEL)] = "default"
    """Namespace of names without one, as in ``xds:///echo``."""
    cluster_domain: Annotated[str, Field(min_length=1, max_length=253)] = "cluster.local"
    """What full names end in."""
    write_status: bool = True
    """Whether what became of ServicePolicies is written into their status, and what is rejected into Events."""
    status_lease: Annotated[str, StringConstraints(pattern=SUBDOMAIN, max_length=253)] = "lbcontrol-status"
    """Name of the Lease whose holder writes: one of all replicas."""
    status_namespace: Annotated[str, StringConstraints(pattern=f"^$|{LABEL}")] = ""
    """Namespace of that Lease; empty for the pod's own, outside of pods for ``default``."""
    kubeconfig: str = ""
    """Path of a kubeconfig file; without one the pod's service account, else what kubectl would use."""
    context: str = ""
    """Context of the kubeconfig file; empty for its current one."""

    @model_validator(mode="after")
    def _fits(self) -> KubernetesOptions:
        if (self.services is Choice.SELECTED) != bool(self.selector):
            raise ValueError("services: Selected and selector: belong together; set both or none")
        if self.services is Choice.ALL and not self.namespaces:
            raise ValueError("services: All needs namespaces: a whole cluster is never meant")
        return self
