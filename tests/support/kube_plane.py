"""The product beside a Kubernetes API server: one control plane whose only registry is a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.support.control_plane import ControlPlane

_CONFIG = """
apiVersion: lbcontrol.io/v1alpha1
kind: Server
listen: {{grpc: "{grpc}", admin: "{admin}", probe: "{probe}"}}
sources: {{cluster: {source}}}
"""


class KubePlane(ControlPlane):
    """A control plane with one source, ``cluster``; nothing is started yet."""

    def __init__(self, home: Path, kubeconfig: Path, *, measured: bool = True, **options: object) -> None:
        """Read the cluster as the user of a kubeconfig, with these further options of the source."""
        super().__init__(home, measured=measured)
        source: Mapping[str, object] = {"type": "kubernetes", "kubeconfig": str(kubeconfig), **options}
        self.config = home / "server.yaml"
        listeners = {"grpc": self.grpc, "admin": self.admin, "probe": self.probe}
        self.config.write_text(_CONFIG.format(source=json.dumps(source), **listeners))

    def arguments(self) -> list[str]:
        """What stands after ``serve``."""
        return ["--config", str(self.config)]
