"""ServicePolicies as the source keeps them."""

from __future__ import annotations

GROUP, VERSION, KIND, PLURAL = "lbcontrol.io", "v1alpha1", "ServicePolicy", "servicepolicies"
"""The custom resource."""
